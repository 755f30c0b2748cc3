"""A program that runs the folders it is given: the tests press its Ctrl-C. Arguments: engine, then folders.

There is no guard around the code below, as in many people's scripts: workers must not run it again.
"""

import sys
from pathlib import Path

from stacklab.base.errors import Interrupted
from stacklab.study.engines.inline import InlineEngine
from stacklab.study.engines.processes import ProcessesEngine
from stacklab.study.engines.protocol import Engine, Silent

TARGET = "fake_runs:execute"
ENGINES: dict[str, Engine] = {
    "inline": InlineEngine(target=TARGET),
    "processes": ProcessesEngine(workers=2, target=TARGET, preload=()),
}

print("began", flush=True)
try:
    ENGINES[sys.argv[1]].run([Path(name) for name in sys.argv[2:]], watch=Silent())
except Interrupted as error:
    print(error)
    sys.exit(error.exit_code)
