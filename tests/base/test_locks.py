import os
import subprocess
import sys
from pathlib import Path

import pytest

from stacklab.base.errors import BusyError
from stacklab.base.locks import exclusive

HOLD = """
import sys; from pathlib import Path; from stacklab.base.locks import exclusive
with exclusive(Path(sys.argv[1]), what="study x"):
    print("held", flush=True); sys.stdin.read()
"""


def test_a_second_process_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        held = pytest.raises(BusyError, match=f"study x is in use by process {other.pid}")
        with held, exclusive(tmp_path, what="study x"):
            pass
        other.kill()
        other.wait()
    with exclusive(tmp_path, what="study x"):
        pass


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_the_name_of_the_holder_is_not_written_through_a_link(tmp_path: Path, kind: str) -> None:
    victim, holder = tmp_path / "victim", tmp_path / "study" / ".lock.json"
    holder.parent.mkdir()
    victim.write_text("precious\n")
    if kind == "link":
        holder.symlink_to(victim)
    else:
        os.mkfifo(holder)
    with exclusive(holder.parent, what="study x"):
        assert f'"pid": {os.getpid()}' in holder.read_text()
    assert victim.read_text() == "precious\n"
    assert not holder.exists()
