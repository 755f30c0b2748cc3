"""Tables of rates that simulations measure."""

from stacklab.base.spec import Items, Spec

LEVEL = 0.05


class Column(Spec):
    """most: the rate that this error must not exceed; None for other numbers. digits: printed after the point."""

    heading: str
    most: float | None = None
    digits: int = 3


class Row(Spec):
    """keys: what was simulated. values: one per column; None where it was not measured."""

    keys: Items[str]
    values: Items[float | None]


class Table(Spec):
    """One table of `stacklab calibrate`. repeats: simulated studies per row; 0 for exact figures."""

    name: str
    title: str
    caption: str
    repeats: int
    keys: Items[str]
    columns: Items[Column]
    rows: Items[Row]

    def value(self, heading: str, *keys: str) -> float:
        """The number in the column `heading` of the row with these keys. Raises KeyError where there is none."""
        place = {column.heading: number for number, column in enumerate(self.columns)}[heading]
        value = {row.keys: row.values[place] for row in self.rows}[keys]
        if value is None:
            raise KeyError(f"{self.name}: {heading} was not measured for {', '.join(keys)}")
        return value

    def texts(self, row: Row) -> list[str]:
        """The numbers of a row as printed; an error that exceeds its bound by more than three standard errors has a
        mark."""
        return [self._text(column, value) for column, value in zip(self.columns, row.values, strict=True)]

    def _text(self, column: Column, value: float | None) -> str:
        if value is None:
            return ""
        exceeds = column.most is not None and above(value, column.most, self.repeats)
        return f"{value:.{column.digits}f}" + (" !" if exceeds else "")


def above(rate: float, most: float, repeats: int) -> bool:
    """Whether a rate exceeds `most` by more than three standard errors of `repeats` studies; of none it is exact."""
    error = (most * (1 - most) / repeats) ** 0.5 if repeats else 0.0
    return rate > most + 3 * error
