"""What the numbers cannot show: the study's own limits, and those that follow from how it was run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stacklab.data.cover import coverage
from stacklab.data.spec import DataSpec
from stacklab.report.facts.contrasts import ContrastFact
from stacklab.report.facts.history import RunFact
from stacklab.report.facts.provenance import OrderFact, ProvenanceFact
from stacklab.stats.paired import smallest_sign_flip_p
from stacklab.stats.unpaired import smallest_permutation_p
from stacklab.study.planning.plan import Plan
from stacklab.study.results.tuning import ArmTuning, at_edge

FEW_PAIRS = 5
SAME_FOR_ALL = ("git", "processor", "gpu", "device", "precision", "compile", "dropout_masks", "world_size", "threads")


def limits(
    plan: Plan,
    *,
    runs: Sequence[RunFact],
    contrasts: Sequence[ContrastFact],
    orders: Sequence[OrderFact],
    provenance: Sequence[ProvenanceFact],
    data: Mapping[str, Any],
    tuning: Sequence[ArmTuning],
) -> tuple[str, ...]:
    listed = [
        *plan.study.limits,
        *_seeds(len(plan.seeds)),
        *_unpaired(len(plan.seeds), contrasts),
        *_looks(plan),
        *_claims(contrasts),
        *_afterthoughts(contrasts),
        *_unfinished(runs),
        *_grids(plan, tuning),
    ]
    return (*listed, *_data(plan, data), *_orders(orders), *_machines(provenance))


def _seeds(number: int) -> Iterator[str]:
    if number == 1:
        yield "One seed: there is no interval, so no claim can be settled."
        return
    smallest = smallest_sign_flip_p(number)
    yield (
        f"{number} seeds: an exact sign-flip test cannot give a p value below {smallest:g}; the t intervals "
        "assume that differences are approximately normal."
    )
    if number <= FEW_PAIRS:
        yield f"With {number} pairs the bootstrap intervals are too narrow; they are shown beside the t intervals."


def _unpaired(number: int, contrasts: Sequence[ContrastFact]) -> Iterator[str]:
    groups = sorted({contrast.id for contrast in contrasts if contrast.pairing == "unpaired"})
    if groups and number > 1:
        yield (
            f"Unpaired, since the arms differ in a setting that changes the batches: {', '.join(groups)}. The noise "
            f"of the batches does not cancel there; an exact permutation test cannot give a p value below "
            f"{smallest_permutation_p(number):.2g}."
        )


def _looks(plan: Plan) -> Iterator[str]:
    if plan.looks > 1:
        yield (
            f"Look {plan.look} of {plan.looks} declared before the first run: every claim is judged at 1/{plan.looks} "
            "of its level, so that all looks together keep it (Bonferroni)."
        )


def _claims(contrasts: Sequence[ContrastFact]) -> Iterator[str]:
    family = [contrast for contrast in contrasts if contrast.confirmatory]
    if len(family) > 1:
        yield (
            f"{len(family)} confirmatory comparisons share one error level (Holm): a false verdict of any kind in any "
            "of them has a probability of at most that level."
        )
    if exploratory := len(contrasts) - len(family):
        yield (
            f"{exploratory} comparisons are exploratory: not declared primary, judged at their own level, suggestive "
            "at best."
        )


def _afterthoughts(contrasts: Sequence[ContrastFact]) -> Iterator[str]:
    if late := sorted({contrast.claim.id for contrast in contrasts if contrast.afterthought}):
        yield (
            "Claims that were made or changed when results could be seen carry less weight than those made before: "
            f"{', '.join(late)}."
        )


def _unfinished(runs: Sequence[RunFact]) -> Iterator[str]:
    for run in runs:
        if run.status != "finished":
            why = f" ({run.reason})" if run.reason else ""
            yield f"{run.label}, seed {run.seed}: {run.status}{why}; its values enter no mean."
        elif run.reason:
            yield f"{run.label}, seed {run.seed}: {run.reason}; its final values are those of its result."


def _grids(plan: Plan, tuning: Sequence[ArmTuning]) -> Iterator[str]:
    for arm in tuning:
        if edge := at_edge(arm):
            yield f"{plan.arm(arm.arm).label}: {edge}."


def _data(plan: Plan, data: Mapping[str, Any]) -> Iterator[str]:
    blocks, tokens = data.get("splits.validation.blocks"), data.get("splits.validation.tokens")
    if blocks is not None and tokens is not None:
        chosen = f"is {data['held_out']}. It " if "held_out" in data else ""
        yield (
            f"The validation set {chosen}has {blocks:,} blocks ({tokens:,} tokens) and is the same for all seeds, so "
            "the spread that comes from its choice is not measured here."
        )
    yield from _cover(plan)
    warnings = plan.data_warnings
    yield from map(sentence, warnings)
    compact = isinstance(plan.study.base.data, DataSpec) and plan.study.base.data.vocabulary == "compact"
    if compact and not any("compact" in text for text in warnings):
        yield "The vocabulary is compact: losses are not comparable with those over the tokenizer's full vocabulary."


def _cover(plan: Plan) -> Iterator[str]:
    """What the losses cover, and whether that differs between arms."""
    base = plan.study.base.data
    if not isinstance(base, DataSpec):
        return
    yield from coverage(base)
    covers = {coverage(arm.config.data) for arm in plan.arms if isinstance(arm.config.data, DataSpec)}
    if covers - {coverage(base)}:
        yield (
            "Arms differ in data.packing or data.loss_on, so their losses and bits per byte are means over different "
            "tokens."
        )


def sentence(text: str) -> str:
    """A warning of the manifest as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def _orders(orders: Sequence[OrderFact]) -> Iterator[str]:
    if unequal := [str(order.seed) for order in orders if order.equal is False]:
        yield f"Arms that share their data did not see the same batches at seed {', '.join(unequal)}."


def _machines(provenance: Sequence[ProvenanceFact]) -> Iterator[str]:
    mixed = [row.key for row in provenance if len(row.values) > 1]
    if mixed := [key for key in mixed if key in SAME_FOR_ALL or key.startswith("versions.")]:
        yield f"The runs differ in {', '.join(mixed)} (see provenance)."
    if any(row.key == "git" and any(value.endswith("-dirty") for value in row.values) for row in provenance):
        yield "Some runs were made from a source tree with uncommitted changes."
