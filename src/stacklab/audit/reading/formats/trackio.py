"""trackio: `trackio get metric --json`, an object with the run, the metric and a list of steps and values."""

from stacklab.audit.reading.build import build_log
from stacklab.audit.reading.entry import Document, Format, Row
from stacklab.audit.reading.log import Log
from stacklab.audit.reading.names import entry_of
from stacklab.audit.reading.records import load_json, record_from


def document(file: Document) -> list[Log] | None:
    value = load_json(file.text)
    if (
        not isinstance(value, dict)
        or not isinstance(value.get("metric"), str)
        or not isinstance(value.get("values"), list)
    ):
        return None
    records = [record_from(item) for item in value["values"] if isinstance(item, dict)]
    entries = [
        entry_of({"step": record.get("step", ""), value["metric"]: record.get("value", "")}) for record in records
    ]
    rows = [Row(0, entry) for entry in entries if entry is not None and (entry.losses or entry.refused)]
    return [build_log(rows, name=str(value.get("run") or file.stem), source=file.name)] if rows else None


FORMAT = Format(program="trackio", document=document)
