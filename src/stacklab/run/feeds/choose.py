"""The feed of a run."""

from pathlib import Path

from stacklab.data.prepared import load_prepared, prepared_folder
from stacklab.run.feeds.protocol import Feed
from stacklab.run.feeds.task import TaskFeed
from stacklab.run.feeds.text import TextFeed
from stacklab.run.spec import RunSpec
from stacklab.tasks.data import TaskData


def open_feed(spec: RunSpec, *, cache: Path) -> Feed:
    """Raises DataError where a text's prepared data are missing or damaged."""
    if isinstance(spec.data, TaskData):
        return TaskFeed(spec, spec.data)
    return TextFeed(spec, load_prepared(prepared_folder(cache, spec.data_fingerprint)))
