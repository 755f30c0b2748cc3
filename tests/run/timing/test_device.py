from pathlib import Path

import pytest
import torch

from stacklab.run.timing.device import answer
from stacklab.train.spec import TrainSpec


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_every_request_is_answered_with_what_it_trains_on_or_why_it_cannot() -> None:
    requests = [TrainSpec(), TrainSpec(compile="blocks", precision="bf16"), TrainSpec(device="cuda")]
    plain, compiled, refused = answer([request.dump() for request in requests], Path())
    assert (plain["device"], plain["precision"], plain["compiled"], plain["refused"]) == ("cpu", "fp32", False, "")
    assert (compiled["precision"], compiled["compiled"]) == ("bf16", True)
    assert "there is no such device here" in refused["refused"]
