"""What `bench step` says of a GPU: step times, MFU, memory, and what parts of a step reach of the matrix rate."""

import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stacklab.base.hardware import peak_matrix_rate
from stacklab.base.units import count, size
from stacklab.bench.spec import StepSpec
from stacklab.model.count import count_parameters, flops_per_token

if TYPE_CHECKING:
    from stacklab.train.device import DeviceChoice

TRAINS = ("stacklab", "nondeterministic", "peer")
"""What the names of contestants that train begin with; the others are parts of a step."""
Seconds = dict[str, list[float]]
"""Seconds of a step in each pair, by contestant."""


def facts(choice: "DeviceChoice") -> dict[str, Any]:
    """The card, its number format of products, and its stated rate in operations per second, None if unknown."""
    import torch

    name = torch.cuda.get_device_name()
    return {"name": name, "precision": choice.precision, "peak_rate": peak_matrix_rate(name)}


def summarise(
    spec: StepSpec, seconds: Seconds, peaks: dict[str, float], failures: dict[str, str], peak_rate: float | None
) -> dict[str, Any]:
    """Medians over the pairs; ratios are taken within pairs.

    mfu: share of the stated rate, with the operations of model/count for forward and backward (6 per parameter and
    token, and dense attention). head_share: rate of head and loss alone over the rate of square products, both measured
    here. determinism: time of a step over that of a step without determinism.
    """
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    flops = flops_per_token(spec.model, context=spec.context) * spec.tokens
    contestants = {
        name: {
            "seconds": median,
            "tokens_per_second": spec.tokens / median,
            "mfu": flops / median / peak_rate if peak_rate and spec.precision != "fp32" else None,
            "peak_bytes": peaks[name],
        }
        for name, median in medians.items()
        if name.startswith(TRAINS)
    }
    own = fastest("stacklab", medians)
    peers = {name: against(own, name, seconds, peaks) for name in contestants if own and name.startswith("peer")}
    free = fastest("nondeterministic", medians)
    return {
        "spec": spec.dump(),
        "parameters": count_parameters(spec.model).total,
        "flops": flops,
        "contestants": contestants,
        "own": own,
        "peers": peers,
        "determinism": statistics.median(ratios(seconds, own, free)) if own and free else None,
        **_parts(spec, own, medians),
        "failures": failures,
    }


def fastest(system: str, medians: dict[str, float]) -> str | None:
    """The fastest contestant whose name begins with `system`; None if there is none.

    >>> fastest("peer", {"peer": 2.0, "peer-compiled": 1.0, "stacklab": 0.5})
    'peer-compiled'
    """
    return min((name for name in medians if name.startswith(system)), key=medians.__getitem__, default=None)


def ratios(seconds: Seconds, above: str, below: str) -> list[float]:
    """Seconds of one contestant over those of another, in each pair."""
    return [one / other for one, other in zip(seconds[above], seconds[below], strict=True)]


def against(own: str, peer: str, seconds: Seconds, peaks: dict[str, float]) -> dict[str, Any]:
    """How many times as fast `own` is as the peer, within pairs, and its share of the peer's memory."""
    speeds = ratios(seconds, peer, own)
    return {
        "speed_ratio": statistics.median(speeds),
        "speed_ratios": speeds,
        "memory_ratio": peaks[own] / peaks[peer],
    }


def _parts(spec: StepSpec, own: str | None, medians: dict[str, float]) -> dict[str, float | None]:
    """Operations per second of parts of a step, and their shares of others; None where one of them failed."""
    from stacklab.bench.products import MATRIX_FLOPS, head_flops, product_flops

    flops = {"matrix": MATRIX_FLOPS, "products": product_flops(spec), "head": head_flops(spec)}
    rates = {name: flops[name] / medians[name] if name in medians else None for name in flops}
    head, matrix = rates["head"], rates["matrix"]
    return {
        "matrix_rate": matrix,
        "product_rate": rates["products"],
        "product_share": medians["products"] / medians[own] if own and "products" in medians else None,
        "head_seconds": medians.get("head"),
        "head_share": head / matrix if head and matrix else None,
    }


def render(result: dict[str, Any]) -> str:
    """The results as text, a table for each width and depth."""
    card = result["card"]
    stated = f"{card['peak_rate'] / 1e12:.0f} TFLOP/s stated" if card["peak_rate"] else "peak rate unknown: no MFU"
    lines = [
        f"{card['name']}, {stated}, products in {card['precision']}; medians of {result['pairs']} interleaved pairs",
        "peer: transformers GPT2LMHeadModel (sdpa, fused AdamW, autocast)",
    ]
    for row in result["results"]:
        lines += ["", *_lines(row)]
    return "\n".join(lines)


def _lines(row: dict[str, Any]) -> Iterator[str]:
    spec, own = row["spec"], row["own"]
    yield (
        f"d_model {spec['d_model']}, {spec['layers']} layers, {spec['batch']} x {spec['context']} tokens, "
        f"{count(row['parameters'])} parameters"
    )
    yield f"  {'':<26} {'step':>9} {'tokens/s':>10} {'MFU':>7} {'peak memory':>12}"
    for name, one in row["contestants"].items():
        mfu = "" if one["mfu"] is None else f"{one['mfu']:.1%}"
        time, rate = f"{one['seconds'] * 1e3:.2f} ms", count(one["tokens_per_second"])
        yield f"  {name:<26} {time:>9} {rate:>10} {mfu:>7} {size(one['peak_bytes']):>12}"
    for peer, compared in row["peers"].items():
        low, high = min(compared["speed_ratios"]), max(compared["speed_ratios"])
        yield (
            f"  {own} against {peer}: {compared['speed_ratio']:.2f} times as fast ({low:.2f} to {high:.2f}), "
            f"{compared['memory_ratio']:.2f} of its memory"
        )
    if row["determinism"] is not None:
        yield f"  determinism: {row['determinism']:.3f} times the time of a step without"
    if row["matrix_rate"] is not None:
        yield f"  square products: {row['matrix_rate'] / 1e12:.0f} TFLOP/s"
    if row["product_share"] is not None:
        rate, share = row["product_rate"] / 1e12, row["product_share"]
        yield f"  the step's products alone: {rate:.0f} TFLOP/s, {share:.0%} of the time of {own}"
    if row["head_share"] is not None:
        head = f"{row['head_seconds'] * 1e3:.2f} ms"
        yield f"  head and loss alone: {head}, {row['head_share']:.0%} of the rate of square products"
    for name, reason in row["failures"].items():
        yield f"  left out: {name}: {reason}"
