"""One thing that a reader must know of a ledger, and its words."""

from typing import Literal

from stacklab.base.spec import Spec
from stacklab.base.units import confidence
from stacklab.study.results.ledger.entry import Decided

Kind = Literal[
    "damaged",
    "altered",
    "late",
    "withdrawn",
    "earlier verdict",
    "opposed",
    "reworded",
    "other settings",
    "other folder",
    "not recorded",
]


class Remark(Spec):
    """kind: late for a claim made or changed after results; not recorded for what an earlier version left out. about:
    the comparison or run; empty for the study."""

    kind: Kind
    about: str
    text: str


def verdict_text(verdict: Decided) -> str:
    if verdict.difference is None or verdict.level is None:
        return verdict.verdict + (f" ({verdict.reason})" if verdict.reason else "")
    ends = f"{confidence(verdict.level)} CI [{verdict.low:+.4g}, {verdict.high:+.4g}]"
    return f"{verdict.verdict}, difference {verdict.difference:+.4g}, {ends}"
