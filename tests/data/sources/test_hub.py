import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stacklab.base.errors import DataError, TokenizerError
from stacklab.data.sources import hub
from stacklab.data.sources.hub import hub_rows, hub_tokenizer_file, online
from stacklab.data.sources.spec import HubSpec
from stacklab.data.tokenizers.files import bytes_tokenizer

COT = "wop/XXXXXL-chain-of-thought"


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty home for the hub's caches, an endpoint that refuses, and no memory of an earlier probe."""
    for name in ("HF_HUB_OFFLINE", "HF_HUB_CACHE", "HF_DATASETS_CACHE", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    online.cache_clear()
    yield
    online.cache_clear()


@pytest.mark.parametrize("how", ["refused", "silent", "switched off"])
def test_offline_an_id_fails_at_once_and_says_where_a_file_may_be_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        if how == "silent":
            monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        if how == "switched off":
            monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        import huggingface_hub.file_download  # noqa: F401 - the clock is for the network

        start = time.monotonic()
        with pytest.raises(
            DataError, match=rf"{COT}: the hub cannot be reached and {tmp_path}/datasets holds no copy"
        ) as data:
            list(hub_rows(HubSpec(id=COT)))
        with pytest.raises(
            TokenizerError, match=rf"the hub cannot be reached and {tmp_path}/hub holds no copy"
        ) as tokenizer:
            hub_tokenizer_file("Qwen/Qwen2.5-0.5B")
        assert time.monotonic() - start < 2
    for caught in (data, tokenizer):
        assert "{kind: file, path: ...}" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_name_lookup_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, over = threading.Event(), threading.Event()

    def hang() -> bool:
        asked.set()
        return over.wait(30)

    monkeypatch.setattr(hub, "_answers", hang)
    start = time.monotonic()
    assert not online()
    over.set()
    assert asked.is_set()
    assert time.monotonic() - start < 5


def test_what_is_no_hub_id_is_refused() -> None:
    with pytest.raises(DataError, match=r"'\./data\.jsonl' is not a hub id"):
        list(hub_rows(HubSpec(id="./data.jsonl")))
    with pytest.raises(TokenizerError, match="is not a hub id"):
        hub_tokenizer_file("../x")


def test_a_tokenizer_in_the_cache_is_used_without_a_probe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0" * 40
    repository = tmp_path / "hub" / "models--own--tok"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "snapshots" / commit / "tokenizer.json").write_text(bytes_tokenizer().text, encoding="utf-8")

    def no_probe() -> bool:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(hub, "online", no_probe)
    assert hub_tokenizer_file("own/tok").read_text(encoding="utf-8") == bytes_tokenizer().text


LOAD_THEN_READ_OFFLINE = """
import json, sys
from pathlib import Path
import datasets
from stacklab.data.sources.hub import hub_rows
from stacklab.data.sources.spec import HubSpec
home, rows, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
stored = name.split("/")[1].lower()
datasets.load_dataset("json", data_files=rows)
made = next((home / "datasets" / "json").glob("*/*/*/dataset_info.json")).parent
kept = home / "datasets" / f"wop___{stored}" / "default" / "0.0.0" / made.name
kept.parent.mkdir(parents=True)
made.rename(kept)
info = json.loads((kept / "dataset_info.json").read_text())
(kept / "dataset_info.json").write_text(json.dumps(info | {"config_name": "default", "dataset_name": stored}))
(kept / "json-train.arrow").rename(kept / f"{stored}-train.arrow")
read = list(hub_rows(HubSpec(id=name, split="train[1:]")))
assert datasets.config.HF_HUB_OFFLINE, "every request would be retried for 20 seconds"
print(json.dumps(read))
"""


def test_a_data_set_that_was_loaded_before_is_read_offline_through_datasets(tmp_path: Path) -> None:
    """What `datasets` leaves behind after loading from the hub is imitated: a local load, moved to the id's place."""
    rows = [{"messages": [{"role": "user", "content": f"question {number}"}]} for number in range(3)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-c", LOAD_THEN_READ_OFFLINE, str(tmp_path), str(tmp_path / "rows.jsonl"), COT]
    printed = subprocess.run(command, env=dict(os.environ), text=True, timeout=120, check=True, capture_output=True)
    assert json.loads(printed.stdout) == [
        [f"{COT} (train[1:]): row 1", rows[1]],
        [f"{COT} (train[1:]): row 2", rows[2]],
    ]
