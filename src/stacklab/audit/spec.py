"""Stated numbers, and the findings of an audit. No torch here."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, NonNegativeFloat, PositiveFloat, PositiveInt

from stacklab.base.spec import Items, Spec, Text
from stacklab.stats.result import Result

UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000, "g": 1_000_000_000}

Kind = Literal[
    "log-steps-missing",
    "log-not-finite",
    "log-truncated",
    "log-damaged",
    "log-repeated",
    "log-unread",
    "log-aside",
    "log-carried",
    "log-units",
    "log-short",
    "no-log",
    "parameters-stated",
    "parameters-reproduced",
    "file-size",
    "control-width",
    "noise",
    "last-gap",
    "data-order",
    "best-validation",
    "overfitting",
    "train-against-validation",
    "tokens-per-epoch",
    "steps-per-epoch",
    "seeds",
    "seeds-difference",
    "loop-noise",
    "loop-kept",
    "loop-minimum",
    "loop-best",
    "loop-seeds",
]

Group = Literal["log", "size", "training loss", "validation loss", "data", "seeds", "kept changes"]

Severity = Literal["contradiction", "caution", "agreement", "note"]


Numbers = dict[str, int | float | str]


class Printed(Spec):
    """A number as it was printed: any true value within `half`, half a unit of the last digit, prints the same."""

    value: NonNegativeFloat
    half: NonNegativeFloat

    def admits(self, value: float) -> bool:
        # The sum of two decimals such as 12.34e6 and 0.005e6 is off by a rounding error.
        return abs(value - self.value) <= self.half * (1 + 1e-9)


def parse_printed(text: str) -> Printed | None:
    """`12.34 M`, `50k`, `49.36 MB` or `12,340,000`; None for any other text.

    >>> parse_printed("12.34 M")
    Printed(value=12340000.0, half=5000.0)
    """
    match = re.fullmatch(r"\s*(\d{1,15}(?:,\d{3})*)(?:\.(\d{1,9}))?\s*([kKmMbBgG]?)B?\s*", text)
    if match is None:
        return None
    whole, decimals, unit = match[1].replace(",", ""), match[2] or "", UNITS[match[3].lower()]
    exact = unit == 1 and not decimals
    half = 0.0 if exact else 0.5 * unit / 10 ** len(decimals)
    return Printed(value=round(float(f"{whole}.{decimals or 0}") * unit, 6), half=half)


def _printed(value: Any) -> Any:
    """A whole number is exact; a text keeps its precision. A float is refused, since its precision is not known."""
    if isinstance(value, bool | float):
        raise ValueError(f"got {value}; write a whole number, or a text with its unit such as '12.34 M'")
    if isinstance(value, int | str):
        printed = parse_printed(str(value))
        if printed is None:
            raise ValueError(f"got {value!r}; expected a number such as 12340000 or '12.34 M'")
        return printed
    return value


PrintedNumber = Annotated[Printed, BeforeValidator(_printed)]


Counted = Literal["all", "without_positions", "without_head", "without_tables", "without_embeddings"]
"""What a printed count leaves out. Tables: of tokens and positions; embeddings: the tables and an untied head."""

LinearBias = Literal["none", "query_key_value", "all"]


class StatedModel(Spec):
    """The architecture as stated. None means that nothing was stated.

    linear_bias: of all linear maps, of none, or of those to queries, keys and values. counted: what the printed counts
    contain.
    """

    tokenizer: Text | None = None
    vocab_size: PositiveInt | None = None
    d_model: PositiveInt | None = None
    d_ff: PositiveInt | None = None
    num_heads: PositiveInt | None = None
    num_kv_heads: PositiveInt | None = None
    feed_forward: Literal["plain", "gated"] | None = None
    position: Literal["learned", "sinusoidal", "rotary", "none"] | None = None
    norm: Literal["layer", "rms"] | None = None
    context_length: PositiveInt | None = None
    linear_bias: bool | Literal["query_key_value"] | None = None
    tie_embeddings: bool | None = None
    final_norm: bool | None = None
    counted: Counted | None = None


class StatedTraining(Spec):
    """Training and its data as stated. `devices` is the number of accelerators that a batch was split over."""

    block_size: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    corpus_tokens: PrintedNumber | None = None
    devices: PositiveInt | None = None
    seeds: PositiveInt | None = None


class StatedArm(Spec):
    """One row of the table of models. file_size: of the saved weights, in bytes; M is 10^6. logs: files of its runs."""

    name: Text
    num_layers: PositiveInt | None = None
    parameters: PrintedNumber | None = None
    file_size: PrintedNumber | None = None
    logs: Items[Text] = ()


def _arms(value: Any) -> Any:
    """`{deep: [deep_1.log, deep_2.log]}` as a list of arms with their logs."""
    if not isinstance(value, dict):
        return value
    return [{"name": name, **(rest if isinstance(rest, dict) else {"logs": rest})} for name, rest in value.items()]


class Stated(Spec):
    """All stated numbers. control_width: the d_model proposed for a control as shallow as the first depth and as large
    as the last. claim: what the text concludes. rerun_noise: the standard deviation of a rerun's loss, in the
    unit of the table that a loop keeps."""

    claim: Text | None = None
    model: StatedModel = StatedModel()
    training: StatedTraining = StatedTraining()
    arms: Annotated[Items[StatedArm], BeforeValidator(_arms)] = ()
    control_width: PositiveInt | None = None
    rerun_noise: PositiveFloat | None = None


class Finding(Spec):
    """One finding. `numbers` are those behind the sentence; `result` is the statistic, where there is one."""

    kind: Kind
    group: Group
    severity: Severity
    subject: Text
    sentence: Text
    numbers: Numbers = Field(default_factory=dict)
    result: Result | None = None


class LogSummary(Spec):
    """What was read of one log: logged points by kind of loss, and the last step, or where else the log counts; its
    arm, and its seed if known."""

    name: Text
    source: Text
    points: dict[str, int]
    last_step: int | float
    unit: Text = "step"
    arm: str = ""
    seed: str = ""


class Audit(Spec):
    """The result of an audit, as stored by `stacklab audit --out`."""

    format: Literal[1] = 1
    files: Items[Text]
    logs: Items[LogSummary]
    stated: Stated
    conclusion: str = ""
    """Whether the numbers carry the claim; empty in files of earlier versions."""
    findings: Items[Finding]
