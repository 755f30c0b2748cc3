from pathlib import Path

from stacklab.api import load_study
from stacklab.cli.plan import _sooner


def test_the_projected_time_says_what_would_shorten_it(tmp_path: Path) -> None:
    def said(*overrides: str) -> str:
        return _sooner(load_study("depth-tasks", scale="smoke", overrides=overrides, out=tmp_path).plan())

    assert said() == " at most, for runs stop once solved; 12 of 12 runs can be trained together (--engine replicas)"
    assert said("train.stop=null") == "; 12 of 12 runs can be trained together (--engine replicas)"
    assert said("train.stop=null", "model.dropout=0.1") == ""
