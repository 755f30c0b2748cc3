"""`stacklab construct`"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stacklab.base.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacklab.interp.construct.blueprint import Blueprint
    from stacklab.interp.construct.verify import Verified
    from stacklab.interp.spec import AttentionPanel
    from stacklab.model.transformer import Transformer
    from stacklab.tasks.batch import TaskBatch

Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="An operation (copying, parsing, matching, mapping) or a task (sequence-classification, "
        "question-answering, template-matching, template-matching-one-layer, in-context-template-matching).",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FIELD=VALUE]...", help="Settings of the task, for example pairs=4 or offset=3."),
]
TRIED = 1000
"""Sequences on which smaller sharpness is tried."""


def construct(
    name: Name,
    settings: Settings = None,
    sequences: Annotated[
        int, typer.Option("--sequences", "-n", min=1, max=1_000_000, help="Fresh sequences to answer per split.")
    ] = 4096,
    heads: Annotated[
        int | None,
        typer.Option("--heads", min=1, help="Heads per step of the construction. Default: as few as suffice."),
    ] = None,
    sharpness: Annotated[
        float | None,
        typer.Option("--sharpness", min=0.01, help="Factor of the deciding attention scores. Default: 16."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the sequences.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Also write attention maps, weights and findings to this folder.")
    ] = None,
) -> None:
    """Build a model by hand that solves a task, check every answer, and show how each head works.

    Exit code 3 if an answer is wrong, as with a small --sharpness.
    """
    from stacklab.base.yamlfile import parse_overrides
    from stacklab.interp.construct.compile import compiled
    from stacklab.interp.construct.registry import SHARPNESS, blueprint
    from stacklab.interp.construct.verify import draw, least_sharpness, verify

    fields = parse_overrides(settings or [])
    plan = blueprint(name, fields, sharpness=SHARPNESS if sharpness is None else sharpness, heads=heads)
    model = compiled(plan)
    say(f"{name}: {', '.join(f'{field}={_plain(value)}' for field, value in plan.exercise.dump().items())}")
    say(_stack(model))
    _print_heads(plan)
    checked = verify(plan, sequences=sequences, seed=seed)
    least = least_sharpness(
        lambda value: blueprint(name, fields, sharpness=value, heads=heads), sequences=min(sequences, TRIED), seed=seed
    )
    _print_checks(checked, sharpness=plan.sharpness, least=least)
    example = draw(plan, 1, split=plan.exercise.splits[-1], seed=seed)
    panels = _panels(plan, model, example)
    _print_example(plan, panels, example)
    if out is not None:
        facts = {"name": name, "exercise": plan.exercise.dump(), "sharpness": plan.sharpness, "least_sharpness": least}
        _write(out, model, panels, facts | {"verified": [one.dump() for one in checked]})
    if any(one.right < one.answers for one in checked):
        raise typer.Exit(3)


def _plain(value: object) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)


def _stack(model: "Transformer") -> str:
    spec = model.spec
    heads = [str(layer.num_heads) for layer in spec.layers]
    weights = sum(parameter.numel() for parameter in model.parameters())
    return (
        f"layers {spec.num_layers}; heads a layer {', '.join(heads)}; d_model {spec.d_model}; "
        f"positions {spec.position.kind}; mask {spec.mask}; no feed-forward, no norm; {weights:,} numbers"
    )


def _print_heads(plan: "Blueprint") -> None:
    for number, layer in enumerate(plan.layers, start=1):
        say(f"layer {number}, {layer.operation}:")
        for head, each in enumerate(layer.heads):
            say(f"  head {head}: {each.says}")


def _print_checks(checked: "tuple[Verified, ...]", *, sharpness: float, least: int | None) -> None:
    for one in checked:
        right = f"{one.right:,} of {one.answers:,} answers right on {one.sequences:,} sequences in float32"
        lead = f"least lead of the right logit {one.margin:.3g}"
        say(f"split {one.split}: {right}; {lead}; {one.changed:,} answers differ in float64")
    enough = (
        "no whole number up to 64 suffices" if least is None else f"{least} is the least whole number that suffices"
    )
    say(f"sharpness {sharpness:g}; {enough}")


def _print_example(plan: "Blueprint", panels: "Sequence[AttentionPanel]", example: "TaskBatch") -> None:
    from stacklab.report.pages.attention_maps import KEY, panel_text
    from stacklab.tasks.parts.show import show

    say("\n" + show(plan.exercise, example.tokens_BT[0], example.targets_BT[0]), whole=True)
    say(f"\nattention: {KEY}")
    for panel in panels:
        say("\n" + panel_text(panel), whole=True)


def _panels(plan: "Blueprint", model: "Transformer", example: "TaskBatch") -> "tuple[AttentionPanel, ...]":
    from stacklab.interp.attention_maps import attention_panels

    titles = [f"layer {number}, {layer.operation}" for number, layer in enumerate(plan.layers, start=1)]
    return attention_panels(model, example.tokens_BT[0], plan.exercise.names, titles=titles)


def _write(folder: Path, model: "Transformer", panels: "Sequence[AttentionPanel]", facts: dict[str, object]) -> None:
    from stacklab.base.files import write_json
    from stacklab.report.pages.attention_maps import write_panels
    from stacklab.train.checkpoint import save_weights

    write_panels(panels, folder)
    save_weights(folder / "model.safetensors", model, run_id="constructed")
    write_json(folder / "construction.json", facts | {"model": model.spec.dump()})
    say(f"\nwritten: {folder}")
