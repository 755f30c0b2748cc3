"""Printed parameter counts and file sizes against the stated settings, and the settings that reproduce them."""

import math
from collections.abc import Iterable, Sequence

from stacklab.audit.findings.reproduce import (
    Reproduction,
    chosen_setting,
    counted_arms,
    is_complete,
    nearest,
    printed_count,
    reproductions,
    stated_settings,
    variations,
)
from stacklab.audit.findings.settings import CONVENTIONS
from stacklab.audit.spec import Finding, Numbers, Printed, Severity, Stated, StatedArm
from stacklab.base.units import count

SHOWN = 3
WIDTHS = (1, 2, 4, 8, 12, 16)
"""Bytes per parameter: 8, 16 and 32-bit weights, 64-bit ones, 32-bit weights with two moments, and with gradients."""
CLOSE = 0.005
NOT_COVERED = (
    "mixtures of experts, head sizes of their own, layers that differ, and tables beside those of tokens and positions"
)


def parameter_findings(stated: Stated) -> list[Finding]:
    """Whether settings that fit what is stated have the printed counts, and if none does, which variations do.

    A contradiction only where a departure from what is stated explains the counts: a stack may have parts that are not
    covered here.
    """
    arms = counted_arms(stated)
    if not arms:
        return []
    fitting = reproductions(stated, arms, stated_settings(stated))
    if fitting:
        return [_fits(fitting, stated, arms)]
    departing = reproductions(stated, arms, variations(stated))
    return [_differs(departing, stated, arms), _reproduced(departing, stated, arms)]


def _fits(fitting: Sequence[Reproduction], stated: Stated, arms: Sequence[StatedArm]) -> Finding:
    """An agreement where nothing unusual is assumed and the count is that of all parameters, else a note."""
    best, convention = fitting[0], fitting[0].setting.counted
    by_convention = convention != "all" and stated.model.counted is None
    open_choices = bool(best.assumed or best.padded)
    words = best.setting.words()
    start = f"What is stated leaves choices open; {words}" if open_choices else f"The stated settings ({words})"
    sentence = (
        f"{start} reproduce the printed counts: they have {_list(map(count, best.counts))} parameters; printed are "
        f"{_printed_counts(arms)}."
    )
    if convention != "all":
        sentence += f" That is the count {CONVENTIONS[convention][0]}; all parameters are "
        sentence += f"{_list(map(count, best.totals))}."
    numbers = _counts(best, arms) | _totals(best, arms) | {"vocab_size": best.setting.vocab_size}
    numbers |= {"positions": best.setting.positions, "counted": convention, "matches": len(fitting)}
    severity: Severity = "note" if by_convention or open_choices else "agreement"
    return _stated_finding(sentence, numbers, arms, severity)


def _differs(explained: Sequence[Reproduction], stated: Stated, arms: Sequence[StatedArm]) -> Finding:
    """No setting that fits has the printed counts. explained: those with a departure that have."""
    near, tried = nearest(stated, arms, explained), len(stated_settings(stated))
    sentence = (
        f"The stated settings ({near.setting.words()}) do not reproduce the printed counts: they have "
        f"{_list(map(count, near.counts))} parameters; printed are {_printed_counts(arms)}."
    )
    if not explained:
        sentence += (
            f" Nor do the other {tried - 1:,} stacks and ways of counting that fit what is stated. "
            f"Not covered are {NOT_COVERED}."
        )
    severity: Severity = "contradiction" if explained else "caution" if is_complete(stated.model) else "note"
    return _stated_finding(sentence, _counts(near, arms) | {"tried": tried}, arms, severity)


def _stated_finding(sentence: str, numbers: Numbers, arms: Sequence[StatedArm], severity: Severity) -> Finding:
    return Finding(
        kind="parameters-stated",
        group="size",
        severity=severity,
        subject="parameters",
        sentence=sentence,
        numbers=numbers | {f"printed_{arm.num_layers}_layers": printed_count(arm) for arm in arms},
    )


def size_findings(stated: Stated) -> list[Finding]:
    """Bytes of the saved weights against the parameters, arm by arm."""
    chosen = chosen_setting(stated)
    counts = dict(zip((arm.num_layers for arm in counted_arms(stated)), chosen.totals, strict=True)) if chosen else {}
    sized = [arm for arm in stated.arms if arm.file_size is not None and arm.file_size.value]
    return [_size(arm, counts[arm.num_layers]) for arm in sized if arm.num_layers in counts]


def _reproduced(matches: Sequence[Reproduction], stated: Stated, arms: Sequence[StatedArm]) -> Finding:
    tried = len(variations(stated))
    if not matches:
        return Finding(
            kind="parameters-reproduced",
            group="size",
            severity="note",
            subject="parameters",
            sentence=f"None of {tried} variations (tokenizer lengths, padding, positions, biases, tying, norms) "
            "reproduces the printed counts.",
            numbers={"tried": tried, "matches": 0},
        )
    best, others = matches[0], matches[1:]
    numbers: Numbers = _counts(best, arms) | {"tried": tried, "matches": len(matches)}
    numbers |= {"vocab_size": best.setting.vocab_size, "positions": best.setting.positions}
    sentence = (
        f"{best.setting.words().capitalize()} reproduce every printed count: "
        f"{_list(f'{total:,}' for total in best.counts)}."
    )
    if best.setting.tied and best.setting.counted == "all":
        low, high = _rows(best, stated, arms)
        numbers |= {"rows_low": low, "rows_high": high}
        sentence += f" Any two tables with {low:,} to {high:,} rows in total would too."
    if others:
        shown = "; ".join(other.setting.words() for other in others[:SHOWN])
        sentence += f" {len(others)} more of {tried} variations {'does' if len(others) == 1 else 'do'}: {shown}."
    return Finding(
        kind="parameters-reproduced",
        group="size",
        severity="note",
        subject="parameters",
        sentence=sentence,
        numbers=numbers,
    )


def _rows(match: Reproduction, stated: Stated, arms: Sequence[StatedArm]) -> tuple[int, int]:
    """Rows of the token and position tables together that the printed digits leave open."""
    width = stated.model.d_model
    assert width is not None, "counted arms have a width"
    rows = match.setting.vocab_size + match.setting.positions
    low, high = [], []
    for total, arm in zip(match.counts, arms, strict=True):
        assert arm.parameters is not None, "counted arms have a count"
        low.append(rows + (arm.parameters.value - arm.parameters.half - total) / width)
        high.append(rows + (arm.parameters.value + arm.parameters.half - total) / width)
    return math.ceil(max(low)), math.floor(min(high))


def _size(arm: StatedArm, parameters: int) -> Finding:
    assert arm.file_size is not None, "sized arms have a size"
    each = arm.file_size.value / parameters
    width = min(WIDTHS, key=lambda width: abs(each / width - 1))
    fits = abs(each / width - 1) < CLOSE
    excess = arm.file_size.value - width * parameters
    numbers: Numbers = {
        "printed_bytes": arm.file_size.value,
        "parameters": parameters,
        "bytes_per_parameter": each,
        "weights_bytes": width * parameters,
        "excess_bytes": excess,
        "printed_half": arm.file_size.half,
    }
    printed = f"{arm.file_size.value / 1e6:.2f} MB"
    if fits:
        sentence = (
            f"{printed} are {parameters:,} parameters of {width} bytes ({width * parameters / 1e6:.2f} MB) and "
            f"{excess / 1e3:+,.0f} kB (printed to within {arm.file_size.half / 1e3:,.0f} kB)."
        )
    else:
        sentence = f"{printed} are {each:.2f} bytes per parameter ({parameters:,}): no usual width of a number."
    return Finding(
        kind="file-size",
        group="size",
        severity="agreement" if fits else "caution",
        subject=arm.name,
        sentence=sentence,
        numbers=numbers,
    )


def _counts(match: Reproduction, arms: Sequence[StatedArm]) -> Numbers:
    return {f"count_{arm.num_layers}_layers": total for total, arm in zip(match.counts, arms, strict=True)}


def _totals(match: Reproduction, arms: Sequence[StatedArm]) -> Numbers:
    return {f"all_{arm.num_layers}_layers": total for total, arm in zip(match.totals, arms, strict=True)}


def _printed_counts(arms: Sequence[StatedArm]) -> str:
    return _list(_text(arm.parameters) for arm in arms if arm.parameters is not None)


def _text(printed: Printed) -> str:
    """The count with the digits that were printed."""
    if not printed.half:
        return f"{printed.value:,.0f}"
    return f"{printed.value / 1e6:.{max(0, round(-math.log10(2 * printed.half / 1e6)))}f} M"


def _list(texts: Iterable[str]) -> str:
    return " and ".join(texts)
