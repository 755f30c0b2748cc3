"""The device of a plan, with pretended cards: there is none here."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file
from tests.study.planned import planned

from stacklab.base.errors import CheckpointError, DeviceError, SpecError
from stacklab.run.paths import OutPaths
from stacklab.run.timing.cost import DeviceFacts
from stacklab.study.engines import machine
from stacklab.study.planning import device
from stacklab.study.planning.device import check_begun, check_room, device_facts, utilisation
from stacklab.study.planning.memory import memory_of
from stacklab.study.spec.request import StudyRequest

CARD = DeviceFacts(device="cuda", precision="bf16", compiled=True, card="NVIDIA L4", free_bytes=2**34)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Pretends one card, and a torch that answers every arm with the last of these."""
    made: list[Any] = [CARD]
    monkeypatch.setattr(device, "gpus", lambda: ["0"])
    monkeypatch.setattr(machine, "gpus", lambda: ["0"])

    def measured(name: str, question: str, out: Path, *, threads: int, mend: str) -> str:
        return json.dumps([made[-1].dump() for _ in json.loads(question)])

    monkeypatch.setattr(device, "measured", measured)
    return made


def test_a_machine_without_a_card_is_not_asked_about_it(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "gpus", list)
    monkeypatch.setattr(device, "measured", None)
    assert device_facts(planned(tiny), tiny.parent) == {}


def test_what_the_device_cannot_do_is_refused_by_the_arm_that_requests_it(tiny: Path, answers: list[Any]) -> None:
    plan = planned(tiny)
    assert device_facts(plan, tiny.parent) == {arm.name: CARD for arm in plan.arms}
    answers.append(DeviceFacts(refused="no bf16"))
    with pytest.raises(DeviceError, match=f"arm {plan.arms[0].name}: no bf16"):
        device_facts(plan, tiny.parent)


def test_utilisation_is_the_share_of_the_stated_rate(tiny: Path) -> None:
    """FLOPs of a step over 121e12 per second, the rate of an L4."""
    arm = planned(tiny).arms[0]
    tokens = arm.config.train.batch_size * arm.config.data.block_size
    assert utilisation(arm, CARD, step_seconds=0.5, cards=1) == pytest.approx(
        arm.flops_per_token * tokens / 0.5 / 121e12
    )
    assert utilisation(arm, CARD, step_seconds=0.25, cards=2) == utilisation(arm, CARD, step_seconds=0.5, cards=1)
    for unknown in ({"card": "a prototype"}, {"precision": "fp32"}):
        assert utilisation(arm, CARD.model_copy(update=unknown), step_seconds=0.5, cards=1) is None


def test_a_run_that_began_in_another_number_format_is_refused(tiny: Path, answers: list[Any]) -> None:
    """Where `auto` is another precision than on the device it began on; what states none is read."""
    plan, out = planned(tiny), tiny.parent
    facts = device_facts(plan, out)
    arm, _, spec = plan.runs()[-1]
    checkpoint = OutPaths(out).run(spec.run_id).checkpoint
    checkpoint.parent.mkdir(parents=True)
    for metadata in ({}, {"precision": "bf16"}):
        save_file({"x": np.zeros(1)}, checkpoint, metadata)
        check_begun(plan.runs(), facts, out)
    fp16 = facts | {arm.name: CARD.model_copy(update={"precision": "fp16"})}
    for here, precision in ((fp16, "fp16"), ({}, "fp32")):
        with pytest.raises(CheckpointError, match=f"{spec.run_id}/.*began in bf16, but trains in {precision} here"):
            check_begun(plan.runs(), here, out)
        check_begun(plan.runs()[:-1], here, out)


def test_on_a_card_its_memory_counts_and_the_runs_that_share_it(tiny: Path, answers: list[Any]) -> None:
    plan = planned(tiny)
    facts = device_facts(plan, tiny.parent)
    request = StudyRequest(out=tiny.parent)
    check_room(plan, request, facts, workers=1)
    small = {name: one.model_copy(update={"free_bytes": 3 * 2**28}) for name, one in facts.items()}
    check_room(plan, request, small, workers=1)
    with pytest.raises(SpecError, match=r"--runs-per-gpu 1 fits"):
        check_room(plan, request.model_copy(update={"runs_per_gpu": 2}), small, workers=2)


def test_cards_that_share_a_run_hold_a_share_of_its_batch(tiny: Path, answers: list[Any]) -> None:
    config = planned(tiny, "train.batch_size=4").arms[0].config
    whole, half = (memory_of(config, cards=cards) for cards in (1, 2))
    assert half == memory_of(planned(tiny, "train.batch_size=2").arms[0].config, cards=1)
    assert half.activations < whole.activations and half.weights == whole.weights


def test_an_arm_on_a_card_is_estimated_as_on_a_card(tiny: Path, answers: list[Any]) -> None:
    on_card, on_cpu = planned(tiny), planned(tiny, "train.device=cpu")
    assert on_card.arms[0].memory_bytes != on_cpu.arms[0].memory_bytes
