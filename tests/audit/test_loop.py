"""The table of a research loop: how it is read, and what its findings say of loops whose truth is known."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from stacklab.audit.examine import audit
from stacklab.audit.findings.loop import loop_findings
from stacklab.audit.findings.rerun import EXACT, Spread, chance_leads, expected_rerun, largest_of, noise_of
from stacklab.audit.reading.results import Loop, Try, parse_results_header
from stacklab.audit.spec import Audit, Finding
from stacklab.base.errors import DataError
from stacklab.base.streams import numpy_stream
from stacklab.stats.result import Undefined

Find = Callable[..., Finding]

HEADER = "commit\tval_bpb\tmemory_gb\tstatus\tdescription\n"
TABLE = HEADER + (
    "a1b2c3d\t0.997900\t44.0\tkeep\tbaseline\n"
    "a1b2c3d\t0.999100\t44.0\trerun\tbaseline again\n"
    "b2c3d4e\t0.983200\t44.2\tkeep\tincrease LR to 0.04\n"
    "c3d4e5f\t1.005000\t44.0\tdiscard\tswitch to GeLU, the usual one\n"
    "d4e5f6g\t0.000000\t0.0\tcrash\tdouble model width (OOM)\n"
    'e5f6a7b\t0.982900\t44.0\tkeep\tweight decay "0.1\n'
    "f6a7b8c\t0.984000\t44.0\tdiscard\trerun of e5f6a7b\n"
)


def read(folder: Path, text: str, stated: str = "") -> Audit:
    path = folder / "results.tsv"
    path.write_text(text)
    if not stated:
        return audit([path])
    (folder / "stated.yaml").write_text(stated)
    return audit([path], stated=folder / "stated.yaml")


def test_a_table_of_tries_is_read_with_its_crashes_and_reruns(tmp_path: Path, find: Find) -> None:
    result = read(tmp_path, TABLE)
    assert [(log.name, log.points) for log in result.logs] == [
        ("results", {"kept": 3, "other tries": 2, "reruns": 2}),
    ]
    noise = find(result, "loop-noise").numbers
    pairs = ((0.9979, 0.9991), (0.9829, 0.9840))
    assert noise["sigma"] == pytest.approx(math.sqrt(sum((a - b) ** 2 / 2 for a, b in pairs) / 2))
    kept = find(result, "loop-kept").numbers
    assert (kept["kept"], kept["within_noise"], kept["tries"]) == (2, 1, 3)
    assert kept["kept_by_chance"] == pytest.approx(1 / 2 + 1 / 3 + 1 / 4)
    assert "increase LR" not in find(result, "loop-seeds").sentence
    assert 'weight decay "0.1 (0.0003' in find(result, "loop-seeds").sentence
    assert find(result, "loop-best").numbers["loss"] > 0
    assert result.logs[0].source == "results.tsv"
    assert all(f.group == "kept changes" for f in result.findings)


def test_one_commit_beside_different_changes_is_no_rerun(tmp_path: Path) -> None:
    text = HEADER + "local\t1.0\t4\tkeep\tbaseline\nlocal\t0.9\t4\tkeep\twider\nlocal\t0.95\t4\tdiscard\tdeeper\n"
    assert read(tmp_path, text).logs[0].points == {"kept": 2, "other tries": 1, "reruns": 0}


def test_without_a_noise_the_noise_that_explains_the_lead_is_named(tmp_path: Path, find: Find) -> None:
    text = HEADER + "a\t1.00\t4\tkeep\tbaseline\nb\t0.99\t4\tkeep\twider\nc\t1.01\t4\tdiscard\tdeeper\n"
    found = find(read(tmp_path, text), "loop-noise")
    assert isinstance(found.result, Undefined)
    assert found.severity == "caution"
    assert found.numbers["noise_that_explains_it"] == pytest.approx(0.01 / largest_of(3))
    stated = read(tmp_path, text, "rerun_noise: 0.02\n")
    assert find(stated, "loop-noise").numbers["sigma"] == 0.02
    assert find(stated, "loop-minimum").severity == "caution"
    small = read(tmp_path, text, "rerun_noise: 0.0005\n")
    assert find(small, "loop-minimum").severity == "agreement"
    assert find(small, "loop-kept").numbers["within_noise"] == 0


def test_equal_reruns_and_a_vanishing_noise_are_no_failures(tmp_path: Path, find: Find) -> None:
    text = HEADER + "a\t1.00\t4\tkeep\tbaseline\na\t1.00\t4\tkeep\tbaseline\nb\t0.99\t4\tkeep\twider\n"
    assert "all reruns equal the first run" in find(read(tmp_path, text), "loop-noise").sentence
    vanishing = read(tmp_path, text, "rerun_noise: 1.0e-200\n")
    assert find(vanishing, "loop-best").numbers["expected"] == 0.99


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("b\t0.9\t4\tmaybe\twider\n", r"results\.tsv:3: status 'maybe'; expected one of keep, "),
        ("b\tlow\t4\tkeep\twider\n", r"results\.tsv:3: val_bpb: expected a number, got 'low'"),
    ],
)
def test_a_wrong_row_is_named_by_line(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, f"{HEADER}a\t1.0\t4\tkeep\tbaseline\n{row}")


def test_a_table_without_a_kept_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"results\.tsv: no row is kept"):
        read(tmp_path, f"{HEADER}a\t1.0\t4\tdiscard\tbaseline\n")
    with pytest.raises(DataError, match=r"results\.tsv: no row is kept"):
        read(tmp_path, HEADER)


def test_a_long_first_line_is_no_header() -> None:
    assert parse_results_header("status\t" * 100_000) is None
    assert parse_results_header("x" * 200_000) is None


class Simulated(NamedTuple):
    """A loop, the true mean of its last kept code, and that code's printed value, in units of the noise."""

    loop: Loop
    mean: float
    printed: float


def simulate(rng: np.random.Generator, *, share: float, helps: float, harms: float, tries: int = 30) -> Simulated:
    """A loop of changes of which a share does something, half of them for the better."""
    mean, lowest = 0.0, rng.normal()
    rows = [Try(1, "", 100 + lowest, True, "baseline")]
    for line in range(2, tries + 2):
        size = abs(rng.normal(0, harms)) if rng.uniform() < 0.5 else -abs(rng.normal(0, helps))
        effect = size if rng.uniform() < share else 0.0
        value = mean + effect + rng.normal()
        rows.append(Try(line, "", 100 + value, value < lowest, "change"))
        if value < lowest:
            mean, lowest = mean + effect, value
    return Simulated(Loop("loop", "loop.tsv", "val_bpb", tuple(rows)), 100 + mean, 100 + lowest)


@pytest.mark.parametrize(
    ("name", "share", "helps", "harms"), [("null", 0.0, 1, 1), ("small", 0.5, 0.7, 3), ("large", 0.5, 3, 10)]
)
def test_the_expected_rerun_is_right_on_average_and_its_interval_covers(
    name: str, share: float, helps: float, harms: float
) -> None:
    rng, noise = numpy_stream(0, "test-loop", name), Spread(1.0, EXACT)
    errors, printed, covered = [], [], 0
    for _ in range(30):
        one = simulate(rng, share=share, helps=helps, harms=harms)
        middle, spread = expected_rerun(one.loop, noise)
        errors.append(middle - one.mean)
        printed.append(one.printed - one.mean)
        covered += abs(one.mean + rng.normal() - middle) < 1.96 * spread
    assert abs(np.mean(errors)) < 0.4
    assert np.mean(printed) < -0.8, "the printed values of kept runs are low"
    assert covered >= 25


def test_the_lead_that_chance_makes_is_that_of_loops_without_effects() -> None:
    rng, noise = numpy_stream(0, "test-loop", "leads"), Spread(1.0, EXACT)
    leads = [
        one.values[0] - min(one.values) for one in (simulate(rng, share=0, helps=1, harms=1).loop for _ in range(300))
    ]
    assert np.mean(leads) == pytest.approx(largest_of(31), abs=0.2)
    high = np.quantile(chance_leads(31, noise), 0.95)
    assert 0.9 <= np.mean(np.array(leads) < high) <= 0.99
    assert np.quantile(chance_leads(31, Spread(1.0, 2)), 0.95) > 1.5 * high, "two degrees of freedom leave more open"


def test_planted_improvements_are_more_than_chance_and_nulls_are_not() -> None:
    rng = numpy_stream(0, "test-loop", "verdicts")
    verdicts = {}
    for name, share, helps in (("null", 0.0, 1.0), ("effect", 0.8, 3.0)):
        loops = [simulate(rng, share=share, helps=helps, harms=5.0).loop for _ in range(10)]
        found = [
            {finding.kind: finding for finding in loop_findings(loop, noise_of(loop, 1.0), stated_noise=1.0)}
            for loop in loops
        ]
        verdicts[name] = sum(each["loop-minimum"].severity == "agreement" for each in found)
    assert verdicts["null"] <= 2
    assert verdicts["effect"] >= 8
