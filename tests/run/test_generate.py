"""Texts from a run's model."""

import pytest
from tests.run.conftest import Bench

from stacklab.base.errors import DataError
from stacklab.run.execute import execute
from stacklab.run.generate import continue_text
from stacklab.run.open_model import open_model


def test_generation_continues_from_a_run(bench: Bench) -> None:
    paths, out = bench.folder(bench.spec()), bench.out.root
    with pytest.raises(DataError, match="no final weights"):
        open_model(paths.run_id, out)
    execute(paths.folder, threads=1)
    found = open_model(paths.run_id[:6], out)
    texts = [continue_text(found, "The", tokens=12, temperature=1.0, seed=seed) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    with pytest.raises(DataError, match="expected one run"):
        open_model("zzz", out)
