"""Printed parameter counts and file sizes against the stated settings, and the settings that reproduce them."""

import math
from collections.abc import Iterable, Sequence

from stacklab.audit.findings.settings import (
    Reproduction,
    admits,
    counted_arms,
    reproductions,
    stated_settings,
    variations,
    with_counts,
)
from stacklab.audit.spec import Finding, Numbers, Printed, Stated, StatedArm
from stacklab.base.units import count

SHOWN = 3
WIDTHS = (1, 2, 4, 8, 12, 16)
"""Bytes per parameter: 8, 16 and 32-bit weights, 64-bit ones, 32-bit weights with two moments, and with gradients."""
CLOSE = 0.005


def chosen_setting(stated: Stated) -> Reproduction | None:
    """The setting that the audit assumes: one that reproduces the printed counts, else the nearest as stated."""
    arms = counted_arms(stated)
    if not arms:
        return None
    as_stated = _as_stated(stated, arms)
    return as_stated if admits(as_stated, arms) else next(iter(reproductions(stated, arms)), as_stated)


def parameter_findings(stated: Stated) -> list[Finding]:
    """Whether the stated settings reproduce the printed counts, and if not, which variations do."""
    arms = counted_arms(stated)
    if not arms:
        return []
    as_stated = _as_stated(stated, arms)
    agrees = admits(as_stated, arms)
    verb = "reproduce the printed counts" if agrees else "do not reproduce the printed counts"
    printed = _list(_text(arm.parameters) for arm in arms if arm.parameters is not None)
    finding = Finding(
        kind="parameters-stated",
        group="size",
        severity="agreement" if agrees else "contradiction",
        subject="parameters",
        sentence=f"The stated settings ({as_stated.setting.words()}) {verb}: they have "
        f"{_list(map(count, as_stated.counts))} parameters; printed are {printed}.",
        numbers=_counts(as_stated, arms) | {f"printed_{arm.num_layers}_layers": _printed(arm) for arm in arms},
    )
    return [finding] if agrees else [finding, _reproduced(stated, arms)]


def size_findings(stated: Stated) -> list[Finding]:
    """Bytes of the saved weights against the parameters, arm by arm."""
    chosen = chosen_setting(stated)
    counts = dict(zip((arm.num_layers for arm in counted_arms(stated)), chosen.counts, strict=True)) if chosen else {}
    sized = [arm for arm in stated.arms if arm.file_size is not None and arm.file_size.value]
    return [_size(arm, counts[arm.num_layers]) for arm in sized if arm.num_layers in counts]


def _as_stated(stated: Stated, arms: Sequence[StatedArm]) -> Reproduction:
    """Where the text leaves a choice open, the one nearer to the printed counts."""
    tried = [with_counts(setting, stated, arms) for setting in stated_settings(stated)]
    return min(tried, key=lambda one: sum(abs(a - _printed(b)) for a, b in zip(one.counts, arms, strict=True)))


def _reproduced(stated: Stated, arms: Sequence[StatedArm]) -> Finding:
    matches, tried = reproductions(stated, arms), len(variations(stated))
    if not matches:
        return Finding(
            kind="parameters-reproduced",
            group="size",
            severity="caution",
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
    if best.setting.tied:
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


def _printed(arm: StatedArm) -> float:
    assert arm.parameters is not None, "counted arms have a count"
    return arm.parameters.value


def _text(printed: Printed) -> str:
    """The count with the digits that were printed."""
    if not printed.half:
        return f"{printed.value:,.0f}"
    return f"{printed.value / 1e6:.{max(0, round(-math.log10(2 * printed.half / 1e6)))}f} M"


def _list(texts: Iterable[str]) -> str:
    return " and ".join(texts)
