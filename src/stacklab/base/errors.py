"""Everything stacklab raises on purpose.

StacklabError                 exit 1   (base) a fault of stacklab, to be reported
├── UserError                 exit 2   the input cannot be used; nothing was lost
│   ├── SpecError                      a study, an override or a field is wrong
│   │   ├── ContrastError              two arms differ in more than they declare
│   │   └── MatchError                 no control within tolerance
│   ├── DataError                      a corpus, a record or a file of text is wrong
│   ├── TokenizerError                 a tokenizer is missing or is not valid
│   ├── CheckpointError                a checkpoint is damaged or of another run
│   ├── PortError                      a model of another program, or one for it, cannot be expressed exactly
│   ├── BusyError                      another command holds the same study or run
│   ├── MissingExtraError              an optional package is not installed
│   ├── LimitError                     memory, CPU time, open files, processes or the size of a file reach their limit
│   └── DiskError                      the disk is full or not writable; no half-written file is left
├── RunsFailedError           exit 3   some runs of a study failed; the others are kept
├── RunLostError              exit 1   the processes of a run ended without a result; it can be resumed
└── Interrupted               exit 130 stopped by the user; the same command resumes
"""


class StacklabError(Exception):
    """One line for the user: where, what was found, what was expected, how to mend it."""

    exit_code = 1


class UserError(StacklabError):
    """The input cannot be used; nothing was lost. Printed in one line, whatever names of the input it quotes."""

    exit_code = 2

    def __str__(self) -> str:
        return " ".join(super().__str__().splitlines())


class SpecError(UserError):
    """A study, an override or a field of a spec is wrong."""


class ContrastError(SpecError):
    """Two arms differ in something that neither declares."""


class MatchError(SpecError):
    """A matched control has no solution within its tolerance."""


class DeviceError(UserError):
    """A device is not there, or cannot do what a run requests of it."""


class DataError(UserError):
    """A corpus, a record or a file of text cannot be used."""


class TokenizerError(UserError):
    """A tokenizer is missing, or the file is not a tokenizer."""


class CheckpointError(UserError):
    """A checkpoint is damaged, or belongs to another run."""


class PortError(UserError):
    """A model cannot be brought in from another program, or handed to it, without changing what it computes."""


class BusyError(UserError):
    """Another command is working on the same study or run."""


class MissingExtraError(UserError):
    """An optional package is not installed."""


class LimitError(UserError):
    """A limit of the machine was reached: memory, CPU time, open files, processes or the size of a file."""


class DiskError(UserError):
    """The disk is full or a path cannot be written."""


class RunsFailedError(StacklabError):
    """Some runs of a study failed; finished ones are kept."""

    exit_code = 3


class RunLostError(StacklabError):
    """The processes of a run ended without a result; it can be resumed."""


class Interrupted(StacklabError):
    """Stopped by the user; the same command resumes."""

    exit_code = 130
