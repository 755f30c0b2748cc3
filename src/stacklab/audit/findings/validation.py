"""Validation losses: best against final, of one log and of two; and training against validation gaps."""

from stacklab.audit.findings.trend import Noise, detrend
from stacklab.audit.reading.log import Log, Reading, at_common_steps
from stacklab.audit.spec import Finding, Numbers

# Validation curves bend for longer than training losses, whose noise hides the bend.
START = 0.4
TIED = 0.01
"""Nats. Less than this counts as tied where the noise of the logs is unknown."""


def overfitting_finding(log: Log) -> Finding | None:
    """How far the last validation loss lies above the best one. None without validation losses."""
    readings = log.series.get("validation", ())
    if not readings:
        return None
    best, last = _best(log), readings[-1]
    rise, noise = last.value - best.value, _noise(log, log)
    numbers: Numbers = {"best": best.value, "best_step": best.step, "final": last.value, "final_step": last.step}
    numbers |= {"rise": rise, "noise": noise}
    if best.step == last.step:
        sentence = f"The last validation loss, {last.value:.4f} at step {last.step:,}, is the best one."
    else:
        verdict = f"it overfits after step {best.step:,}" if rise > noise else f"within the noise of {noise:.2g}"
        sentence = (
            f"Validation is best at step {best.step:,} ({best.value:.4f}) and {rise:.4f} nats worse at the end "
            f"({last.value:.4f} at step {last.step:,}): {verdict}."
        )
    return Finding(
        kind="overfitting",
        group="validation loss",
        severity="caution" if rise > noise else "note",
        subject=log.name,
        sentence=sentence,
        numbers=numbers,
    )


def best_finding(first: Log, second: Log) -> Finding | None:
    """Best validation of two logs, and the last one at a step that both have. None without validation losses."""
    common = at_common_steps(first, second, "validation")
    if not common.steps:
        return None
    left, right = _best(first), _best(second)
    best_gap, final_gap = right.value - left.value, common.second[-1] - common.first[-1]
    margin = _noise(first, second)
    tied = abs(best_gap) <= margin
    numbers: Numbers = {
        "best_first": left.value,
        "best_first_step": left.step,
        "best_second": right.value,
        "best_second_step": right.step,
        "best_gap": best_gap,
        "final_gap": final_gap,
        "final_step": common.steps[-1],
        "tied_within": margin,
    }
    words = "are tied" if tied else f"differ by {abs(best_gap):.4f} nats"
    worse = second.name if final_gap > 0 else first.name
    sentence = (
        f"The best validation losses {words} ({left.value:.4f} at step {left.step:,}, {right.value:.4f} at step "
        f"{right.step:,}); at step {common.steps[-1]:,} {worse} is {abs(final_gap):.4f} nats worse."
    )
    return Finding(
        kind="best-validation",
        group="validation loss",
        severity="caution" if tied and abs(final_gap) > margin else "note",
        subject=f"{second.name} - {first.name}",
        sentence=sentence,
        numbers=numbers,
    )


def apart_finding(first: Log, second: Log) -> Finding | None:
    """The two gaps, on training and on validation text, at the last step with both. None where either is missing."""
    train, valid = (at_common_steps(first, second, metric) for metric in ("train", "validation"))
    steps = sorted(set(train.steps) & set(valid.steps))
    if not steps:
        return None
    at = steps[-1]
    train_gap = train.second[train.steps.index(at)] - train.first[train.steps.index(at)]
    valid_gap = valid.second[valid.steps.index(at)] - valid.first[valid.steps.index(at)]
    opposed = train_gap * valid_gap < 0
    words = (
        "the two disagree, so the training loss does not stand for the loss on unseen text"
        if opposed
        else "the two agree in direction"
    )
    return Finding(
        kind="train-against-validation",
        group="validation loss",
        severity="caution" if opposed else "agreement",
        subject=f"{second.name} - {first.name}",
        sentence=f"At step {at:,} the difference is {train_gap:+.2f} nats on training text and {valid_gap:+.4f} on "
        f"validation text: {words}.",
        numbers={"step": at, "train_gap": train_gap, "validation_gap": valid_gap},
    )


def _best(log: Log) -> Reading:
    return min(log.series["validation"], key=lambda reading: reading.value)


def _noise(first: Log, second: Log) -> float:
    """Twice the spread of a difference of two validation losses, or a fixed margin."""
    noises = []
    for log in (first, second):
        steps, values = zip(*log.series["validation"], strict=True)
        noises.append(detrend(steps, values, start=START))
    spreads = [noise.spread for noise in noises if isinstance(noise, Noise)]
    return 2 * sum(spread**2 for spread in spreads) ** 0.5 if len(spreads) == 2 else TIED
