"""Checks of values that several specs of a study share."""


def check_distinct(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values unchanged. Raises ValueError for a repeated one."""
    if repeated := {value for value in values if values.count(value) > 1}:
        raise ValueError(f"{min(repeated):g} appears twice")
    return values


def check_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds unchanged. Raises ValueError for an empty list, and for a negative or repeated seed."""
    if not seeds:
        raise ValueError("at least one seed is needed")
    if repeated := {seed for seed in seeds if seeds.count(seed) > 1}:
        raise ValueError(f"seed {min(repeated)} appears twice; a repeated seed is the same run, not another sample")
    if min(seeds) < 0:
        raise ValueError(f"seed {min(seeds)} is negative")
    return seeds
