"""The stages of a study once there are results: the runs that each of them needs.

The saved plan never changes; the runs of a later stage follow from it and from the results of the earlier stages.
"""

from collections.abc import Callable
from pathlib import Path

from stacklab.study.planning.plan import Plan
from stacklab.study.planning.stages import MAIN, RETRIES, TUNING, Stage
from stacklab.study.planning.tuning import tuning_plan
from stacklab.study.results.cells import to_retry
from stacklab.study.results.tuning import with_tuned

NEEDED: dict[Stage, Callable[[Plan, Path], Plan]] = {
    TUNING: lambda plan, out: tuning_plan(plan),
    MAIN: with_tuned,
    RETRIES: lambda plan, out: to_retry(with_tuned(plan, out), out),
}
"""In the order in which they are trained. Each of them is known once the runs of those before it have ended."""
