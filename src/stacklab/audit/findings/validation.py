"""Validation losses: best against final, of one log and of two; and training against validation gaps."""

from stacklab.audit.findings.trend import Noise, detrend
from stacklab.audit.reading.log import Log, Metric, Reading, at_common_steps, unit_of
from stacklab.audit.spec import Finding, Numbers

# Validation curves bend for longer than training losses, whose noise hides the bend.
START = 0.4
FUZZ = 1e-9
TIED = 0.01
"""Nats, bits, or the share of a perplexity. Less than this counts as tied where the noise of the logs is unknown."""


def overfitting_finding(log: Log, metric: Metric = "validation") -> Finding | None:
    """How far the last value of a validation measure lies above the best one. None for a log without it."""
    readings = log.series.get(metric)
    if not readings:
        return None
    best, last, unit = _best(log, metric), readings[-1], _unit(metric)
    rise, noise = last.value - best.value, _noise(log, log, metric)
    numbers: Numbers = {"best": best.value, "best_step": best.step, "final": last.value, "final_step": last.step}
    numbers |= {"rise": rise, "noise": noise, "half_digit": log.half(metric)}
    known = 2 * log.half(metric)
    final = f"{log.printed(metric, last.value)} at {log.at(last.step)}"
    if best.step == last.step:
        sentence = f"The last {_words(metric)}, {final}, is the best one."
    elif rise <= known * (1 - FUZZ):
        sentence = (
            f"The last {_words(metric)}, {final}, equals the best one at {log.at(best.step)} to its printed digits."
        )
    else:
        shown = log.printed(metric, best.value)
        verdict = f"it overfits after {log.at(best.step)}" if rise > noise else f"within the noise of {noise:.2g}"
        sentence = (
            f"{_upper(_words(metric, 'Validation'))} is best at {log.at(best.step)} ({shown}) "
            f"and {log.printed(metric, rise)}{unit} worse at the end ({final}): {verdict}."
        )
    return Finding(
        kind="overfitting",
        group="validation loss",
        severity="caution" if rise > noise else "note",
        subject=log.name,
        sentence=sentence,
        numbers=numbers,
    )


def best_finding(first: Log, second: Log, metric: Metric = "validation") -> Finding | None:
    """Best validation of two logs, and the last one at a step that both have. None without validation losses."""
    common = at_common_steps(first, second, metric)
    if not common.steps:
        return None
    left, right, unit = _best(first, metric), _best(second, metric), _unit(metric)
    best_gap, final_gap = right.value - left.value, common.second[-1] - common.first[-1]
    margin = _noise(first, second, metric)
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
        "half_digit": common.half,
    }
    words = "are tied" if tied else f"differ by {abs(best_gap):.4f}{unit}"
    worse = second.name if final_gap > 0 else first.name
    final = (
        f"{worse} is {abs(final_gap):.4f}{unit} worse"
        if abs(final_gap) > common.half
        else f"their printed digits show no difference (±{common.half:.2g})"
    )
    ends = [
        f"{log.printed(metric, best.value)} at {log.at(best.step)}" for log, best in ((first, left), (second, right))
    ]
    sentence = (
        f"The best {_words(metric, 'validation losses')} {words} ({ends[0]}, {ends[1]}); "
        f"at {first.at(common.steps[-1])} {final}."
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
    seen = abs(train_gap) > train.half and abs(valid_gap) > valid.half
    opposed = seen and train_gap * valid_gap < 0
    words = (
        "the two disagree, so the training loss does not stand for the loss on unseen text"
        if opposed
        else "the two agree in direction"
        if seen
        else "the printed digits do not show the direction of both"
    )
    return Finding(
        kind="train-against-validation",
        group="validation loss",
        severity="caution" if opposed else "agreement" if seen else "note",
        subject=f"{second.name} - {first.name}",
        sentence=f"At {first.at(at)} the difference is {train_gap:+.2f} nats on training text and {valid_gap:+.4f} on "
        f"validation text: {words}.",
        numbers={"step": at, "train_gap": train_gap, "validation_gap": valid_gap},
    )


def _best(log: Log, metric: Metric) -> Reading:
    return min(log.series[metric], key=lambda reading: reading.value)


def _noise(first: Log, second: Log, metric: Metric) -> float:
    """Twice the spread of a difference of two validation losses, or a fixed margin; and what the printed digits leave
    open."""
    noises = []
    for log in (first, second):
        steps, values = zip(*log.series[metric], strict=True)
        noises.append(detrend(steps, values, start=START))
    spreads = [noise.spread for noise in noises if isinstance(noise, Noise)]
    margin = TIED * (_best(first, metric).value if unit_of(metric) == "perplexity" else 1)
    known = first.half(metric) + second.half(metric)
    return (2 * sum(spread**2 for spread in spreads) ** 0.5 if len(spreads) == 2 else margin) + known


def _words(metric: Metric, loss: str = "validation loss") -> str:
    """The measure in words; `loss` is the word for one in nats."""
    return loss if metric == "validation" else f"validation {unit_of(metric)}"


def _unit(metric: Metric) -> str:
    return "" if unit_of(metric) == "perplexity" else f" {unit_of(metric)}"


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
