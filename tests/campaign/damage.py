"""Damages every class of bytes of every file of an output folder, and what stands in the file's place."""

import json
import random
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.campaign.bombs import Place
from tests.campaign.ground import command, differences, digest, facts, finished, whole_facts
from tests.campaign.outcomes import Tally, judge
from tests.campaign.warm import Warm

NOTICES = {
    *("damaged", "edited", "altered", "missing", "unfinished", "another", "cannot", "such", "failed", "deleted"),
    *("copied", "invalid", "older", "newer", "without", "not", "ledger", "made"),
}
"""Other results are not silent where a text has one of these words that the text of an undamaged folder has not."""


class Truth(NamedTuple):
    """What an undamaged folder gives. reads: the output of the commands that only read it; shown: the text of the one
    that runs the study to its end; files, facts, whole (the text of all facts): as they are then."""

    reads: list[str]
    shown: str
    files: dict[str, str]
    facts: Any
    whole: str


def truth(warm: Warm, template: Path, data: str, scratch: Path) -> Truth:
    """Of a copy of `template`."""
    folder = scratch / "truth"
    shutil.copytree(template, folder)
    reads = [warm.run(one, folder).out for one in _reads(folder / "o", data)]
    ended = warm.run(command(data), folder)
    assert ended.code == 0, ended.text
    return Truth(reads, ended.text, digest(folder / "o"), facts(folder / "o"), whole_facts(folder / "o"))


def damage(warm: Warm, template: Path, data: str, tally: Tally, scratch: Path, *, most: int) -> None:
    """Damage copies of `template`, `most` times at most (times the scale), in an order that depends on the seed."""
    rng, expected = random.Random(tally.settings.seed), truth(warm, template, data, scratch)
    cases = list(_cases(template / "o", rng))
    for number, (path, name, change) in enumerate(rng.sample(cases, min(len(cases), tally.settings.count(most)))):
        folder = scratch / f"{number}"
        shutil.copytree(template, folder)
        content = change(folder / "o" / path)
        outcome, seen = _tried(warm, folder, data, path, content, expected)
        if content is not None:
            (folder / "damaged").write_bytes(content)
        text = f"{name}: o/{path} (its content: the file `damaged`)\n{shlex.join(command(data))}"
        tally.add(outcome, f"{path}: {seen}", command=text, folder=folder)
        shutil.rmtree(folder)


def _cases(out: Path, rng: random.Random) -> Iterator[tuple[Path, str, Callable[[Path], bytes | None]]]:
    """(file, what is done to it, the function that does it and returns the new content) for every file."""
    for file in sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file()):
        if "report" in file.parts or file.name.startswith(".lock"):
            continue
        whole = (out / file).read_bytes()
        for name, content in {**_edits(whole, rng), **_values(file, whole, rng)}.items():
            yield file, name, lambda path, content=content: _write(path, content)
        for place in (*Place, None):
            yield (
                file,
                f"{place.value if place else 'nothing'} in its place",
                lambda path, place=place: _replace(path, place),
            )
        yield file, "a link to another file in its place", _link


def _write(path: Path, content: bytes) -> bytes:
    path.write_bytes(content)
    return content


def _replace(path: Path, place: Place | None) -> None:
    path.unlink()
    if place:
        place.make(path)


def _link(path: Path) -> None:
    path.unlink()
    (out,) = (above for above in path.parents if above.name == "o")
    victim = out.parent / "victim"
    victim.write_text(VICTIM)
    path.symlink_to(victim)


VICTIM = "precious\n"
"""Content of a file beside the output folder, to which a link in it leads."""


def _edits(whole: bytes, rng: random.Random) -> dict[str, bytes]:
    """One byte of each class replaced; the file cut, extended, repeated, blanked."""

    def flipped(place: int) -> bytes:
        return whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :]

    edits = {f"a bit flipped in {name}": flipped(rng.choice(places)) for name, places in _classes(whole).items()}
    half, line = len(whole) // 2, whole.find(b"\n") + 1
    edits |= {"cut to nothing": b"", "cut in half": whole[:half], "last byte cut": whole[:-1], "doubled": whole * 2}
    edits |= {"a byte appended": whole + b"\n", "blanked": bytes(len(whole)), "first line cut": whole[line:]}
    edits |= {"half blanked": whole[:half] + bytes(len(whole) - half), "random": rng.randbytes(len(whole) or 9)}
    return {name: content for name, content in edits.items() if content != whole}


CLASSES = {
    "digits": rb"[0-9]",
    "letters": rb"[A-Za-z]",
    "quotes": rb"\"",
    "brackets": rb"[\[\]{}]",
    "commas": rb"[,:.-]",
    "blanks": rb"\s",
}


def _classes(whole: bytes) -> dict[str, list[int]]:
    """Class -> the places of its bytes. Text by characters, tensors by header and content."""
    try:
        whole.decode()
    except UnicodeDecodeError:
        header = 8 + int.from_bytes(whole[:8], "little")
        parts = {"the length": (0, 8), "the header": (8, header), "the content": (header, len(whole))}
        if not 8 < header < len(whole):
            parts = {"the start": (0, 8), "the middle": (8, len(whole) - 8), "the end": (len(whole) - 8, len(whole))}
        return {name: list(range(*ends)) for name, ends in parts.items() if ends[0] < ends[1]}
    places = {name: [found.start() for found in re.finditer(form, whole)] for name, form in CLASSES.items()}
    return {name: some for name, some in places.items() if some}


def _values(path: Path, whole: bytes, rng: random.Random) -> dict[str, bytes]:
    """JSON of another type, and a number changed by a digit that leaves it a number."""
    if path.suffix not in (".json", ".jsonl"):
        return {}
    others = {
        f"{text} as content": text.encode() for text in ("[]", "null", "{}", "1", '"x"', '{"a": NaN}', "[" * 5000)
    }
    numbers = [found.span() for found in re.finditer(rb"(?<=[: \[])-?\d+\.?\d*(?=[,\n}\]])", whole)]
    for start, end in rng.sample(numbers, min(3, len(numbers))):
        digit = rng.randrange(start, end)
        if whole[digit : digit + 1].isdigit():
            new = bytes([ord("1") + (whole[digit] - ord("0")) % 9])
            others[f"a digit edited at {digit}"] = whole[:digit] + new + whole[digit + 1 :]
    try:
        tree = json.loads(whole)
    except ValueError:
        return others
    for key in tree if isinstance(tree, dict) else ():
        others[f"without {key}"] = json.dumps({name: value for name, value in tree.items() if name != key}).encode()
    return others


def _reads(out: Path, data: str) -> list[list[str]]:
    """Commands that read the folder: the state of all runs, their results, the weights of the first run."""
    first = min(path.name for path in out.glob("runs/*"))
    texts = ("status", f"compare {data}-smoke/one {data}-smoke/two", f"generate {first} -n 8 -p record")
    return [["stacklab", *text.split(), "-o", "o"] for text in texts]


def _said(text: str, usual: str, file: Path) -> bool:
    words = set(re.findall(r"\w+", text)) - set(re.findall(r"\w+", usual))
    return file.name in text or not words.isdisjoint(NOTICES)


def _tried(warm: Warm, folder: Path, data: str, file: Path, content: bytes | None, expected: Truth) -> tuple[str, str]:
    """The worst outcome of the commands that read the folder, then of the one that runs the study again."""
    out = folder / "o"
    kept = finished(out)
    for one, usual in zip(_reads(out, data), expected.reads, strict=True):
        ended = warm.run(one, folder, seconds=30)
        outcome, seen = judge(ended)
        if outcome in ("traceback", "hang"):
            return outcome, f"{one[1]}: {seen}"
        # A run without its spec, for example, is shown as missing; numbers differ only where something says why.
        if ended.code == 0 and ended.out != usual and not _said(ended.text, usual, file):
            return "silent", f"{one[1]} prints something else and does not say why"
    ended = warm.run(command(data), folder)
    outcome, seen = judge(ended)
    victim = folder / "victim"
    if victim.exists() and victim.read_text() != VICTIM:
        return "lost", "a link was written through"
    if outcome == "survived":
        return _checked(out, file, content, expected, ended.text)
    if outcome == "refused":
        return _mended(warm, folder, data, file, kept, expected, seen)
    return outcome, f"run: {seen}"


def _checked(out: Path, file: Path, content: bytes | None, expected: Truth, text: str) -> tuple[str, str]:
    """Whether all is as in an undamaged folder. A damaged file may have stayed where nothing was computed from it."""
    wrong = differences(digest(out), expected.files)
    if str(file) in wrong and _untouched(out / file, content):
        wrong.remove(str(file))
    if wrong and not _said(text, expected.shown, file):
        return "silent", f"run: other content of {', '.join(wrong[:3])}"
    if facts(out) != expected.facts and not _said(text + whole_facts(out), expected.shown + expected.whole, file):
        return "silent", "the report says something else"
    return "survived", ""


def _untouched(path: Path, content: bytes | None) -> bool:
    """Whether the damage is still there; content: None for what is no regular file."""
    whole = path.is_file() and not path.is_symlink()
    return (whole and path.read_bytes() == content) if content is not None else not whole


def _mended(
    warm: Warm, folder: Path, data: str, file: Path, kept: dict[str, str], expected: Truth, seen: str
) -> tuple[str, str]:
    """What was refused can be mended: without the folder of the damaged file, the same command comes to its end."""
    out = folder / "o"
    unit = out.joinpath(*file.parts[:2])
    own = str(unit.relative_to(out))
    gone = [path for path in differences(finished(out), kept) if path in kept and not path.startswith(own)]
    if gone:
        return "lost", f"{seen}; after it {gone[0]} is another"
    shutil.rmtree(unit, ignore_errors=True)
    outcome, why = judge(warm.run(command(data), folder))
    if outcome != "survived":
        return ("lost" if outcome == "refused" else outcome), f"{seen}; without {own}: {why}"
    if wrong := differences(digest(out), expected.files):
        return "silent", f"{seen}; without {own}, {wrong[0]} becomes another"
    return "refused", seen
