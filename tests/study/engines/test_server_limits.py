"""A worker that the system does not let start is a lost run whose reason names the limit; the server goes on."""

import errno
import json
import os

import pytest

from stacklab.study.engines.server import Server


def test_no_more_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr("os.fork", full)
    reader, writer = os.pipe()
    server = Server(writer)
    server._handle({"job": 3, "folders": ["a", "b"], "together": "x", "device": None, "ranks": 1})
    rows = [json.loads(line) for line in os.read(reader, 2**16).splitlines()]
    os.close(reader)
    os.close(writer)
    assert [(row["place"], row["status"]) for row in rows[:2]] == [(0, "lost"), (1, "lost")]
    assert "the limit of processes is reached" in rows[0]["reason"]
    assert rows[2] == {"job": 3, "code": 1}
    assert server.workers == {}
