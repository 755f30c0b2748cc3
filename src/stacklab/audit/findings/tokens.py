"""Tokens per epoch against the stated corpus."""

from collections.abc import Sequence

from stacklab.audit.reading.log import Epoch, Log
from stacklab.audit.spec import Finding, Numbers, Severity, Stated


def token_findings(stated: Stated, logs: Sequence[Log]) -> list[Finding]:
    """steps x batch x block / epochs, from the stated numbers, and the steps of an epoch as the logs count them."""
    findings = [_tokens(stated, logs), *(_epochs(log, stated) for log in logs)]
    return [finding for finding in findings if finding is not None]


def stated_steps(stated: Stated, logs: Sequence[Log]) -> int | None:
    """Optimiser steps of a run: as stated, else as planned in a log, else None."""
    planned = (log.planned_steps for log in logs if log.planned_steps and log.unit == "step")
    return stated.training.steps or next(planned, None)


def _tokens(stated: Stated, logs: Sequence[Log]) -> Finding | None:
    training = stated.training
    block, steps = training.block_size or stated.model.context_length, stated_steps(stated, logs)
    if not (block and steps and training.batch_size and training.epochs):
        return None
    seen = steps * training.batch_size * block
    epoch = seen / training.epochs
    numbers: Numbers = {"tokens_seen": seen, "tokens_per_epoch": epoch}
    words = (
        f"{steps:,} steps of {training.batch_size} x {block:,} tokens over {training.epochs} epochs are {epoch:,.0f} "
        "tokens per epoch"
    )
    severity: Severity = "note"
    corpus = training.corpus_tokens
    if corpus is not None and corpus.value:
        share = epoch / corpus.value
        numbers |= {"stated_tokens": corpus.value, "share_of_stated": share} | _others(stated, epoch, block)
        severity = "agreement" if corpus.admits(epoch) or abs(share - 1) < 0.02 else "contradiction"
        words += f", {share:.0%} of the {corpus.value:,.0f} stated" + _explain(numbers)
    return Finding(
        kind="tokens-per-epoch",
        group="data",
        severity=severity,
        subject="training data",
        sentence=f"{words}.",
        numbers=numbers,
    )


def _steps_per_epoch(epochs: Sequence[Epoch]) -> tuple[float, float] | None:
    """The limits of n. Whole epochs counted from 1 are ceil(step / n), from 0 floor(step / n) with steps counted from 0
    or 1; those with decimals are step / n, rounded or cut. None with fewer than two epochs."""
    pairs = [(each.step, each.value) for each in epochs]
    if len(pairs) < 2 or pairs[-1][1] - min(1, pairs[0][1]) < 1:
        return None
    decimals = max(each.decimals for each in epochs)
    if decimals > 0:
        unit = 10.0**-decimals
        low = max(step / (epoch + unit) for step, epoch in pairs)
        return low, min((step / (epoch - unit) for step, epoch in pairs if epoch > unit), default=low)
    if pairs[0][1] < 1:
        low = max((step - 1) / (epoch + 1) for step, epoch in pairs)
        return low, min(step / epoch for step, epoch in pairs if epoch)
    pairs = [(step, epoch) for step, epoch in pairs if step >= 1]
    low = max(step / epoch for step, epoch in pairs)
    return low, min((step / (epoch - 1) for step, epoch in pairs if epoch > 1), default=pairs[-1][0])


def _others(stated: Stated, epoch: float, block: int) -> dict[str, float]:
    """Tokens per epoch under other readings of the stated numbers."""
    others = {}
    if stated.training.devices and stated.training.devices > 1:
        others["if_batch_is_per_device"] = epoch * stated.training.devices
    if stated.model.context_length and stated.model.context_length != block:
        others["if_block_is_context"] = epoch * stated.model.context_length / block
    return others


def _explain(numbers: Numbers) -> str:
    readings = {"if_batch_is_per_device": "a batch per device", "if_block_is_context": "blocks of the stated context"}
    near = [f"{numbers[name]:,.0f} with {words}" for name, words in readings.items() if name in numbers]
    return f" ({', '.join(near)})" if near else ""


def _epochs(log: Log, stated: Stated) -> Finding | None:
    """Steps per epoch that agree with every logged pair of step and epoch."""
    between = _steps_per_epoch(log.epochs)
    if between is None:
        return None
    low, high = between
    if low >= high:
        return None
    training = stated.training
    expected = training.steps / training.epochs if training.steps and training.epochs else None
    agrees = expected is None or low <= expected <= high
    words = f"The logged epochs imply {low:.4g} to {high:.4g} steps per epoch"
    if expected is not None:
        words += f"; the stated numbers imply {expected:.4g}"
    numbers: Numbers = {"low": low, "high": high}
    if expected is not None:
        numbers["stated"] = expected
    return Finding(
        kind="steps-per-epoch",
        group="data",
        severity=("agreement" if expected is not None else "note") if agrees else "contradiction",
        subject=log.name,
        sentence=f"{words}.",
        numbers=numbers,
    )
