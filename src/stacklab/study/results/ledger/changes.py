"""What moved between two records of one comparison: in its meaning, and in its words alone."""

from collections.abc import Iterator
from typing import Any

from stacklab.base.text import cut
from stacklab.study.planning.contrast import pairing
from stacklab.study.results.ledger.entry import Experiment, Record, Side
from stacklab.study.spec.claim import ClaimSpec

MOST_SETTINGS = 6
"""Settings named in one sentence; the ledger has them all."""


def changes(before: Record, now: Record) -> list[str]:
    """What is claimed now and was not before, each with what it was. What an earlier version did not record counts as
    unchanged."""
    moved = list(_claim(before, now))
    if before.experiment is None or now.experiment is None:
        return moved
    return [*moved, *_design(before.experiment, now.experiment), *_arms(before.experiment, now.experiment)]


def rewordings(before: Record, now: Record) -> list[str]:
    """Words that changed while the meaning stayed, each with what it was."""
    was = before.stated.get("statement") if before.wording is None else before.wording
    texts = [f'reworded, it was "{was}"'] if was is not None and was != now.wording else []
    if before.experiment is None or now.experiment is None or _labels_exchanged(before.experiment, now.experiment):
        return texts
    for old, new in _sides(before.experiment, now.experiment):
        if old.name != new.name:
            texts.append(f"the arm {old.name} was renamed {new.name}")
        if old.label != new.label:
            texts.append(f'the label of {new.name} changed from "{old.label}" to "{new.label}"')
    return texts


def _sides(before: Experiment, now: Experiment) -> tuple[tuple[Side, Side], tuple[Side, Side]]:
    return (before.arm, now.arm), (before.against, now.against)


def _claim(before: Record, now: Record) -> Iterator[str]:
    renamed = (
        before.experiment is not None
        and now.experiment is not None
        and before.experiment.arm.identity == now.experiment.arm.identity
    )
    for key in sorted(now.stated):
        was = before.stated.get(key, _default(key))
        if was != now.stated[key] and not (key == "arm" and renamed):
            yield f"{key} from {was} to {now.stated[key]}"


def _default(key: str) -> Any:
    """A field that an earlier version did not have was at its default."""
    return ClaimSpec.model_fields[key].default if key in ClaimSpec.model_fields else None


def _design(before: Experiment, now: Experiment) -> Iterator[str]:
    if before.looks != now.looks:
        yield f"declared looks from {before.looks} to {now.looks}"
    if not _declared(before, now):
        yield f"seeds from {listed(before.seeds)} to {listed(now.seeds)}"
    if before.tuning != now.tuning:
        yield "the grid of learning rates"


def _declared(before: Experiment, now: Experiment) -> bool:
    """Whether the seeds are the same, or those of a later look that was declared."""
    return (
        before.looks == now.looks
        and before.look <= now.look
        and now.seeds[: len(before.seeds)] == before.seeds
        and len(now.seeds) * before.look == len(before.seeds) * now.look
    )


def listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds))


def _labels_exchanged(before: Experiment, now: Experiment) -> bool:
    """Whether an arm has the label that the other one had, so that the same sentence names the other arm."""
    return before.arm.label != before.against.label and (
        now.arm.label == before.against.label or now.against.label == before.arm.label
    )


def _arms(before: Experiment, now: Experiment) -> Iterator[str]:
    if _labels_exchanged(before, now):
        pairs = [f'{new.name} from "{old.label}" to "{new.label}"' for old, new in _sides(before, now)]
        yield f"labels exchanged, {', '.join(pairs)}, so that the sentence says something else"
    moved = before.arm.identity != now.arm.identity, before.against.identity != now.against.identity
    if not any(moved):
        return
    first, second = _moved(_settings(before), _settings(now)), _moved(before.settings, now.settings)
    exchanged = all(moved) and {before.arm.identity, before.against.identity} == {
        now.arm.identity,
        now.against.identity,
    }
    texts = [*_named(now, first, second), *_data(before, now)]
    what = "; ".join(texts) or "settings that are not recorded"
    yield f"the arms exchanged, {what}" if exchanged else what
    pairs = [pairing(one.path for one in each.differences) for each in (before, now)]
    if pairs[0] != pairs[1]:
        yield f"the comparison from {pairs[0]} to {pairs[1]}"


def _settings(of: Experiment) -> dict[str, Any]:
    """The effective settings of the arm."""
    return of.settings | {one.path: one.right for one in of.differences}


def _moved(before: dict[str, Any], now: dict[str, Any]) -> dict[str, str]:
    """Path -> change. A path that one of the two versions did not record is no change."""
    shared = sorted(before.keys() & now.keys())
    return {path: f"{path} from {before[path]} to {now[path]}" for path in shared if before[path] != now[path]}


def _named(now: Experiment, arm: dict[str, str], against: dict[str, str]) -> Iterator[str]:
    both = [text for path, text in arm.items() if against.get(path) == text]
    own = [text for text in arm.values() if text not in both]
    other = [text for text in against.values() if text not in both]
    for name, texts in (("both arms", both), (now.arm.name, own), (now.against.name, other)):
        if texts:
            more = f" and {len(texts) - MOST_SETTINGS} more settings" if len(texts) > MOST_SETTINGS else ""
            yield f"{name}: {cut(', '.join(texts[:MOST_SETTINGS]), 400)}{more}"


def _data(before: Experiment, now: Experiment) -> Iterator[str]:
    moved = {new.name: (old.data, new.data) for old, new in _sides(before, now) if old.data != new.data}
    tokenizer = "" if before.tokenizer == now.tokenizer else ", with another tokenizer"
    if len(moved) == 2 and len(set(moved.values())) == 1:
        moved = {"both arms": next(iter(moved.values()))}
    for name, (old, new) in moved.items():
        yield f"data of {name} from {old} to {new}{tokenizer}"
