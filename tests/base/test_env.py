import os

import pytest

from stacklab.base.env import ALLOCATOR, DEFAULTS, training_environment


def test_a_users_own_values_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "7")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    found = training_environment()
    assert (found["MALLOC_MMAP_MAX_"], found["OMP_WAIT_POLICY"]) == ("7", "ACTIVE")


def test_training_processes_get_all_settings_and_this_process_only_the_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ALLOCATOR | DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    found = training_environment()
    assert (ALLOCATOR | DEFAULTS).items() <= found.items()
    assert not ALLOCATOR.keys() & os.environ.keys()
