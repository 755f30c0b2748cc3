"""Looking again after more seeds, without raising the error level."""

from stacklab.base.errors import SpecError


def look_level(level: float, looks: int, max_looks: int) -> float:
    """The level to judge at, at the `looks`-th look (1, 2, ...) of a design that declared `max_looks` beforehand.

    An equal share of `level` for every look (Bonferroni; fixed shares of the level for repeated looks are due to Slud
    and Wei 1982). The shares sum to `level`, so the probability that any look errs is at most `level`, however the
    looks depend on each other and however many seeds each adds, as long as the numbers of seeds do not depend on the
    results. To add seeds as the results bid, declare the numbers of seeds beforehand and pass the place and the length
    of that list: any choice among declared numbers is covered too, a free choice is not (docs/statistics.md). Raises
    SpecError past the last declared look and for a level outside (0, 1).

    >>> look_level(0.05, 2, 5)
    0.01
    """
    if not 0 < level < 1:
        raise SpecError(f"level {level:g}: expected a number between 0 and 1")
    if max_looks < 1 or looks < 1:
        raise SpecError(f"look {looks} of {max_looks}: looks are counted from 1")
    if looks > max_looks:
        raise SpecError(
            f"look {looks}: the design declared {max_looks} {'look' if max_looks == 1 else 'looks'} and the whole "
            f"level {level:g} is spent on them; a further look needs new seeds under a new study"
        )
    return level / max_looks
