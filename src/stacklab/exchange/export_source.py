"""What an export needs of a run: the final weights, and the tokenizer as other programs read it."""

import json
from typing import Any

from stacklab.base.errors import DataError, PortError
from stacklab.base.files import read_json
from stacklab.data.prepared import PreparedData, load_prepared, prepared_folder
from stacklab.data.spec import Marker
from stacklab.data.tokenizers.files import TokenizerFile
from stacklab.exchange.portable import Portable
from stacklab.run.paths import RunPaths, out_of
from stacklab.run.store import read_spec
from stacklab.tasks.data import TaskData
from stacklab.train.checkpoint import read_weights


def portable_run(run: RunPaths) -> Portable:
    """A finished run; one over a synthetic task has no tokenizer.

    Raises DataError for one that is not finished, PortError for a compact vocabulary.
    """
    if not run.weights.exists() or not run.result.exists():
        raise DataError(f"{run.folder}: has no final weights yet; `stacklab status` shows how far it is")
    spec = read_spec(run)
    origin = {"run": run.run_id, "spec": spec.dump(), "result": read_json(run.result)}
    tensors = read_weights(run.weights)
    if isinstance(spec.data, TaskData):
        return Portable(run.run_id, spec.model, tensors, None, None, None, origin)
    data = load_prepared(prepared_folder(out_of(run).cache, spec.data_fingerprint))
    if data.manifest["unknown_id"] is not None:
        raise PortError(
            f"{run.folder}: its vocabulary is compact: ids were renumbered and rare ones became one, which no "
            "tokenizer file can say; train with data.vocabulary=full to export"
        )
    start_id = data.manifest["tokenizer"]["marker_ids"].get(Marker.END_OF_TEXT.value)
    return Portable(run.run_id, spec.model, tensors, _tokenizer(data), start_id, data.end_id, origin)


def _tokenizer(data: PreparedData) -> TokenizerFile:
    """The tokenizer as the run used it: it added nothing around a text by itself."""
    told = data.manifest["tokenizer"]
    content: dict[str, Any] = json.loads((data.folder / "tokenizer.json").read_text(encoding="utf-8"))
    if (content.get("post_processor") or {}).get("type") != "ByteLevel":  # which only moves offsets
        content["post_processor"] = None
    markers = {Marker(marker): token for marker, token in told["marker_tokens"].items()}
    return TokenizerFile(told["name"], json.dumps(content, ensure_ascii=False), markers)
