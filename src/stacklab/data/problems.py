"""Held-out problems: records of the validation split with an exact answer whose question is not in training."""

from dataclasses import asdict, dataclass, field
from typing import Any

from stacklab.data.record import Record
from stacklab.data.template import Template, prompt_pieces, turn_text


@dataclass(frozen=True)
class Problem:
    """`prompt_text` ends with the assistant's header; `assistant_text` is the reference, thinking included."""

    prompt_text: str
    assistant_text: str
    answer: str
    hops: int | None
    family: str | None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class ProblemCollector:
    """Takes every record once, in any order; then lists the problems and counts the questions in both splits."""

    template: Template
    _train: set[str] = field(default_factory=set)
    _validation: list[str] = field(default_factory=list)
    _problems: list[tuple[str, Problem]] = field(default_factory=list)

    def add(self, record: Record, *, held_out: bool) -> None:
        question = record.prompt_digest
        if question is None:
            return
        if not held_out:
            self._train.add(question)
            return
        self._validation.append(question)
        if record.answer is not None:
            self._problems.append((question, self._problem(record, record.answer)))

    @property
    def shared_questions(self) -> int:
        """Validation records whose question, word for word, is also in the training split."""
        return sum(question in self._train for question in self._validation)

    def problems(self) -> tuple[Problem, ...]:
        """Each question once, without those of the training split."""
        unseen = {question: problem for question, problem in reversed(self._problems) if question not in self._train}
        return tuple(reversed(unseen.values()))

    def _problem(self, record: Record, answer: str) -> Problem:
        prompt = "".join(prompt_pieces(record, self.template))
        return Problem(prompt, turn_text(record.turns[-1], self.template), answer, record.hops, record.family)
