"""The Hugging Face hub: the local cache first, one short probe of the network, never a long retry."""

import functools
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stacklab.base.errors import DataError, TokenizerError
from stacklab.data.record import PlacedRow
from stacklab.data.sources.spec import HubSpec

PROBE_SECONDS = 1.0
_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def hub_rows(spec: HubSpec) -> Iterator[PlacedRow]:
    """(place, row) of a data set of the hub, in its own order.

    Raises DataError at once when the id is not valid, or neither cached nor reachable; and when the hub has no such
    data set, configuration or split.
    """
    data = _load(spec)
    for index, row in enumerate(data):
        yield f"{spec.id} ({spec.split}): row {index + 1}", dict(row)


def hub_tokenizer_file(repository: str) -> Path:
    """The tokenizer.json of a hub id, from the cache or downloaded into it. Raises TokenizerError when there is
    none."""
    if not _ID.fullmatch(repository):
        raise TokenizerError(f"tokenizer.id: {repository!r} is not a hub id; expected name or owner/name")
    _quieten()
    from huggingface_hub import hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(repository, "tokenizer.json", cache_dir=_hub_cache())
    if isinstance(cached, str):
        return Path(cached)
    if not online():
        raise TokenizerError(
            f"{repository}: the hub cannot be reached and {_hub_cache()} holds no copy of this tokenizer; put its "
            "tokenizer.json anywhere and set data.tokenizer={kind: file, path: ...}"
        )
    try:
        return Path(hf_hub_download(repository, "tokenizer.json", cache_dir=_hub_cache()))
    except (OSError, ValueError) as error:
        raise TokenizerError(f"{repository}: no tokenizer.json from the hub ({_one_line(error)})") from error


@functools.cache
def online() -> bool:
    """Whether the hub can be reached, checked once per process and for at most a second.

    HF_HUB_OFFLINE is honoured. The check runs in a thread, since a name lookup has no timeout of its own.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    answered: list[bool] = []
    thread = threading.Thread(target=lambda: answered.append(_answers()), daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answered and answered[0])


def _answers() -> bool:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        request = urllib.request.Request(endpoint, method="HEAD")
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True  # a refusal shows that the hub can be reached
    except (OSError, ValueError):
        return False


def _load(spec: HubSpec) -> Any:
    if not _ID.fullmatch(spec.id):
        raise DataError(f"source.id: {spec.id!r} is not a hub id; expected owner/name (a local file is kind: file)")
    reachable = online()
    if not reachable and not _dataset_is_cached(spec.id):
        raise DataError(
            f"{spec.id}: the hub cannot be reached and {_datasets_cache()} holds no copy of it; "
            "put the records in a jsonl, csv or parquet file and set data.source={kind: file, path: ...}"
        )
    _quieten()
    import datasets
    from huggingface_hub import constants

    if not reachable:  # otherwise every request is retried for 20 seconds
        datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    datasets.disable_progress_bars()
    try:
        return datasets.load_dataset(spec.id, name=spec.config, split=spec.split)
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        where = "the hub" if reachable else f"the copy in {_datasets_cache()}"
        raise DataError(f"{spec.id} ({spec.split}): cannot be loaded from {where} ({_one_line(error)})") from error


def _dataset_is_cached(repository: str) -> bool:
    """Whether `datasets` has prepared it before; it stores owner/MyData as owner___my_data."""
    wanted = repository.replace("/", "___").replace("_", "").lower()
    cache = _datasets_cache()
    return cache.is_dir() and any(entry.name.replace("_", "").lower() == wanted for entry in cache.iterdir())


def _hf_home() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "huggingface"
    return Path(os.environ.get("HF_HOME", default)).expanduser()


def _hub_cache() -> Path:
    return Path(os.environ.get("HF_HUB_CACHE", _hf_home() / "hub")).expanduser()


def _datasets_cache() -> Path:
    return Path(os.environ.get("HF_DATASETS_CACHE", _hf_home() / "datasets")).expanduser()


def _quieten() -> None:
    """Turn off the download counter of `datasets` and telemetry; the user's own values win."""
    os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
