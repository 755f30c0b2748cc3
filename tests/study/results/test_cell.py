import pytest
from tests.study.cells import GRID, cell, rows

from stacklab.study.results.cell import LateProgress, judge, progress

FLAT = LateProgress(0.0, 0.0)


@pytest.mark.parametrize(
    ("finals", "others", "verdict"),
    [
        ((0.95, 0.95, 0.1), FLAT, "solved"),
        ((0.95, 0.1, 0.1), FLAT, "partial"),
        ((0.95, 0.95, 0.1, 0.1), FLAT, "partial"),
        ((0.27, 0.27, 0.26), FLAT, "at baseline"),
        ((0.28, 0.28, 0.27), FLAT, "partial"),
        ((0.5, 0.5, 0.5), LateProgress(0.021, 0.0), "not trained long enough"),
        ((0.5, 0.5, 0.5), LateProgress(0.019, 0.04), "partial"),
        ((0.25, 0.25, 0.25), LateProgress(0.0, 0.06), "not trained long enough"),
        ((0.5, 0.5, 0.5), None, "not trained long enough"),
    ],
)
def test_the_verdict_of_a_cell(finals: tuple[float, ...], others: LateProgress | None, verdict: str) -> None:
    assert judge(cell("1", *finals), GRID, rows(*["finished"] * len(finals)), others)[0] == verdict


def test_a_cell_that_lost_half_its_seeds_is_invalid() -> None:
    assert judge(cell("1", 0.99), GRID, rows("finished", "diverged"), FLAT) == ("invalid", "seed 1: diverged")


def test_progress_is_of_the_last_quarter_over_the_third() -> None:
    def history(*rows: tuple[int, float, float]) -> list[dict[str, float]]:
        return [{"step": step, "v.m": value, "v.loss": loss} for step, value, loss in rows]

    long = history((0, 0.0, 9.0), (100, 0.1, 5.0), (150, 0.3, 4.0), (175, 0.5, 3.0), (200, 0.7, 2.0))
    assert progress("v.m", [long]) == pytest.approx((0.6 - 0.3, 1 - 2.5 / 4))
    still = history((150, 0.5, 1.0), (200, 0.5, 1.0))
    assert progress("v.m", [long, still]) == pytest.approx((0.15, (1 - 2.5 / 4) / 2))
    assert progress("v.m", [long, history((0, 0.0, 1.0), (200, 0.9, 1.0))]) == progress("v.m", [long])
    assert progress("v.m", [history((0, 0.0, 1.0), (500, 0.3, 1.0), (600, 0.6, 1.0))]) is None
    assert progress("v.m", []) is None
