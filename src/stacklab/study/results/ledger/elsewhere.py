"""The same comparisons in other study folders: other settings, and every output folder that is known.

Output folders that lie beside one another are known by their place, others from a list that each user has.
"""

import contextlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from stacklab.base.canon import canonical_json
from stacklab.base.errors import DataError, UserError
from stacklab.base.files import append_line, read_jsonl
from stacklab.study.planning.plan import Plan
from stacklab.study.results.ledger.entry import FILE, Record, read_ledger
from stacklab.study.results.ledger.record import entered_contrasts, record
from stacklab.study.results.ledger.remark import Remark, verdict_text


def note_output(out: Path) -> None:
    """Put an output folder on the user's list, once. Without a home that can be written there is no list."""
    path, root = _list_file(), str(out.resolve())
    with contextlib.suppress(OSError, UserError):
        if root not in _listed():
            path.parent.mkdir(parents=True, exist_ok=True)
            append_line(path, canonical_json({"out": root}))


def other_settings(plan: Plan, out: Path) -> tuple[Remark, ...]:
    """The verdicts of the same study and scale in folders of other overrides: settings may have been searched."""
    own = plan.folder(out)
    shared = f"{plan.study.name}-{plan.scale}"
    noted = []
    for path in sorted(own.parent.glob(f"{shared}*/{FILE}")):
        folder = path.parent
        if folder == own or not re.fullmatch(f"{re.escape(shared)}(-[0-9a-f]{{8}})?", folder.name):
            continue
        try:
            entries = read_ledger(folder)
        except UserError as error:
            noted.append(Remark(kind="not recorded", about="", text=f"the ledger in {folder.name}: {error}"))
            continue
        verdicts = {entry.id: entry.decided.verdict for entry in entries if entry.decided}
        if verdicts:
            counted = ", ".join(f"{number} {verdict}" for verdict, number in Counter(verdicts.values()).items())
            text = f"this study was also run with other settings, in {folder.name}: {counted}"
            noted.append(Remark(kind="other settings", about="", text=text))
    return tuple(noted)


def other_folders(plan: Plan, out: Path) -> tuple[Remark, ...]:
    """Verdicts on the same two configurations in other output folders of this user, whatever study, seeds or direction
    they have: runs repeat exactly, so their outcome was known once it was seen there."""
    root = out.resolve()
    try:
        known = {Path(name) for name in _listed()}
    except DataError as error:
        return (Remark(kind="not recorded", about="", text=f"the list of output folders: {error}"),)
    ledgers = {*root.parent.glob(f"*/studies/*/{FILE}")}.union(*(one.glob(f"studies/*/{FILE}") for one in known))
    own: dict[frozenset[str], dict[str, str]] = {}
    for contrast in entered_contrasts(plan):
        own.setdefault(_identities(record(plan, contrast)), {})[contrast.claim.metric] = contrast.id
    noted: list[Remark] = []
    for path in sorted(ledgers):
        if path.parents[2] != root:
            noted += _compared(path, own)
    return tuple(noted)


def _compared(path: Path, own: dict[frozenset[str], dict[str, str]]) -> Iterator[Remark]:
    """The verdicts in another ledger on the pairs of configurations `own`, each about our comparison in the same
    metric, or about the first of the pair. own: pair -> metric -> comparison."""
    where = f"{path.parents[2].name} ({path.parent.name})"
    try:
        entries = read_ledger(path.parent)
    except UserError as error:
        yield Remark(kind="not recorded", about="", text=f"the ledger in {where}: {error}")
        return
    last = {entry.id: entry.decided for entry in entries if entry.decided}
    same = {entry.id: (entry, own[key]) for entry in entries if (key := _identities(entry)) in own}
    for id, (entry, by_metric) in same.items():
        if id in last:
            text = f"the same two configurations were also compared in {where}, as {id}: {verdict_text(last[id])}"
            about = by_metric.get(entry.stated.get("metric", ""), next(iter(by_metric.values())))
            yield Remark(kind="other folder", about=about, text=text)


def _identities(of: Record) -> frozenset[str]:
    """Both configurations; empty for an entry of an earlier version, which recorded none."""
    return frozenset((of.experiment.arm.identity, of.experiment.against.identity)) if of.experiment else frozenset()


def _list_file() -> Path:
    """Where the list of output folders is."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111
    return Path(state) / "stacklab" / "outputs.jsonl"


def _listed() -> list[str]:
    """The output folders on the user's list. Raises DataError where it is damaged."""
    path = _list_file()
    rows = read_jsonl(path) if path.is_file() else []
    if not all(isinstance(row.get("out"), str) for row in rows):
        raise DataError(f"{path}: not a list of output folders; delete it, and runs begin a new one")
    return [row["out"] for row in rows]
