"""Stated numbers: from a YAML file, and from running text and tables that lost their borders (`d_ff1536`)."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from stacklab.audit.reading.log import shown
from stacklab.audit.spec import Printed, Stated, StatedArm, StatedModel, StatedTraining, parse_printed
from stacklab.base.errors import SpecError
from stacklab.base.spec import Spec
from stacklab.base.yamlfile import load_yaml

S = TypeVar("S", bound=Spec)


def read_stated(path: Path) -> Stated:
    """The stated numbers of a YAML file. Raises SpecError naming file and line of the first error."""
    tree, places = load_yaml(path)
    try:
        return Stated.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        dotted = ".".join(str(key) for key in first["loc"]) or "the top"
        message = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
        raise SpecError(f"{places.of(first['loc'])}: {dotted}: {message}") from error


def merge(sources: Sequence[Stated]) -> Stated:
    """Each setting from the first source that states it; all arms from the first source that has any with a depth, else
    that has any."""
    with_arms = sorted((source.arms for source in sources if source.arms), key=lambda arms: not arms[0].num_layers)
    return Stated(
        model=_first_of([source.model for source in sources]),
        training=_first_of([source.training for source in sources]),
        arms=next(iter(with_arms), ()),
        claim=next((source.claim for source in sources if source.claim), None),
        control_width=next((source.control_width for source in sources if source.control_width), None),
        rerun_noise=next((source.rerun_noise for source in sources if source.rerun_noise), None),
    )


def _first_of(specs: Sequence[S]) -> S:
    values = {}
    for name in type(specs[0]).model_fields:
        values[name] = next((value for spec in specs if (value := getattr(spec, name)) is not None), None)
    return specs[0].model_copy(update=values)


T = TypeVar("T")

LONGEST_LINE = 2_000
INTEGER = r"(\d{1,3}(?:,\d{3})+|\d{1,12})"
# Between a name and its number. A number that is only proposed or approximate follows another sign.
IS = r"[ \t|:=]{0,20}"


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


MODEL: dict[str, re.Pattern[str]] = {
    "vocab_size": _pattern(rf"\bvocab(?:ulary)?(?:[ _]size)?{IS}{INTEGER}"),
    "d_model": _pattern(rf"\b(?:d_model|n_embd|hidden_size){IS}{INTEGER}"),
    "d_ff": _pattern(rf"\b(?:d_ff|ffn_dim|intermediate_size){IS}{INTEGER}"),
    "num_heads": _pattern(rf"\b(?:attention heads|num_heads|n_heads?){IS}{INTEGER}|\b{INTEGER} heads\b"),
    "num_kv_heads": _pattern(rf"\b(?:num_kv_heads|num_key_value_heads|n_kv_heads?){IS}{INTEGER}"),
    "context_length": _pattern(
        r"\b(?:max_len|max_position_embeddings|n_positions|context[_ ]length|context|ctx)(?: \(context\))?"
        rf"{IS}{INTEGER}"
    ),
}
TRAINING: dict[str, re.Pattern[str]] = {
    "block_size": _pattern(rf"\bblock[_ ]size{IS}{INTEGER}"),
    "batch_size": _pattern(rf"\bbatch[_ ]size{IS}{INTEGER}"),
    "steps": _pattern(rf"\b{INTEGER} (?:optimi[sz]er|training) steps\b|\b(?:max_iters|max_steps){IS}{INTEGER}"),
    "epochs": _pattern(rf"\bepochs{IS}{INTEGER}|\b{INTEGER} epochs\b"),
    "devices": _pattern(
        r"\b(\d{1,4}) ?[×x] ?(?:[a-z]+ ){0,2}(?:gpus?|t4|p100|v100|l4|a10|a100|h100)\b|\b(\d{1,4}) gpus\b"
    ),
}
TOKENIZER = _pattern(r"\b(qwen ?[\d.]*\d|gpt-?neo|gpt-?2|llama[ -]?[\d.]*\d|mistral|bert)\b")
CORPUS = _pattern(r"(?<![\d.,])(\d[\d.,]{0,14}) ?([kMBG]) (?:training )?tokens\b")
CONTROL = _pattern(rf"\bd_model ?[≈~] ?{INTEGER}|\bd_model (?:of )?(?:about|around|roughly) {INTEGER}")
CLAIM = _pattern(r"\b(?:hypothesis|main claim|claim|conclusion): ?[^\s.][^.\n]{2,160}")
FLAGS: dict[str, tuple[re.Pattern[str], re.Pattern[str]]] = {
    "tie_embeddings": (_pattern(r"head ?tied|tied (?:embeddings|with)|weight tying"), _pattern(r"\buntied\b")),
    "linear_bias": (_pattern(r"\bbias ?= ?true"), _pattern(r"\bbias-free\b|\bno bias|\bbias ?= ?false")),
    "final_norm": (_pattern(r"\bfinal (?:layer|rms)?norm"), _pattern(r"\bno final (?:layer|rms)?norm")),
}
GAP = r"[ \t|]+"
ARM = re.compile(
    rf"(?P<name>[A-Za-z][^\d|]{{0,60}}?){GAP}(?P<layers>\d{{1,4}}){GAP}(?P<count>\d[\d.,]{{0,14}} ?[kMBG])\b"
    rf"(?:{GAP}(?P<size>\d[\d.,]{{0,14}}) ?MB\b)?"
)


def find_stated(lines: Sequence[str]) -> Stated:
    """The first number stated for each setting, and the rows of a table of models (name, layers, parameters, size).

    The lines of the log are not among `lines`. What a text does not state stays None.
    """
    lines = [line[:LONGEST_LINE] for line in lines]
    model: dict[str, Any] = {name: _first(lines, pattern, _integer) for name, pattern in MODEL.items()}
    for name, (yes, no) in FLAGS.items():
        model[name] = False if _first(lines, no, _text) else True if _first(lines, yes, _text) else None
    training: dict[str, Any] = {name: _first(lines, pattern, _integer) for name, pattern in TRAINING.items()}
    return Stated(
        model=StatedModel(tokenizer=_first(lines, TOKENIZER, _text), **model),
        training=StatedTraining(corpus_tokens=_first(lines, CORPUS, _amount), **training),
        arms=_arms(lines),
        claim=_first(lines, CLAIM, _text),
        control_width=_first(lines, CONTROL, _integer),
    )


def _first(lines: Sequence[str], pattern: re.Pattern[str], convert: Callable[[re.Match[str]], T | None]) -> T | None:
    values = (convert(match) for line in lines for match in pattern.finditer(line))
    return next((value for value in values if value), None)


def _integer(match: re.Match[str]) -> int:
    return int(next(group for group in match.groups() if group is not None).replace(",", ""))


def _text(match: re.Match[str]) -> str:
    return match[0]


def _amount(match: re.Match[str]) -> Printed | None:
    amount = parse_printed(match[1] + match[2])
    return amount if amount is not None and amount.value else None


def _arms(lines: Sequence[str]) -> tuple[StatedArm, ...]:
    """Rows in the order of the text, the first of each depth."""
    arms: dict[int, StatedArm] = {}
    for match in filter(None, (ARM.match(line.strip(" \t|")) for line in lines)):
        layers, count = int(match["layers"]), parse_printed(match["count"])
        if count is None or layers in arms or not layers:
            continue
        size = parse_printed(match["size"] + "MB") if match["size"] else None
        arms[layers] = StatedArm(name=shown(match["name"]), num_layers=layers, parameters=count, file_size=size)
    return tuple(arms.values())
