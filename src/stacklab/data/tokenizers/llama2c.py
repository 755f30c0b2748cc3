"""llama2.c's tokenizer.bin (github.com/karpathy/llama2.c, tokenizer.py) as a tokenizer.json with the same ids.

The file: the longest piece's bytes (int32), then for each piece its score (float32), its bytes (int32 and the text).
Ids 0 to 2 are the unknown, the start and the end, then come the 256 bytes, then pieces with a blank for a word's start.
"""

import json
import struct
from pathlib import Path
from typing import Any

from stacklab.base.errors import TokenizerError
from stacklab.base.files import read_bytes
from stacklab.data.tokenizers.files import TokenizerFile

SPECIAL = ("<unk>", "<s>", "</s>")
FIRST_PIECE = len(SPECIAL) + 256
BLANK = "▁"
PIECE = struct.Struct("<fi")


def read_llama2c_tokenizer(path: Path) -> TokenizerFile:
    """The tokenizer in the file. Raises TokenizerError when it is not a llama2.c tokenizer."""
    scored = _pieces(path)
    content = {
        "version": "1.0",
        "added_tokens": [_special(index, name) for index, name in enumerate(SPECIAL)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Prepend", "prepend": BLANK},
                {"type": "Replace", "pattern": {"String": " "}, "content": BLANK},
            ],
        },
        "post_processor": _start_added(SPECIAL[1]),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": BLANK}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "unk_token": SPECIAL[0],
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: index for index, (piece, _) in enumerate(scored)},
            "merges": _merges(scored),
        },
    }
    file = TokenizerFile(str(path), json.dumps(content, ensure_ascii=False), {})
    file.load()
    return file


def _merges(scored: list[tuple[str, float]]) -> list[list[str]]:
    """run.c repeatedly joins the two neighbours whose join has the highest score: merges in that order."""
    known = {piece for piece, _ in scored}
    whole = sorted(scored[FIRST_PIECE:], key=lambda each: -each[1])
    return [
        [piece[:cut], piece[cut:]]
        for piece, _ in whole
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known
    ]


def _pieces(path: Path) -> list[tuple[str, float]]:
    """(text, score) by id."""
    raw, pieces, place = read_bytes(path), [], 4
    try:
        while place < len(raw):
            score, size = PIECE.unpack_from(raw, place)
            place += PIECE.size
            if size < 1 or place + size > len(raw):
                raise ValueError(f"a piece of {size} bytes")
            pieces.append((raw[place : place + size].decode().replace(" ", BLANK), score))
            place += size
    except (struct.error, ValueError) as error:
        raise TokenizerError(f"{path}: not a llama2.c tokenizer (at byte {place}: {error})") from error
    if len(pieces) <= FIRST_PIECE or pieces[3][0] != "<0x00>":
        raise TokenizerError(f"{path}: not a llama2.c tokenizer ({len(pieces)} pieces, without the 256 bytes)")
    return [(name, 0.0) for name in SPECIAL] + pieces[len(SPECIAL) :]


def _special(index: int, name: str) -> dict[str, Any]:
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": name, "special": True, **plain}


def _start_added(name: str) -> dict[str, Any]:
    start = {"SpecialToken": {"id": name, "type_id": 0}}
    texts = [{"Sequence": {"id": label, "type_id": kind}} for kind, label in enumerate("AB")]
    tokens = {name: {"id": name, "ids": [SPECIAL.index(name)], "tokens": [name]}}
    return {
        "type": "TemplateProcessing",
        "single": [start, texts[0]],
        "pair": [start, *texts],
        "special_tokens": tokens,
    }
