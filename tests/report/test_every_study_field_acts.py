"""Each field of a study's specification is flipped; what a reader is shown, or the refusal, must change."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from stacklab.base.errors import StacklabError
from stacklab.cli import studies as listing
from stacklab.report.drawing.csv import figure_csv
from stacklab.report.facts import references
from stacklab.report.facts.build import build_facts
from stacklab.report.pages.markdown import render_markdown
from stacklab.report.sections.registry import csv_files, figures, sections
from stacklab.stats import bootstrap, unpaired
from stacklab.study.spec.load import read_study
from stacklab.study.spec.study import StudySpec
from tests.report.conftest import MakeStudy, gridded_tree

FLIPS: dict[str, Any] = {
    "name": "deep",
    "title": "Another title",
    "question": "Another question?",
    "background": "Another background.",
    "knobs": ["model.d_model"],
    "limits": ["Another limit."],
    "control": "layers-12",
    "arms.wide-1-parameters.label": "wide",
    "arms.layers-1.change": {"model.num_layers": 3},
    "arms.wide-1-parameters.match": None,
    "arms.wide-1-parameters.consequences": [],
    "arms.wide-1-parameters.match.quantity": "flops_per_token",
    "arms.wide-1-parameters.match.to": "layers-8",
    "arms.wide-1-parameters.match.knob": "model.d_ff",
    "arms.wide-1-parameters.match.multiple_of": 32,
    "arms.wide-1-parameters.match.tolerance": 1e-6,
    "claims.0.id": "another",
    "claims.0.statement": "another statement",
    "claims.0.metric": "train_probe.perplexity",
    "claims.0.arm": "layers-8",
    "claims.0.against": ["layers-1"],
    "claims.0.direction": "higher",
    "claims.2.margin": 5.0,
    "claims.0.level": 0.1,
    "claims.0.matters": "99%",
    "claims.0.primary": True,
    "claims.0.power": 0.5,
    "aggregates.0.name": "other",
    "aggregates.0.label": "Another label",
    "aggregates.0.metrics": ["accuracy.hops_1", "accuracy.hops_2"],
    "grid": None,
    "grid.axes": {
        "layers": {"path": "model.num_layers", "values": [1, 12]},
        "heads": {"path": "model.num_heads", "values": [2, 4, 8]},
    },
    "grid.axes.heads.path": "model.d_ff",
    "grid.axes.heads.values": [2, 8],
    "grid.depth": "heads",
    "grid.across": "layers",
    "grid.metric": "train_probe.loss",
    "grid.solved": 0.5,
    "grid.predicted": None,
    "grid.predicted.label": "another rule",
    "grid.predicted.depths": [{"at": {}, "depth": "1"}],
    "grid.predicted.depths.0.at": {"heads": "4"},
    "grid.predicted.depths.0.depth": "1",
    "trend": None,
    "trend.metric": "train_probe.loss",
    "trend.against": "total_layers",
    "trend.series": {"two": ["layers-1-heads-2"], "four": ["layers-1-heads-4"]},
    "trend.reference": "four",
    "trend.at": 30,
    "trend.reported": {"four": 0.5},
    "scales.smoke.description": "another",
    "scales.smoke.expected_time": "a year",
    "scales.smoke.set": {"train.steps": 40},
    "scales.smoke.arms": ["layers-1", "layers-12"],
    "scales.smoke.claims": ["validation"],
    "scales.smoke.seeds": [1, 2, 3],
    "scales.smoke.tuning": None,
    "scales.smoke.tuning.learning_rates": [1e-3, 4e-3],
    "scales.smoke.tuning.weight_decays": [0.0, 0.1],
    "scales.smoke.tuning.seeds": [8],
    "scales.smoke.retry": {"learning_rates": [1e-3]},
    "scales.smoke.demonstration": True,
    "source.title": "Another source",
    "source.reported": [],
    "source.differences": ["Another difference."],
    "source.reported.1.arm": "layers-12",
    "source.reported.1.metric": "validation.loss",
    "source.reported.1.value": 9.5,
    "source.reported.1.note": "another note",
}
ELSEWHERE = {"base", "arms", "claims", "aggregates", "scales", "source"}
"""Held by the flips of what they contain; the base by those of the run's specification."""


def specs(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and the models of its fields, except the base, whose fields belong to a run."""
    yield model
    for name, field in model.model_fields.items():
        for kind in (field.annotation, *_members(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel) and name != "base":
                yield from specs(kind)


def _members(kind: Any) -> Iterator[Any]:
    for member in get_args(kind):
        yield member
        yield from _members(member)


def flipped(path: str) -> dict[str, Any]:
    tree = gridded_tree()
    node: Any = tree
    *groups, leaf = path.split(".")
    for group in groups:
        node = node[int(group) if isinstance(node, list) else group]
    node[leaf] = FLIPS[path]
    return tree


def shown(tree: dict[str, Any], folder: Path, *, make_study: MakeStudy) -> list[str]:
    """The report of the smoke scale with its data, or the one line of the refusal."""
    try:
        spec = read_study(str(written(tree, folder)), scale="smoke")
        result = make_study(tree=spec.dump(), out=folder / "out")
        facts = build_facts(result)
        drawn = figures(sections(facts))
        data = [*map(figure_csv, drawn.values()), *csv_files(sections(facts)).values()]
        return [result.folder.name, render_markdown(facts, sections(facts)), *data]
    except StacklabError as error:
        return [str(error).replace(str(folder), "")]


def written(tree: dict[str, Any], folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "study.yaml"
    made = [name for name in tree["arms"] if "heads" in name]
    file.write_text(
        yaml.safe_dump(tree | {"arms": {k: v for k, v in tree["arms"].items() if k not in made}}, sort_keys=False)
    )
    return file


def test_no_field_is_forgotten() -> None:
    """A new field of a study needs a flip here, or it may be one that nothing reads."""
    found = {name for model in specs(StudySpec) for name in model.model_fields}
    assert found - ELSEWHERE == {path.rsplit(".", 1)[-1] for path in FLIPS} - ELSEWHERE


def test_flipping_shows(
    tmp_path: Path, make_study: MakeStudy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the report, or else in the list of studies."""
    # Intervals need not be good here, only there.
    monkeypatch.setattr(bootstrap.bca_bounds, "__kwdefaults__", {"resamples": 99})
    monkeypatch.setattr(bootstrap, "RESAMPLES", 99)
    monkeypatch.setattr("stacklab.study.results.ledger.write.now", lambda: "2026-01-01T00:00:00+00:00")
    known: dict[Any, Any] = {}

    def remembered(arms: dict[str, Any], against: tuple[float, ...], *, level: float) -> Any:
        key = (tuple(arms.items()), against, level)
        if key not in known:
            known[key] = unpaired.dunnett(arms, against, level=level)
        return known[key]

    # It integrates for a second each time, and few flips change what it is given.
    monkeypatch.setattr(references, "dunnett", remembered)

    def listed(tree: dict[str, Any], folder: Path) -> str:
        monkeypatch.setattr("stacklab.study.spec.load.builtin_studies", lambda: {"one": written(tree, folder)})
        listing.studies()
        return capsys.readouterr().out

    see = functools.partial(shown, make_study=make_study)
    plain = see(gridded_tree(), tmp_path / "plain")
    assert plain == see(gridded_tree(), tmp_path / "again")
    unreported = [path for path in FLIPS if see(flipped(path), tmp_path / path) == plain]
    line = listed(gridded_tree(), tmp_path / "plain")
    assert [path for path in unreported if listed(flipped(path), tmp_path / path) == line] == []
