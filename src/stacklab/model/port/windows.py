"""The windows of other programs: none, one for all layers, or one for some of the layers."""

from typing import Any, Literal

from stacklab.model.port.fields import Fields
from stacklab.model.spec import ModelSpec

Windows = Literal["none", "one", "by_layer"]
"""What a form can say: no window, one for all layers, one for some layers (Qwen2)."""
FULL, SLIDING = "full_attention", "sliding_attention"
FIRST_WITH_WINDOW = 28
"""Qwen2's default of the first layer with a window."""


def read_windows(
    fields: Fields, kind: Windows, default: int | None, *, layers: int, context: int
) -> list[int | None] | int | None:
    """The window of each layer, or one for all. A window as long as the context hides nothing, so it is none.

    Raises PortError for a list of layers that is not one.
    """
    if kind == "none":
        return None
    used = kind == "one" or fields.flag("use_sliding_window", False)
    stated = fields.size_or_none("sliding_window", default)
    window = stated if used else None
    hiding = None if window is None or window >= context else window
    if kind == "one":
        return hiding
    first = fields.whole("max_window_layers", FIRST_WITH_WINDOW)
    if (kinds := fields.optional("layer_types")) is None:
        kinds = [FULL if window is None or index < first else SLIDING for index in range(layers)]
    known = (FULL,) if window is None else (FULL, SLIDING)
    if not isinstance(kinds, list) or len(kinds) != layers or not all(each in known for each in kinds):
        more = f"; {SLIDING} needs use_sliding_window = true and a sliding_window" if window is None else ""
        raise fields.wrong("layer_types", kinds, f"{' or '.join(known)} for each of {layers} layers{more}")
    windows = [hiding if each == SLIDING else None for each in kinds]
    return windows if any(windows) else None


def window_misfits(spec: ModelSpec, kind: Windows = "none") -> list[str]:
    """The misfits of a form with such windows."""
    windows = {layer.window for layer in spec.layers}
    present = ", ".join(map(str, sorted(each for each in windows if each is not None)))
    if kind == "none":
        return [f"window is {present}, not none"] if present else []
    if len(windows - {None}) > 1 or (kind == "one" and len(windows) > 1):
        return [f"window differs by layer ({present}{', none' if None in windows else ''})"]
    return []


def write_windows(spec: ModelSpec, kind: Windows) -> dict[str, Any]:
    """The keys of a config."""
    windows = [layer.window for layer in spec.layers]
    window = next((each for each in windows if each is not None), None)
    if kind == "none":
        return {}
    if kind == "one":
        return {"sliding_window": window}
    return {
        "use_sliding_window": window is not None,
        "sliding_window": window,
        # Versions of transformers without layer_types read it.
        "max_window_layers": windows.index(window) if window is not None else spec.num_layers,
        "layer_types": [FULL if each is None else SLIDING for each in windows],
    }
