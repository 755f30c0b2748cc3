"""TensorBoard's download of one scalar: `Wall time,Step,Value`, in a file such as run-deep-tag-train_loss.csv."""

import re

from stacklab.audit.reading.entry import Document, Format
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.names import metric_of
from stacklab.audit.reading.table import parse_header, read_table
from stacklab.base.errors import DataError

NAME = re.compile(r"(?:run-(?P<run>.{1,100})-tag-)?(?P<tag>.{1,100})")


def document(file: Document) -> list[Log] | None:
    """Raises DataError where the file's name does not say which loss the values are."""
    lines = list(enumerate(file.text.splitlines(), start=1))
    if not lines or re.sub(r"\W", "", lines[0][1]).lower() != "walltimestepvalue":
        return None
    named = NAME.match(file.stem)
    tag = named["tag"] if named else ""
    # TensorBoard numbers downloads of one name: train_loss (1).csv.
    metric = metric_of(re.sub(r" \(\d{1,4}\)", "", tag))
    header = parse_header(lines[0][1].replace("Value", tag if metric else "loss"))
    if metric is None or header is None:
        raise DataError(
            f"{file.name}:1: the column Value does not say which loss it is; name the file after its tag, such as "
            "run-deep-tag-train_loss.csv or val_loss.csv"
        )
    return read_table(lines[1:], header, source=file.name, stem=(named and named["run"]) or file.stem)


FORMAT = Format(program="TensorBoard's CSV", document=document)
