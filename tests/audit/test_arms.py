"""Runs of one arm: by name, by folder, by a seed line, as stated; and how the arms are judged over their seeds."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from stacklab.audit.arms import File, assign_arms, seeds_in, split_seed
from stacklab.audit.examine import audit
from stacklab.audit.findings.seeds import seed_findings
from stacklab.audit.reading.log import Log
from stacklab.audit.spec import Audit, Finding, StatedArm
from stacklab.base.errors import DataError, SpecError
from stacklab.base.streams import numpy_stream
from stacklab.stats.result import Estimate

Find = Callable[..., Finding]
LogOf = Callable[..., Log]

DEEP = {1: (3.10, 3.18), 2: (3.08, 3.19), 3: (3.09, 3.17)}
WIDE = {1: (3.05, 3.12), 2: (3.02, 3.11), 3: (3.06, 3.13)}


def text(train: float, validation: float, *, seed: int | None = None) -> str:
    """A log of two lines that ends at these losses, perhaps below a line with its seed."""
    first = f"seed:{seed}\n" if seed is not None else ""
    return (
        f"{first}step:0/1000 train_loss:5.0000 val_loss:5.0800\n"
        f"step:1000/1000 train_loss:{train:.4f} val_loss:{validation:.4f}\n"
    )


def write(folder: Path, names: dict[str, str]) -> list[Path]:
    paths = []
    for name, content in names.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        paths.append(path)
    return paths


def arms(result: Audit) -> list[tuple[str, str]]:
    return [(log.arm, log.seed) for log in result.logs]


SIX = [*(("deep", seed) for seed in "123"), *(("wide", seed) for seed in "123")]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("{arm}_seed{seed}.log", False),
        ("{arm}-seed-{seed}.txt", False),
        ("seed{seed}/{arm}.log", False),
        ("{arm}/seed_{seed}.log", False),
        ("{arm}_{seed}.log", True),
        ("{arm}_seed{seed}.log", True),
    ],
)
def test_logs_are_grouped_by_file_folder_and_seed_line(name: str, line: bool, tmp_path: Path) -> None:
    files = {
        name.format(arm=arm, seed=seed): text(*losses, seed=seed if line else None)
        for arm, runs in (("deep", DEEP), ("wide", WIDE))
        for seed, losses in runs.items()
    }
    assert arms(audit(write(tmp_path, files))) == SIX


def test_two_arms_of_three_seeds_are_judged_in_pairs(tmp_path: Path, find: Find) -> None:
    files = {
        f"{arm}_seed{seed}.log": text(*losses, seed=seed)
        for arm, runs in (("deep", DEEP), ("wide", WIDE))
        for seed, losses in runs.items()
    }
    result = audit(write(tmp_path, files))
    limit = find(result, "seeds", "all arms")
    assert (limit.numbers["runs_per_arm"], limit.numbers["smallest_sign_flip_p"]) == (3, 0.25)
    assert "One run per arm" not in " ".join(found.sentence for found in result.findings)
    assert [found.subject for found in result.findings if found.kind == "last-gap"] == ["wide_seed1 - deep_seed1"]
    validation = next(found for found in result.findings if found.kind == "seeds-difference")
    gaps = np.array([WIDE[seed][1] - DEEP[seed][1] for seed in DEEP])
    assert isinstance(validation.result, Estimate)
    assert validation.result.value == pytest.approx(gaps.mean())
    half = 4.302653 * gaps.std(ddof=1) / 3**0.5
    assert (validation.result.low, validation.result.high) == pytest.approx((gaps.mean() - half, gaps.mean() + half))
    assert (validation.numbers["pairing"], validation.numbers["permutation_p"]) == ("paired", 0.25)
    assert validation.severity == "agreement"
    assert "wide is lower" in validation.sentence


def test_different_seeds_are_judged_as_two_groups(tmp_path: Path) -> None:
    files = {f"deep_seed{seed}.log": text(*losses) for seed, losses in DEEP.items()}
    files |= {f"wide_seed{seed + 10}.log": text(*losses) for seed, losses in WIDE.items()}
    found = next(f for f in audit(write(tmp_path, files)).findings if f.kind == "seeds-difference")
    assert found.numbers["pairing"] == "unpaired"
    assert "3 and 3 runs, unpaired" in found.sentence


def test_arms_that_are_stated_come_before_names(tmp_path: Path) -> None:
    files = {
        f"{name}.log": text(*losses) for name, losses in zip("abcdef", (*DEEP.values(), *WIDE.values()), strict=True)
    }
    paths = write(tmp_path, files)
    stated = tmp_path / "stated.yaml"
    stated.write_text("arms: {deep: [a.log, b.log, c.log], wide: [d.log, e.log, f.log]}\n")
    assert arms(audit(paths, stated=stated)) == [("deep", "")] * 3 + [("wide", "")] * 3
    stated.write_text("arms:\n  - {name: deep, num_layers: 12, logs: [a.log]}\n")
    assert arms(audit(paths, stated=stated))[0] == ("deep", "")


@pytest.mark.parametrize(
    ("arms_text", "message"),
    [
        ("{deep: [g.log]}", r"stated\.yaml:1: arms: deep: no g\.log among the files"),
        ("{deep: [a.log], wide: [a.log]}", r"stated\.yaml:1: arms: a\.log is a log of deep and of wide"),
        ("{deep: [a.log], wide: 3}", r"stated\.yaml:1: arms\.1\.logs"),
    ],
)
def test_wrong_stated_logs_are_named(arms_text: str, message: str, tmp_path: Path) -> None:
    paths = write(tmp_path, {"a.log": text(3, 3)})
    stated = tmp_path / "stated.yaml"
    stated.write_text(f"arms: {arms_text}\n")
    with pytest.raises(SpecError, match=message):
        audit(paths, stated=stated)


def test_a_log_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    (path,) = write(tmp_path, {"a.log": text(3, 3)})
    with pytest.raises(DataError, match=r"a\.log: named more than once"):
        audit([path, path])


def test_equal_names_in_other_folders_are_other_arms(tmp_path: Path) -> None:
    files = {f"{arm}/train_seed{seed}.log": text(3, 3) for arm in ("deep", "wide") for seed in (1, 2)}
    assert [arm for arm, _ in arms(audit(write(tmp_path, files)))] == ["deep/train"] * 2 + ["wide/train"] * 2


def test_numbers_that_are_no_seeds_keep_arms_apart(tmp_path: Path) -> None:
    files = {"layers_1.log": text(3, 3, seed=1), "layers_12.log": text(3, 3, seed=1)}
    assert [arm for arm, _ in arms(audit(write(tmp_path, files)))] == ["layers_1", "layers_12"]


def test_seeds_of_names_and_lines() -> None:
    assert split_seed("deep_seed1_lr3") == ("deep_lr3", "1")
    assert split_seed("reseed 3") == ("reseed 3", "")
    assert seeds_in(["Global seed set to 42", '"seed": 42,', "--seed=42"]) == ("42",)
    assert seeds_in(["data_seed: 1", "3 seeds: 1", "seeds 4"]) == ()


def test_runs_in_columns_are_grouped_by_their_names(log_of: LogOf) -> None:
    logs = [log_of(f"deep seed {seed}", [1, 2], train=[2.0, 1.0]) for seed in (1, 2)]
    placed = assign_arms([File(Path("runs.csv"), logs)])
    assert [(log.arm, log.seed) for log in placed] == [("deep", "1"), ("deep", "2")]
    stated = assign_arms([File(Path("runs.csv"), logs)], [StatedArm(name="all", logs=("runs.csv",))])
    assert {log.arm for log in stated} == {"all"}


def judged(log_of: LogOf, gap: float, name: str, *, arms: int = 2, runs: int = 5, repeats: int) -> float:
    """The share of simulated audits in which any arm differs from the first. The first arm is lower by `gap`."""
    draws = numpy_stream(0, "test-audit-seeds", name).normal(0, 0.1, (repeats, arms, runs))
    draws[:, 1:] += gap
    shown = 0
    for draw in draws:
        logs = [
            log_of(f"{arm} seed {seed}", [1, 2], validation=[5.0, draw[arm, seed]])
            for arm in range(arms)
            for seed in range(runs)
        ]
        placed = assign_arms([File(Path("runs.csv"), logs)])
        found = [f for f in seed_findings(placed, stated_seeds=None) if f.kind == "seeds-difference"]
        assert len(found) == arms - 1
        shown += any(f.severity == "agreement" for f in found)
    return shown / repeats


def test_planted_nulls_are_seldom_called_differences_and_planted_effects_are_seen(log_of: LogOf) -> None:
    assert judged(log_of, 0.0, "null", repeats=40) <= 0.15
    assert judged(log_of, 0.0, "many", arms=5, repeats=10) <= 0.2
    assert judged(log_of, 0.4, "effect", repeats=10) >= 0.9
