from typing import Any

import pytest
from tests.run.conftest import Bench

from stacklab.base.errors import SpecError
from stacklab.model.spec import ModelSpec, MupSpec, NormSpec, StandardSpec
from stacklab.run.coordinate_check import check
from stacklab.run.coordinates import Growth, Reading, Sweep, tendency, variants
from stacklab.stats.result import Estimate, Undefined

UNKNOWN = Undefined(reason="one seed")


def sweep(sizes: dict[int, tuple[float, float]]) -> Sweep:
    """Two seeds; the second one's outputs are twice as large."""
    readings = [
        Reading("mup", width, seed, 3, "logits", seed * size, seed * change)
        for width, (size, change) in sizes.items()
        for seed in (1, 2)
    ]
    return Sweep("d_model", tuple(sizes), (1, 2), 3, tuple(readings))


def test_growth_is_the_mean_power_over_seeds_with_its_interval() -> None:
    growth = sweep({8: (1.0, 4.0), 16: (2.0, 2.0)}).growth("mup", "logits", "size")
    assert growth.mean == pytest.approx(1.0)
    assert isinstance(growth.interval, Estimate) and growth.interval.n == 2
    assert sweep({8: (1.0, 4.0), 16: (2.0, 2.0)}).growth("mup", "logits", "change").mean == pytest.approx(-1.0)


def test_a_stack_that_blew_up_has_no_growth() -> None:
    growth = sweep({8: (1.0, 4.0), 16: (float("inf"), 2.0)}).growth("mup", "logits", "size")
    assert growth.mean is None and isinstance(growth.interval, Undefined)
    assert tendency("attention", growth, Growth(0.0, UNKNOWN)) == "not finite"


@pytest.mark.parametrize(
    ("part", "size", "change", "word"),
    [
        ("attention", 0.1, -0.1, "flat"),
        ("attention", 0.1, 0.5, "grows"),
        ("attention", -0.5, 0.1, "shrinks"),
        ("logits", -0.5, 0.1, "flat"),
        ("logits", 0.0, 0.5, "grows"),
    ],
)
def test_the_word_for_two_powers(part: str, size: float, change: float, word: str) -> None:
    assert tendency(part, Growth(size, UNKNOWN), Growth(change, UNKNOWN)) == word


def test_stacks_differ_in_the_knob_and_the_parametrisation_only() -> None:
    model = ModelSpec(d_model=64, num_heads=4, num_layers=3)
    stacks = variants(model, "d_model", (32, 16))
    assert list(stacks) == [("standard", 16), ("standard", 32), ("mup", 16), ("mup", 32)]
    assert stacks["mup", 32] == model.model_copy(update={"d_model": 32, "parametrisation": MupSpec(base_d_model=16)})
    assert stacks["standard", 16] == model.model_copy(update={"d_model": 16})
    deep = variants(model, "num_layers", (2, 4))["mup", 4].parametrisation
    assert deep == MupSpec(base_d_model=64, base_num_layers=2)


def test_a_study_that_is_parametrised_is_checked_as_it_is_and_against_standard() -> None:
    scaled = MupSpec(base_d_model=48, base_num_layers=6, depth_exponent=0.5)
    stacks = variants(ModelSpec(d_model=64, num_heads=4, parametrisation=scaled), "d_model", (16, 32))
    assert stacks["mup", 16].parametrisation == scaled
    assert stacks["standard", 16].parametrisation == StandardSpec()


@pytest.mark.parametrize(
    ("knob", "values", "model", "message"),
    [
        ("d_model", (32,), {}, "--widths 32: expected two different"),
        ("d_model", (32, 32), {}, "--widths 32,32: expected two different"),
        ("d_model", (32, 36), {}, r"--widths 36: num_heads = 8 .* does not divide d_model = 36"),
        ("d_model", (0, 32), {}, "--widths 0,32: expected .* positive"),
        ("d_model", (16, 32), {"d_ff": 64}, "set model.d_ff=null"),
        ("num_layers", (1,), {}, "--depths 1"),
        ("num_layers", (0, 2), {}, "--depths 0,2: expected .* positive"),
        ("num_layers", (2, 4), {"num_heads": (1, 2), "num_layers": 2}, "lists 2 values for num_layers = 4"),
        ("num_layers", (2, 4), {"norm": NormSpec(placement="post")}, "--depths 2: .*norms before"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(knob: Any, values: tuple[int, ...], model: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        variants(ModelSpec(**model), knob, values)


@pytest.mark.trains
def test_a_check_reads_every_stack_at_every_step_and_leaves_nothing_behind(bench: Bench) -> None:
    spec = bench.spec(model={"num_layers": 2}, schedule={"warmup_steps": 9})
    lines: list[str] = []
    swept = check(spec, bench.out.root, knob="d_model", values=(8, 4), seeds=(1, 2), steps=2, tell=lines.append)
    assert swept.values == (4, 8)
    assert lines == [
        "d_model 4, standard (1 of 4)",
        "d_model 8, standard (2 of 4)",
        "d_model 4, mup (3 of 4)",
        "d_model 8, mup (4 of 4)",
    ]
    assert len(swept.readings) == 4 * 2 * 3 * len(swept.parts())
    assert not bench.out.runs.exists()
    # At the base's width both parametrisations are the same stack, trained on the same batches.
    at_base = [
        [row[2:] for row in swept.readings if row.kind == kind and row.value == 4] for kind in ("standard", "mup")
    ]
    assert at_base[0] == at_base[1]
    # The first step moves already: there is no warm-up.
    assert all(row.change > 0 for row in swept.readings if row.step == 1)


def test_over_depths_blocks_within_are_left_out() -> None:
    names = ("embedding", "after block 1", "after the last block")
    readings = tuple(Reading("mup", depth, 1, 0, part, 1.0, 0.0) for depth in (2, 4) for part in names)
    assert Sweep("num_layers", (2, 4), (1,), 0, readings).parts() == ("embedding", "after the last block")
    assert Sweep("d_model", (2, 4), (1,), 0, readings).parts() == names
