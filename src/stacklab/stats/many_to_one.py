"""Many arms against one control, with one error level for all comparisons."""

import warnings
from collections.abc import Mapping, Sequence

from stacklab.base.spec import Spec
from stacklab.base.streams import numpy_stream
from stacklab.stats.check import no_spread, not_finite, too_few
from stacklab.stats.result import Estimate, PValue, Result, Tested, Undefined

METHOD = "Dunnett, unpaired"


class Compared(Spec):
    """One arm against the control: the adjusted p value, and the difference with its simultaneous interval."""

    p: Tested
    difference: Result


def dunnett(arms: Mapping[str, Sequence[float]], control: Sequence[float], *, level: float) -> dict[str, Compared]:
    """Every arm minus the control, two-sided, with family-wise error `level` (Dunnett 1955).

    It takes the values as independent with one variance for all arms and ignores the pairing by seed, which costs power
    where paired runs correlate. An arm that cannot be judged is Undefined and leaves the family. The integration is
    seeded, so equal values have equal p.
    """
    problems = {name: _problem(values) for name, values in arms.items()}
    if reason := _problem(control):
        problems = dict.fromkeys(arms, f"the control {reason}")
    kept = [name for name, problem in problems.items() if not problem]
    if kept and all(no_spread(values) for values in (control, *(arms[name] for name in kept))):
        problems, kept = dict.fromkeys(arms, "no arm varies: no spread to judge by"), []
    judged = _judge({name: arms[name] for name in kept}, control, level) if kept else {}
    return {name: judged[name] if name in judged else _undefined(problems[name]) for name in arms}


def _judge(arms: Mapping[str, Sequence[float]], control: Sequence[float], level: float) -> dict[str, Compared]:
    from scipy import stats

    with warnings.catch_warnings():
        # An arm that does not vary has a variance of exactly 0, which scipy reports as lost precision.
        warnings.filterwarnings("ignore", message="Precision loss", category=RuntimeWarning)
        result = stats.dunnett(*arms.values(), control=control, rng=numpy_stream(0, "dunnett"))
    interval = result.confidence_interval(1 - level)
    centre = sum(control) / len(control)
    compared = {}
    for place, (name, values) in enumerate(arms.items()):
        count = len(values) + len(control)
        difference = Estimate(
            value=sum(values) / len(values) - centre,
            low=float(interval.low[place]),
            high=float(interval.high[place]),
            level=1 - level,
            n=count,
            method=METHOD,
        )
        # The integration has an error of about 1e-5, by which it may leave the range of a p value.
        p = min(max(float(result.pvalue[place]), 0.0), 1.0)
        compared[name] = Compared(p=PValue(p=p, n=count, method=METHOD), difference=difference)
    return compared


def _problem(values: Sequence[float]) -> str:
    return too_few(values, 2, what="values") or not_finite(values)


def _undefined(reason: str) -> Compared:
    return Compared(p=Undefined(reason=reason), difference=Undefined(reason=reason))
