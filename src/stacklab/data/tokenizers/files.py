"""Tokenizers from a file, from the hub, trained on texts, of bytes or of characters. Each is one tokenizer.json."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from stacklab.base.errors import DataError, TokenizerError
from stacklab.base.files import read_json, read_text
from stacklab.base.hardware import beyond_memory
from stacklab.base.spec import LARGEST
from stacklab.data.groups import grouped
from stacklab.data.sources.hub import hub_tokenizer_file
from stacklab.data.sources.readers import existing_file
from stacklab.data.spec import FileTokenizer, HubTokenizer, Marker
from stacklab.data.tokenizers.library import as_tokenizer_error, check_probe

UNKNOWN_CHARACTER = "\ufffd"
KNOWN_ENDS = ("<|endoftext|>", "<|end_of_text|>", "<|eot_id|>", "</s>", "<eos>")

ID_BYTES = 128
"""Bytes of the trainer's tables for each id that is requested, 70 measured with tokenizers 0.23, and of the text of
tokens."""


@dataclass(frozen=True)
class TokenizerFile:
    """The text of a tokenizer.json, its name for people, and which of its tokens are the markers."""

    name: str
    text: str
    markers: dict[Marker, str] = field(default_factory=lambda: {marker: marker.value for marker in Marker})

    @property
    def hash(self) -> str:
        return hashlib.sha256(f"{self.text}\0{sorted(self.markers.items())}".encode()).hexdigest()[:16]

    def load(self) -> Tokenizer:
        return _parse(self.text, self.name)


def read_tokenizer(spec: HubTokenizer | FileTokenizer) -> TokenizerFile:
    """The tokenizer of a spec. Raises TokenizerError when it is missing, unreachable, or not a tokenizer."""
    path, name = _locate(spec)
    try:
        text = read_text(path)
    except DataError as error:
        raise TokenizerError(f"{error}; expected a tokenizer.json") from error
    tokenizer = _parse(text, str(path))
    if tokenizer.get_vocab_size() < 2:
        raise TokenizerError(f"{path}: the tokenizer has {tokenizer.get_vocab_size()} tokens; expected a trained one")
    if (largest := max(tokenizer.get_vocab().values())) >= LARGEST:
        raise TokenizerError(f"{path}: the tokenizer has the id {largest:,}, expected ids below {LARGEST:,}")
    check_probe(text, str(path))
    markers = {marker: marker.value for marker in Marker if tokenizer.token_to_id(marker.value) is not None}
    if Marker.END_OF_TEXT not in markers:
        markers[Marker.END_OF_TEXT] = _end_of_text(tokenizer, path)
    return TokenizerFile(name, text, markers)


def bytes_tokenizer() -> TokenizerFile:
    """Ids 0 to 255 are the bytes, then come the markers."""
    vocabulary = {letter: byte for byte, letter in _byte_letters().items()}
    tokenizer = _byte_level(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.add_special_tokens([marker.value for marker in Marker])
    return TokenizerFile("bytes", tokenizer.to_str())


def train_bpe(texts: Iterable[str], vocab_size: int) -> TokenizerFile:
    """Byte-level byte-pair encoding of `texts` (Sennrich et al. 2016), markers first. Equal texts lead to equal
    files.

    Raises TokenizerError for a vocabulary whose tables this machine cannot hold: the trainer allocates them first.
    """
    if needs := beyond_memory(vocab_size * ID_BYTES):
        raise TokenizerError(f"data.tokenizer.vocab_size = {vocab_size:,} needs {needs}; lower it")
    tokenizer = _byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        show_progress=False,
        special_tokens=[marker.value for marker in Marker],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(grouped(texts, 1000), trainer=trainer)
    return TokenizerFile(f"bpe-{vocab_size}", tokenizer.to_str())


def character_tokenizer(letters: Collection[str], *, more: bool, markers: Collection[Marker]) -> TokenizerFile:
    """An id for each of the `letters` in the order of Unicode, then one for all other characters if there are `more`,
    then the markers. Without `more`, other characters have no id."""
    vocabulary = {letter: index for index, letter in enumerate(sorted(letters))}
    if more:
        vocabulary.setdefault(UNKNOWN_CHARACTER, len(vocabulary))
    tokenizer = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token=UNKNOWN_CHARACTER))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    ordered = [marker for marker in Marker if marker in markers]
    tokenizer.add_special_tokens([marker.value for marker in ordered])
    return TokenizerFile("characters", tokenizer.to_str(), {marker: marker.value for marker in ordered})


def known_end(tokenizer: Tokenizer, candidates: Sequence[str] = KNOWN_ENDS) -> str | None:
    """The first candidate that is a token, by default among usual names of the end of a text; None without one."""
    return next((token for token in candidates if tokenizer.token_to_id(token) is not None), None)


def _locate(spec: HubTokenizer | FileTokenizer) -> tuple[Path, str]:
    if isinstance(spec, HubTokenizer):
        return hub_tokenizer_file(spec.id), spec.id
    path = Path(spec.path).expanduser()
    if path.is_dir():
        if not (path / "tokenizer.json").is_file():
            raise TokenizerError(f"{path}: no tokenizer.json in this folder; name the file or a folder that holds one")
        return path / "tokenizer.json", path.resolve().name
    try:
        return existing_file(spec.path, what="tokenizer"), path.name
    except DataError as error:
        raise TokenizerError(str(error)) from error


def _parse(text: str, place: str) -> Tokenizer:
    with as_tokenizer_error(f"{place}: not a tokenizer file", "; expected a tokenizer.json"):
        tokenizer = Tokenizer.from_str(text)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _end_of_text(tokenizer: Tokenizer, path: Path) -> str:
    """The token that ends a record: that of tokenizer_config.json, else a usual name."""
    candidates = list(KNOWN_ENDS)
    config = path.with_name("tokenizer_config.json")
    if config.is_file():
        end_token: Any = read_json(config).get("eos_token")
        candidates.insert(0, end_token.get("content", "") if isinstance(end_token, dict) else str(end_token))
    if (end := known_end(tokenizer, candidates)) is not None:
        return end
    raise TokenizerError(
        f"{path}: no end-of-text token among {', '.join(candidates)}; name it as eos_token in a tokenizer_config.json "
        "beside the file"
    )


def _byte_level(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _byte_letters() -> dict[int, str]:
    """The printable letter that stands for each byte in byte-level tokenizers (GPT-2's table)."""
    plain = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + index) for index, byte in enumerate(others)}
