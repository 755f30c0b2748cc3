"""Sequences as words, for docstrings, pages and error messages."""

import numpy as np

from stacklab.tasks.batch import IGNORE, Ids
from stacklab.tasks.protocol import Exercise

NO_TARGET = "."


def show(task: Exercise, tokens_T: Ids, targets_T: Ids) -> str:
    """Two aligned lines: the tokens, and under each its target, if it has one."""
    tokens = ["tokens ", *(task.names[token] for token in tokens_T)]
    targets = ["targets", *(NO_TARGET if target == IGNORE else task.names[target] for target in targets_T)]
    widths = [max(len(a), len(b)) for a, b in zip(tokens, targets, strict=True)]
    lines = (" ".join(word.rjust(width) for word, width in zip(row, widths, strict=True)) for row in (tokens, targets))
    return "\n".join(lines)


def answered(task: Exercise, words: str) -> str:
    """The tokens named in `words`, with the oracle's answers under them.

    Raises ValueError when a word is not a name of the task's, or there are not `length` words.
    """
    number = {name: index for index, name in enumerate(task.names)}
    unknown = [word for word in words.split() if word not in number]
    if unknown:
        raise ValueError(f"{task.kind}: {unknown[0]!r} names no token; names are {', '.join(task.names[:8])}, ...")
    tokens_T = np.array([number[word] for word in words.split()], dtype=np.int64)
    if tokens_T.size != task.length:
        raise ValueError(f"{task.kind}: {tokens_T.size} words, expected {task.length}, the length of a sequence")
    return show(task, tokens_T, task.oracle(tokens_T[None])[0])


def letters(count: int) -> tuple[str, ...]:
    """a, b, c, ...; beyond 26 s0, s1, s2, ..."""
    if count <= 26:
        return tuple("abcdefghijklmnopqrstuvwxyz"[:count])
    return numbered("s", count)


def numbered(prefix: str, count: int) -> tuple[str, ...]:
    """The prefix with the numbers 0 to count - 1."""
    return tuple(f"{prefix}{index}" for index in range(count))
