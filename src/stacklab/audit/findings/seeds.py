"""What the number of runs per arm can support, and whether arms differ over their seeds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from stacklab.audit.arms import by_arm
from stacklab.audit.reading.log import METRICS, Log, Metric, at_common_steps
from stacklab.audit.spec import Finding, Numbers, Severity
from stacklab.base.units import confidence
from stacklab.stats.comparison import COMPARISONS, Pairing
from stacklab.stats.describe import mean_t
from stacklab.stats.multiplicity import adjust
from stacklab.stats.result import Estimate, PValue, Undefined
from stacklab.stats.verdict import Decision, Rule, Verdict, judge

LEVEL = 0.05
WORDS: dict[Verdict, str] = {
    "supported": "{other} is lower",
    "refuted": "{first} is lower",
    "inconclusive": "which is lower stays open",
}


def seed_findings(logs: Sequence[Log], *, stated_seeds: int | None) -> list[Finding]:
    """Runs per arm; the mean of an arm's last losses with Student's t interval; and the arms against the first one."""
    arms = by_arm(logs)
    if not arms:
        return []
    several = {arm: runs for arm, runs in arms.items() if len(runs) > 1}
    findings = [_limit(arms, stated_seeds)]
    findings += [_mean(arm, runs, metric) for arm, runs in several.items() for metric in _shared(runs)]
    return findings + _differences(several)


def pairing_of(arm: Sequence[Log], against: Sequence[Log]) -> Pairing:
    """Paired where both arms have the same known seeds, each once."""
    ours, theirs = ([log.seed for log in runs] for runs in (arm, against))
    known = all(ours) and len(set(ours)) == len(ours)
    return "paired" if known and sorted(ours) == sorted(theirs) else "unpaired"


def _limit(arms: Mapping[str, Sequence[Log]], stated: int | None) -> Finding:
    first, *others = arms.values()
    runs = min(map(len, arms.values()))
    paired = runs < 2 or all(pairing_of(other, first) == "paired" for other in others)
    by = COMPARISONS["paired" if paired else "unpaired"]
    smallest = by.smallest_p(runs)
    needed = next(n for n in range(1, 64) if by.smallest_p(n) <= LEVEL)
    test, unit = ("sign-flip test", "pairs of runs") if paired else ("permutation test", "runs per arm")
    result = Undefined(reason=f"needs 2 runs per arm, has {runs}") if runs < 2 else None
    if runs < 2:
        single = [arm for arm, logs in arms.items() if len(logs) == 1]
        few = "One run per arm" if len(single) == len(arms) else f"One run of {', '.join(single)}"
        sentence = (
            f"{few}: no interval over seeds and no p value is possible. The logs show the noise within a run "
            f"only, and seeds add to it. A {test} reaches p <= {LEVEL:g} from {needed} {unit}."
        )
    else:
        sentence = (
            f"At least {runs} runs per arm: the smallest two-sided p that a {test} can reach is {smallest:.3g}"
            f" ({needed} {unit} would reach {by.smallest_p(needed):.3g})."
        )
    if stated is not None and stated != runs:
        sentence += f" {stated} seeds are stated; there are logs of {runs}."
    names = ("smallest_sign_flip_p", "pairs_needed") if paired else ("smallest_permutation_p", "runs_needed")
    numbers: Numbers = {"arms": len(arms), "runs_per_arm": runs, names[0]: smallest, names[1]: needed}
    return Finding(
        kind="seeds",
        group="seeds",
        severity="caution" if runs < 2 else "note",
        subject="all arms",
        sentence=sentence,
        numbers=numbers,
        result=result,
    )


def _mean(arm: str, runs: Sequence[Log], metric: Metric) -> Finding:
    values = [log.series[metric][-1].value for log in runs]
    result = mean_t(values, level=LEVEL)
    assert isinstance(result, Estimate), "there are two runs or more"
    return Finding(
        kind="seeds",
        group="seeds",
        severity="note",
        subject=arm,
        sentence=f"The last {_named(metric)} over {len(values)} runs is {result.value:.4f} "
        f"({confidence(result.level)} CI {result.low:.4f} to {result.high:.4f}).",
        numbers={"mean": result.value, "runs": len(values)},
        result=result,
    )


def _differences(arms: Mapping[str, Sequence[Log]]) -> list[Finding]:
    """Each arm of several runs against the first, by every measure that all of them have.

    The first such measure in the order validation, train, batch decides whether a finding asks for caution.
    """
    if len(arms) < 2:
        return []
    shared = [metric for metric in METRICS if all(metric in _shared(runs) for runs in arms.values())]
    shared.sort(key=lambda metric: not metric.startswith("validation"))
    return [found for metric in shared for found in _by_metric(arms, metric, decides=metric == shared[0])]


def _by_metric(arms: Mapping[str, Sequence[Log]], metric: Metric, *, decides: bool) -> list[Finding]:
    first, *others = arms
    pairs = [_compare(first, other, arms, metric) for other in others]
    adjusted = adjust([pair.p for pair in pairs], method="holm")
    return [_difference(pair, p, len(pairs), decides=decides) for pair, p in zip(pairs, adjusted, strict=True)]


class _Pair(NamedTuple):
    """The runs of `other` and of `first` at the last step that all of them have; no values without such a step."""

    first: str
    other: str
    metric: Metric
    pairing: Pairing
    step: float
    values: tuple[list[float], list[float]]
    decision: Decision

    @property
    def p(self) -> float | None:
        return self.decision.test.p if isinstance(self.decision.test, PValue) else None


def _compare(first: str, other: str, arms: Mapping[str, Sequence[Log]], metric: Metric) -> _Pair:
    theirs, ours = arms[first], arms[other]
    pairing = pairing_of(ours, theirs)
    if pairing == "paired":
        theirs, ours = (sorted(runs, key=lambda log: log.seed) for runs in (theirs, ours))
    shared = set.intersection(*(set(at_common_steps(theirs[0], log, metric).steps) for log in (*theirs, *ours)))
    if not shared:
        missing = Undefined(reason=f"the runs have no step of {_named(metric)} in common")
        undecided = Decision("inconclusive", missing, None, missing)
        return _Pair(first, other, metric, pairing, 0, ([], []), undecided)
    step = max(shared)
    values = tuple([dict(log.series[metric])[step] for log in runs] for runs in (ours, theirs))
    decision = judge(*values, by=COMPARISONS[pairing], rule=Rule("lower", level=LEVEL))
    return _Pair(first, other, metric, pairing, step, (values[0], values[1]), decision)


def _difference(pair: _Pair, adjusted: float | None, comparisons: int, *, decides: bool) -> Finding:
    """adjusted: the p value after Holm's correction for the comparisons."""
    decision, (ours, theirs) = pair.decision, pair.values
    is_open = adjusted is None or adjusted > LEVEL
    numbers: Numbers = {"runs": len(ours), "runs_first": len(theirs), "pairing": pair.pairing}
    if not ours:
        sentence = f"The arms cannot be compared: {_interval(decision)}."
    else:
        gap = sum(ours) / len(ours) - sum(theirs) / len(theirs)
        paired = pair.pairing == "paired"
        runs = f"{len(ours)} pairs of equal seeds" if paired else f"{len(ours)} and {len(theirs)} runs, unpaired"
        words = WORDS["inconclusive" if is_open else decision.verdict].format(first=pair.first, other=pair.other)
        sentence = (
            f"At step {pair.step:,} the {_named(pair.metric)} differs by {gap:+.4f} over {runs} ({_interval(decision)}"
            f"{_p_text(decision, adjusted, comparisons)}): {words}."
        )
        numbers |= {"difference": gap, "step": pair.step}
        tests = {"p": pair.p, "p_adjusted": adjusted, "permutation_p": _permutation_p(pair)}
        numbers |= {name: p for name, p in tests.items() if p is not None}
    severity: Severity = "note" if not decides or not ours else "caution" if is_open else "agreement"
    return Finding(
        kind="seeds-difference",
        group="seeds",
        severity=severity,
        subject=f"{pair.other} - {pair.first}",
        sentence=sentence,
        numbers=numbers,
        result=decision.interval,
    )


def _permutation_p(pair: _Pair) -> float | None:
    permuted = COMPARISONS[pair.pairing].permutation(*pair.values)
    return permuted.p if isinstance(permuted, PValue) else None


def _interval(decision: Decision) -> str:
    if isinstance(decision.interval, Undefined):
        return decision.interval.reason
    low, high = decision.interval.low, decision.interval.high
    return f"{confidence(decision.interval.level)} CI {low:+.4f} to {high:+.4f}"


def _p_text(decision: Decision, adjusted: float | None, comparisons: int) -> str:
    if isinstance(decision.interval, Undefined) or adjusted is None:
        return ""
    correction = f" with Holm's correction for {comparisons} comparisons" if comparisons > 1 else ""
    return f", p = {adjusted:.2g}{correction}"


def _named(metric: Metric) -> str:
    return metric if " " in metric else f"{metric} loss"


def _shared(runs: Sequence[Log]) -> list[Metric]:
    return [metric for metric in runs[0].series if all(metric in log.series for log in runs)]
