"""What an automatic research loop's kept changes show, where a change is kept if one run of it is the lowest so far."""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from stacklab.audit.findings.rerun import DRAWS, EXACT, Spread, chance_leads, expected_rerun, largest_of
from stacklab.audit.findings.seeds import LEVEL
from stacklab.audit.reading.results import Loop, Try
from stacklab.audit.spec import Finding, Kind, Numbers, Severity
from stacklab.base.units import confidence
from stacklab.stats.comparison import COMPARISONS
from stacklab.stats.needed import seeds_for_effect
from stacklab.stats.result import Estimate, Result, Undefined

SHOWN = 5


class Gain(NamedTuple):
    """A kept change and by how much it is below the state that it changed."""

    change: Try
    size: float


def loop_findings(loop: Loop, noise: Spread | Undefined, *, stated_noise: float | None) -> list[Finding]:
    """Noise of a rerun, kept changes within it, the minimum that chance makes, the best's rerun, changes for seeds."""
    if isinstance(noise, Undefined):
        return [_unknown_noise(loop, noise)]
    return [
        _noise_finding(loop, noise, stated_noise),
        _kept(loop, noise),
        _minimum(loop, noise),
        _best(loop, noise),
        _for_seeds(loop, noise),
    ]


def _gains(loop: Loop) -> list[Gain]:
    kept = [one for one in loop.tries if one.kept and one.value is not None]
    pairs = pairwise(kept)
    return [Gain(after, before.value - after.value) for before, after in pairs if before.value and after.value]


def _margin(noise: Spread) -> float:
    """The difference of two single runs that noise alone exceeds with a probability of 5%."""
    from scipy import stats

    return float(stats.t.ppf(1 - LEVEL / 2, noise.freedom)) * noise.sigma * math.sqrt(2)


def _unknown_noise(loop: Loop, noise: Undefined) -> Finding:
    values = loop.values
    lead = values[0] - min(values)
    explains = lead / largest_of(len(values)) if len(values) > 1 else 0.0
    sentence = (
        f"The noise of a rerun is not known: {noise.reason}. A noise of {explains:.2g} would account for the "
        f"whole lead of {lead:.2g} over the baseline by {len(values)} tries. Run one commit again at least three times."
    )
    numbers: Numbers = {"tries": len(values), "lead": lead, "noise_that_explains_it": explains}
    return _finding("loop-noise", loop, sentence, numbers, "caution", noise)


def _noise_finding(loop: Loop, noise: Spread, stated: float | None) -> Finding:
    if noise.freedom == EXACT:
        sentence = f"{loop.metric} of a rerun scatters by {noise.sigma:.2g}, as stated."
    else:
        runs = sum(len(one.reruns) for one in loop.tries)
        sentence = f"{loop.metric} of a rerun scatters by {noise.sigma:.2g}, from {runs} reruns."
        sentence += f" Stated is {stated:.2g}." if stated is not None else ""
    return _finding("loop-noise", loop, sentence, {"sigma": noise.sigma, "freedom": noise.freedom}, "note")


def _kept(loop: Loop, noise: Spread) -> Finding:
    gains, margin, tries = _gains(loop), _margin(noise), len(loop.values)
    within = [gain for gain in gains if gain.size < margin]
    # The k-th of equally good tries is the lowest so far with probability 1/k (Renyi 1962).
    by_chance = sum(1 / k for k in range(2, tries + 1))
    sentence = (
        f"{len(within)} of {len(gains)} kept changes lie within the noise: they lower {loop.metric} by less than "
        f"{margin:.2g}, by which two runs of the same code differ in 1 of 20 cases. If no change did anything, "
        f"{by_chance:.1f} of {tries - 1} tries would be kept."
    )
    numbers: Numbers = {"kept": len(gains), "within_noise": len(within), "margin": margin, "tries": tries - 1}
    numbers["kept_by_chance"] = by_chance
    return _finding("loop-kept", loop, sentence, numbers, "caution" if within else "agreement")


def _minimum(loop: Loop, noise: Spread) -> Finding:
    import numpy as np

    values = loop.values
    lead = values[0] - min(values)
    leads = chance_leads(len(values), noise) * noise.sigma
    expected = noise.sigma * largest_of(len(values))
    high = float(np.quantile(leads, 1 - LEVEL))
    p = (1 + int((leads >= lead).sum())) / (1 + DRAWS)
    sentence = (
        f"The lowest {loop.metric} of {len(values)} tries is {min(values):.6g}, {lead:.2g} below the baseline. If no "
        f"change did anything, it would be {expected:.2g} below it on average and less than {high:.2g} in 19 of 20 "
        f"loops (p = {p:.2g})."
    )
    numbers: Numbers = {"baseline": values[0], "lowest": min(values), "lead": lead, "lead_by_chance": expected}
    numbers |= {"lead_by_chance_high": high, "p": p}
    return _finding("loop-minimum", loop, sentence, numbers, "caution" if p > LEVEL else "agreement")


def _best(loop: Loop, noise: Spread) -> Finding:
    kept = [one for one in loop.tries if one.kept and one.value is not None]
    last = kept[-1]
    assert last.value is not None, "kept rows have values"
    middle, spread = expected_rerun(loop, noise)
    from scipy import stats

    half = float(stats.norm.ppf(1 - LEVEL / 2)) * spread
    result = Estimate(
        value=middle,
        low=middle - half,
        high=middle + half,
        level=1 - LEVEL,
        n=len(loop.values),
        method="posterior of the kept code's mean, with the noise of a rerun",
    )
    sentence = (
        f"The last kept run, {last.name}, has {last.value:.6g}; a rerun of it is expected at {middle:.6g} "
        f"({confidence(result.level)} interval {result.low:.6g} to {result.high:.6g}), {middle - last.value:+.2g}, "
        "because the lowest of several runs is low by chance as well."
    )
    numbers: Numbers = {"printed": last.value, "expected": middle, "loss": middle - last.value}
    return _finding("loop-best", loop, sentence, numbers, "note", result)


def _for_seeds(loop: Loop, noise: Spread) -> Finding:
    margin = _margin(noise)
    unsure = sorted((gain for gain in _gains(loop) if 0 < gain.size < margin), key=lambda gain: -gain.size)
    if not unsure:
        return _finding("loop-seeds", loop, "No kept change lies within the noise.", {"changes": 0}, "note")
    by = COMPARISONS["unpaired"]
    shown = []
    for gain in unsure[:SHOWN]:
        runs = seeds_for_effect(by, gain.size / noise.sigma, level=LEVEL, power=0.8)
        each = f"{runs} runs each" if runs else "more runs than can be computed"
        shown.append(f"{gain.change.name} ({gain.size:.2g}, {each})")
    sentence = (
        f"Kept changes that deserve seeds, with the runs of it and of the code before it that would show its printed "
        f"size with a power of 80%: {_joined(shown, len(unsure))}."
    )
    return _finding("loop-seeds", loop, sentence, {"changes": len(unsure)}, "note")


def _joined(shown: Sequence[str], all_of_them: int) -> str:
    rest = all_of_them - len(shown)
    return "; ".join(shown) + (f"; and {rest} more" if rest else "")


def _finding(
    kind: Kind, loop: Loop, sentence: str, numbers: Numbers, severity: Severity, result: Result | None = None
) -> Finding:
    return Finding(
        kind=kind,
        group="kept changes",
        severity=severity,
        subject=loop.name,
        sentence=sentence,
        numbers=numbers,
        result=result,
    )
