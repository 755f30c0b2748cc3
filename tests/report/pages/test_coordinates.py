import csv
from pathlib import Path

from stacklab.report.pages.coordinates import coordinate_figure, write_coordinates
from stacklab.run.coordinates import KINDS, Reading, Sweep

PARTS = ("embedding", "after block 1", "after the last block", "logits")


def sweep(steps: int = 9, blown_up: bool = False) -> Sweep:
    readings = [
        Reading(kind, width, seed, step, part, seed * (step + 1.0) * width / 8, float(step))
        for kind in KINDS
        for width in (8, 16)
        for seed in (1, 3)
        for step in range(steps + 1)
        for part in PARTS
    ]
    if blown_up:
        readings = [
            row._replace(size=float("inf"), change=float("nan")) if row.value == 16 else row for row in readings
        ]
    return Sweep("d_model", (8, 16), (1, 3), steps, tuple(readings))


def test_every_part_has_a_panel_under_both_parametrisations_on_one_axis() -> None:
    figure = coordinate_figure(sweep())
    names = ["embedding", "after the last block", "logits"]
    assert [panel.title for panel in figure.panels] == [f"{name}, {kind}" for kind in KINDS for name in names]
    assert figure.columns == 3
    assert figure.panels[0].y == figure.panels[3].y
    assert [line.name for line in figure.panels[0].lines] == [
        "at the start",
        *(f"after step {step}" for step in (2, 4, 5, 7, 9)),
        "change after step 9",
    ]


def test_a_line_is_the_mean_over_seeds() -> None:
    panel = coordinate_figure(sweep(steps=1)).panels[0]
    assert [(line.x, line.y) for line in panel.lines] == [
        ((8.0, 16.0), (2.0, 4.0)),
        ((8.0, 16.0), (4.0, 8.0)),
        ((8.0, 16.0), (1.0, 1.0)),
    ]


def test_files_hold_the_picture_and_every_reading(tmp_path: Path) -> None:
    found = sweep(steps=2)
    assert write_coordinates(tmp_path, found).read_bytes()[1:4] == b"PNG"
    assert {path.name for path in tmp_path.iterdir()} == {
        "width.png",
        "width.svg",
        "width.csv",
        "width-readings.csv",
    }
    rows = list(csv.DictReader((tmp_path / "width-readings.csv").read_text().splitlines()))
    assert len(rows) == len(found.readings)
    assert rows[0] == {
        "parametrisation": "standard",
        "d_model": "8",
        "seed": "1",
        "step": "0",
        "part": "embedding",
        "size": "1.0",
        "change": "0.0",
    }


def test_stacks_that_blew_up_are_drawn_as_far_as_they_can_be(tmp_path: Path) -> None:
    assert write_coordinates(tmp_path, sweep(blown_up=True)).is_file()
