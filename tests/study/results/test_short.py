"""Claims on planted evaluations: what their verdicts are qualified by. Nothing is trained."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.study.conftest import TINY
from tests.study.planned import planned
from tests.study.rows import rows

from stacklab.base.canon import canonical_json
from stacklab.base.files import write_text
from stacklab.data.prepared import load_prepared, prepared_folder, unigram_loss
from stacklab.run.paths import OutPaths
from stacklab.study.planning.plan import Plan
from stacklab.study.results.short import DEMONSTRATION, LONGEST, Training, shortfall_text, too_short

VALUES = {name: [1.0, 1.1] for name in ("deep", "shallow", "wide")}
LONG = "train.steps=400"
"""Above half an epoch of the tiny corpus."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def flat(done: float) -> float:
    return 2.0 + max(0.0, 0.5 - done)


def falling(done: float) -> float:
    return 3.0 - done


Loss = Callable[[float], float]
"""Of the share of the steps done."""


def plant(plan: Plan, out: Path, probe: Mapping[str, Loss], *, validation: Loss = flat) -> None:
    """Evaluations of all runs: the loss of the train probe by arm, flat where none is named."""
    for arm, seed, spec in plan.runs():
        loss, steps = probe.get(arm.name, flat), arm.config.train.steps
        lines = [
            canonical_json(
                {
                    "step": steps * part // 10,
                    "train_probe.loss": loss(part / 10) + seed / 1e3,
                    "validation.loss": validation(part / 10),
                }
            )
            for part in range(11)
        ]
        write_text(OutPaths(out).run(spec.run_id).evals, "\n".join(lines) + "\n")


def judged(plan: Plan, out: Path, **change: Any) -> dict[str, str]:
    return too_short(plan, rows(plan, VALUES, **change), out)


def test_runs_that_were_long_enough_have_no_text(tiny: Path, out: Path) -> None:
    plan = planned(tiny, LONG)
    plant(plan, out, {})
    assert judged(plan, out) == {}


def test_falling_arms_are_named_by_label_or_both(tiny: Path, out: Path) -> None:
    plan = planned(tiny, LONG)
    plant(plan, out, {"deep": falling, "wide": falling})
    assert judged(plan, out) == {
        "fit:shallow": "at 400 steps, two layers still falling",
        "fit:wide": "at 400 steps, both still falling",
    }


def test_a_claim_that_is_not_about_the_probe_is_judged_on_the_validation_loss(tiny: Path, out: Path) -> None:
    tiny.write_text(TINY.replace("metric: train_probe.loss", "metric: validation.loss"))
    plan = planned(tiny, LONG)
    plant(plan, out, {"deep": falling})
    assert judged(plan, out) == {}


def test_runs_that_solved_are_not_falling(tiny: Path, out: Path) -> None:
    plan = planned(tiny, LONG)
    plant(plan, out, {"deep": falling})
    assert judged(plan, out, metrics={"steps_to_solve": 40.0}) == {}
    tiny.write_text(TINY.replace("metric: train_probe.loss", "metric: accuracy").replace("lower", "higher"))
    plan = planned(tiny, LONG)
    plant(plan, out, {}, validation=falling)
    assert set(judged(plan, out, metrics={"accuracy": 0.98}).values()) == {"at 400 steps, both still falling"}
    assert judged(plan, out, metrics={"accuracy": 0.99}) == {}


def test_an_arm_near_word_frequencies_had_hardly_begun(tiny: Path, out: Path) -> None:
    plan = planned(tiny, LONG)
    unigram = unigram_loss(load_prepared(prepared_folder(OutPaths(out).cache, plan.data_fingerprint)))
    plant(plan, out, {"deep": lambda done: 0.985 * unigram, "shallow": lambda done: 0.97 * unigram})
    text = "at 400 steps, two layers hardly better than word frequencies"
    assert judged(plan, out) == {"fit:shallow": text, "fit:wide": text}
    (prepared_folder(OutPaths(out).cache, plan.data_fingerprint) / "manifest.json").unlink()
    plant(plan, out, {"deep": lambda done: 5.1, "shallow": lambda done: 4.9})
    assert judged(plan, out) == {"fit:shallow": text, "fit:wide": text}, "a tenth below ln 259 = 5.56 is 5.0"


def test_less_than_half_an_epoch_is_too_little(tiny: Path, out: Path) -> None:
    an_epoch = planned(tiny).data["splits"]["train"]["tokens_per_epoch"]
    half = an_epoch // 128
    plan = planned(tiny, f"train.steps={half - 1}")
    plant(plan, out, {})
    assert set(judged(plan, out).values()) == {f"at {half - 1} steps, after 0.5 of an epoch"}
    plan = planned(tiny, f"train.steps={half + 1}")
    plant(plan, out, {})
    assert judged(plan, out) == {}
    few = half // 5
    plan = planned(tiny, f"train.steps={few}")
    plant(plan, out, {"deep": falling, "shallow": falling})
    share = f"{few * 64 / an_epoch:.2g}"
    assert judged(plan, out)["fit:shallow"] == f"at {few} steps, both still falling, after {share} of an epoch"


def test_a_scale_that_only_demonstrates_qualifies_what_nothing_else_does(tiny: Path, out: Path) -> None:
    tiny.write_text(TINY.replace("    seeds: [1, 2]", "    demonstration: true\n    seeds: [1, 2]"))
    plan = planned(tiny, LONG)
    plant(plan, out, {"shallow": falling})
    assert judged(plan, out) == {"fit:shallow": "at 400 steps, one layer still falling", "fit:wide": DEMONSTRATION}


def test_unfinished_runs_and_missing_evaluations_are_borne(tiny: Path, out: Path) -> None:
    plan = planned(tiny, LONG)
    few = "at 400 steps, both with too few evaluations to tell"
    assert judged(plan, out) == {"fit:shallow": few, "fit:wide": few}
    lost = [row.model_copy(update={"status": "missing"}) if row.arm == "wide" else row for row in rows(plan, VALUES)]
    assert too_short(plan, lost, out) == {"fit:shallow": few}


def arm(label: str, *, steps: int = 60, falling: bool = True, hardly: bool = False, epochs: float = 1) -> Training:
    return Training(label, steps, falling, hardly, epochs)


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ((arm("a"), arm("b", steps=120)), "at 60 and 120 steps, both still falling"),
        ((arm("a", steps=12_000), arm("b", steps=12_000)), "at 12,000 steps, both still falling"),
        (
            (arm("a", epochs=0.076), arm("b", epochs=0.2)),
            "at 60 steps, both still falling, after 0.076 and 0.2 of an epoch",
        ),
        ((arm("a", falling=False), arm("b", falling=False, epochs=0.3)), "at 60 steps, b after 0.3 of an epoch"),
        ((arm("1 layer, wide"), arm("b", falling=False)), 'at 60 steps, "1 layer, wide" still falling'),
        ((arm("x" * 70), arm("b", falling=False)), "at 60 steps, one arm still falling"),
        (
            (arm("a", hardly=True, epochs=0.1), arm("b", hardly=True, epochs=0.1)),
            "at 60 steps, both still falling, both hardly better than word frequencies",
        ),
        ((arm("a", falling=False), arm("b", falling=False)), ""),
    ],
)
def test_the_text_names_steps_reasons_and_arms_and_stays_short(pair: tuple[Training, Training], text: str) -> None:
    assert shortfall_text(pair) == text
    assert len(text) <= LONGEST
