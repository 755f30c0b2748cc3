import csv
from io import StringIO
from pathlib import Path

from stacklab.interp.spec import AttentionPanel
from stacklab.report.pages.attention_maps import draw_panels, panel_text, panels_csv, write_panels

SQUARE = AttentionPanel(
    title="layer 1",
    rows=("q1", "a", "q1"),
    columns=("q1", "a", "q1"),
    shares=((1, 0, 0), (0.96, 0.04, 0), (0, 0.5, 0.5)),
)
HEADS = AttentionPanel(title="the last", rows=("head 0",), columns=("q1", "a", "q1"), shares=((0.004, 0.05, 0.946),))


def test_maps_in_characters() -> None:
    assert panel_text(SQUARE).splitlines() == ["layer 1", "  0 q1 #", "  1  a # .", "  2 q1   5 5"]
    assert panel_text(HEADS).splitlines() == ["the last", "           q1  a q1", "  0 head 0     1  9"]


def test_every_cell_is_in_the_csv_and_in_the_picture() -> None:
    rows = list(csv.DictReader(StringIO(panels_csv([SQUARE, HEADS]))))
    assert len(rows) == 9 + 3
    assert rows[7] == {
        "map": "layer 1", "row": "2", "row_name": "q1", "column": "1", "column_name": "a", "attention": "0.5"
    }  # fmt: skip
    drawing = draw_panels([SQUARE, HEADS], columns=3)
    first, second = drawing.axes
    assert first.get_title(loc="left") == "layer 1"
    assert first.images[0].get_array().tolist() == [list(row) for row in SQUARE.shares]
    assert [tick.get_text() for tick in second.get_yticklabels()] == ["head 0"]


def test_files_are_the_same_twice(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_panels([SQUARE], tmp_path / folder)
    names = ["attention.csv", "attention.png", "attention.svg"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
