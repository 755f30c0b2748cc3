import pytest

from stacklab.stats.calibration.table import Column, Row, Table, above

TABLE = Table(
    name="t",
    title="T",
    caption="",
    repeats=1_000,
    keys=("noise", "seeds"),
    columns=(Column(heading="false", most=0.05), Column(heading="power", digits=2)),
    rows=(
        Row(keys=("normal", "3"), values=(0.0706, 0.5)),
        Row(keys=("normal", "5"), values=(0.071, None)),
    ),
)


def test_errors_above_their_bound_by_three_standard_errors_are_marked() -> None:
    assert [TABLE.texts(row) for row in TABLE.rows] == [["0.071", "0.50"], ["0.071 !", ""]]
    assert above(0.0501, 0.05, 0), "exact figures have no error of simulation"


def test_a_number_is_read_by_its_heading_and_keys() -> None:
    assert TABLE.value("power", "normal", "3") == 0.5
    with pytest.raises(KeyError, match="power was not measured for normal, 5"):
        TABLE.value("power", "normal", "5")
    with pytest.raises(KeyError):
        TABLE.value("power", "normal", "8")
