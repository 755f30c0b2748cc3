"""Values that specs of a study share the rules of."""


def check_distinct(values: tuple[float, ...]) -> tuple[float, ...]:
    """The values, if none is given twice. Raises ValueError."""
    if repeated := {value for value in values if values.count(value) > 1}:
        raise ValueError(f"{min(repeated):g} is given twice")
    return values


def check_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The seeds, if there is one at least, none negative and none twice. Raises ValueError."""
    if not seeds:
        raise ValueError("at least one seed is needed")
    if repeated := {seed for seed in seeds if seeds.count(seed) > 1}:
        raise ValueError(f"seed {min(repeated)} is given twice; a repeated seed is the same run, not another sample")
    if min(seeds) < 0:
        raise ValueError(f"seed {min(seeds)} is negative")
    return seeds
