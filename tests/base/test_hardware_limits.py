import errno
import os
import signal

import pytest

from stacklab.base.hardware import ended, limit_in, limit_reached


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "limit of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 99 bytes"), "limit of memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "limit of memory"),
        (OSError(errno.EMFILE, "Too many open files"), "limit of open files"),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "limit of processes"),
        (RuntimeError("can't start new thread"), "limit of processes"),
        (OSError(errno.EFBIG, "File too large"), "limit of the size of a file"),
    ],
)
def test_errors_of_a_limit_are_known_also_behind_another_error(error: Exception, message: str) -> None:
    assert message in str(limit_reached(error))
    behind = KeyError("b")
    behind.__cause__ = error
    assert message in str(limit_reached(behind))


@pytest.mark.parametrize("error", [KeyError("memory"), OSError(errno.ENOENT, "No such file"), RuntimeError("shapes")])
def test_other_errors_are_of_no_limit(error: Exception) -> None:
    assert limit_reached(error) is None


def test_exit_codes_of_killed_processes() -> None:
    assert "limit of CPU time" in str(limit_in("", -signal.SIGXCPU))
    assert "limit of the size of a file" in str(limit_in("", -signal.SIGXFSZ))
    assert "limit of memory" in str(limit_in("SystemError: error return without exception set", 1))
    assert "limit of memory is reached: killed by the system" in str(limit_in("", -signal.SIGKILL))
    assert limit_in("", 1) is None
    assert limit_in("", -signal.SIGSEGV) is None


def test_a_process_that_ended_is_named_with_its_limit_or_its_last_words() -> None:
    limited = ended("the workers cannot start", 1, "Traceback\nMemoryError:")
    assert limited.exit_code == 2 and "the workers cannot start: the limit of memory is reached" in str(limited)
    assert "Traceback" not in str(limited)
    other = ended("the workers cannot start", 1, "Traceback\nKeyError: 'a'")
    assert other.exit_code == 1 and str(other) == "the workers cannot start: KeyError: 'a'"
    assert str(ended("a worker died", 3)) == "a worker died: exit code 3"
