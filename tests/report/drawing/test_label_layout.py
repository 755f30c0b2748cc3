"""Labels of close points, looked at as they are drawn."""

from itertools import combinations

import pytest
from matplotlib.text import Annotation

from stacklab.report.drawing.figure import Axis, Figure, LabelSide, Panel, Points, spanning
from stacklab.report.drawing.label_layout import placed
from stacklab.report.drawing.matplotlib import draw, style

X, Y = Axis("heads", 0, 240), Axis("nats per token", 3.0, 3.2)


def mean(x: float, y: float, label: str = "96-48-24-12", side: LabelSide = "right") -> Points:
    return Points("mean", (x,), (y,), "#000000", "circle", size=10, hollow=True, labels=(label,), label_side=side)


def clashes(points: list[Points]) -> list[tuple[str, str]]:
    """Labels that print over each other, or out of the panel."""
    panel = Panel("p", X, Y, points=tuple(points))
    drawing = draw(Figure("f", "t", "c", (panel, panel), (), columns=2))
    axes = drawing.axes[0]
    with style():
        drawing.canvas.draw()
        texts = [text for text in axes.texts if isinstance(text, Annotation)]
        boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert len(boxes) == len(points)
    beyond = [(name, "panel") for name, box in boxes if box.x0 < axes.bbox.x0 or box.x1 > axes.bbox.x1]
    return beyond + [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]


@pytest.mark.parametrize("apart", [0.0, 0.0005, 0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.016])
def test_six_arms_at_nearly_one_place_can_all_be_read(apart: float) -> None:
    """Three schedules, scaled and not, as the study of heads has them at its right end."""
    heads = (192, 180, 180, 192, 180, 180)
    points = [mean(x, 3.08 + apart * place, f"{x}-{place}-24-12") for place, x in enumerate(heads)]
    assert clashes(points) or apart >= 0.008, "on one side they cannot"
    assert clashes(placed(points, X, Y)) == []


def test_a_label_with_room_stays_on_its_side_and_one_at_the_edge_turns_inwards() -> None:
    sides: tuple[LabelSide, ...] = ("left", "below", "above")
    lone = [mean(60 + 60 * place, 3.1, side=side) for place, side in enumerate(sides)]
    assert placed(lone, X, Y) == lone
    (edge,) = placed([mean(232, 3.1)], X, Y)
    assert "left" in edge.label_side


def test_labels_turn_away_from_dots_and_points_without_labels_stay_as_they_are() -> None:
    dots = Points("seeds", (138.0, 150.0), (3.1, 3.1), "#000000", "circle")
    first, second = placed([dots, mean(120, 3.1)], X, Y)
    assert first == dots
    assert second.label_side == "above"


def test_places_on_logarithmic_axes_are_by_ratio() -> None:
    across = spanning("n", [1.0, 1000.0], log=True)
    (edge,) = placed([mean(900.0, 3.1)], across, Y)
    assert "left" in edge.label_side
