"""Hostile inputs, seeded: for each parser the files and the commands that read them.

Most are whole inputs with a few edits (the strategies of tests/fuzz/mutations), the others are `bombs.py`'s.
"""

import io
import json
import pickle
import random
import struct
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import yaml
from hypothesis import HealthCheck, Phase
from hypothesis.strategies import SearchStrategy, one_of
from tests.campaign import bombs
from tests.campaign.bombs_as_bytes import Code
from tests.campaign.bombs_as_text import SCALARS
from tests.campaign.ground import CORPUS, DATA, STUDY
from tests.fuzz.mutations import VALUES, damaged_bytes, damaged_tree
from tests.fuzz.test_data_files import FILES
from tests.fuzz.test_logs import LOGS, STATED
from tests.fuzz.test_tokenizers import TEXT as TOKENIZER

from stacklab.study.spec.load import builtin_studies

TEXT = STUDY.replace("NAME", "text").replace("DATA", DATA["text"])
PLAN = ["stacklab", "plan", "text.yaml", "--no-calibrate", "-o", "o"]
BASE: dict[str, bytes] = {"text.yaml": TEXT.encode(), "corpus.jsonl": CORPUS.encode()}


@dataclass(frozen=True)
class Input:
    """files: path -> content, or a `bombs.Place` that is no regular file. commands: run in this order until one is
    refused."""

    files: dict[str, Any]
    commands: list[list[str]] = field(default_factory=list)


def examples(strategy: SearchStrategy[Any], count: int, seed: int) -> list[Any]:
    """`count` different values of a strategy, always the same ones for a seed."""
    taken: list[Any] = []
    if count < 1:
        return taken

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(strategy)
    def take(value: Any) -> None:
        taken.append(value)

    take()
    return taken


def _edited(whole: list[bytes], bomb: list[Any], count: int, seed: int) -> list[Any]:
    """One bomb in ten, the rest edited."""
    bomb = random.Random(seed).sample(bomb, min(len(bomb), max(1, count // 10)))
    edited = one_of([damaged_bytes(data) for data in whole])
    return bomb + examples(edited, count - len(bomb), seed)


def _data(name: str, *options: str) -> Callable[[int, int], Iterator[Input]]:
    """A data file called `name`, read by `plan`."""

    def make(count: int, seed: int) -> Iterator[Input]:
        command = [*PLAN, *options, f"data.source={{kind: file, path: {name}}}"]
        for content in _edited([FILES[name]], bombs.of(name), count, seed):
            yield Input(BASE | {name: content}, [command])

    return make


def studies(count: int, seed: int) -> Iterator[Input]:
    whole = [TEXT.encode(), *(path.read_bytes() for path in sorted(builtin_studies().values()))]
    trees = one_of([damaged_tree(yaml.safe_load(text)) for text in whole])
    texts = _edited(whole, bombs.of("study.yaml"), count - count // 2, seed)
    for tree in examples(trees, count // 2, seed):
        texts.append(yaml.safe_dump(tree, sort_keys=False).encode())
    for text in texts:
        yield Input(BASE | {"text.yaml": text}, [PLAN])


def overrides(count: int, seed: int) -> Iterator[Input]:
    rng = random.Random(seed)
    paths = [*_paths(yaml.safe_load(TEXT)["base"]), "model.start_from", "train.stop", "", "=", "model.", "x" * 3000]
    values = [*map(str, VALUES), *(json.dumps(value) for value in VALUES), *SCALARS]
    for _ in range(count):
        chosen = [f"{rng.choice(paths)}={rng.choice(values)}" for _ in range(rng.randint(1, 2))]
        # The system passes no zero bytes and no halves of pairs in arguments.
        texts = [text.replace("\x00", "").encode(errors="replace").decode() for text in chosen]
        yield Input(BASE, [[*PLAN, *texts]])


def _paths(tree: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in tree.items():
        yield above + key
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{key}.")


def logs(count: int, seed: int) -> Iterator[Input]:
    each = -(-count // len(LOGS))
    made = [
        Input({name: content}, [["stacklab", "audit", name]])
        for name, text in LOGS.items()
        for content in _edited([text.encode()], bombs.of(name), each, seed)
    ]
    yield from made[:count]


def stated(count: int, seed: int) -> Iterator[Input]:
    log = next(iter(LOGS.items()))
    for content in _edited([STATED], bombs.of("stated.yaml"), count, seed):
        files = {log[0]: log[1].encode(), "stated.yaml": content}
        yield Input(files, [["stacklab", "audit", log[0], "--stated", "stated.yaml"]])


def tokenizers(count: int, seed: int) -> Iterator[Input]:
    command = [*PLAN, "data.tokenizer={kind: file, path: tokenizer.json}"]
    texts = _edited([TOKENIZER.encode()], bombs.of("tokenizer.json"), count - count // 2, seed)
    trees = examples(damaged_tree(json.loads(TOKENIZER)), count // 2, seed)
    for content in [*texts, *(json.dumps(tree).encode() for tree in trees)]:
        yield Input(BASE | {"tokenizer.json": content}, [command])


def npz(count: int, seed: int) -> Iterator[Input]:
    rows = np.arange(60).reshape(6, 10) % 7
    file = io.BytesIO()
    np.savez(file, inputs=rows, targets=rows)
    whole = file.getvalue()
    study = STUDY.replace("NAME", "text").replace("DATA", DATA["arrays"]).encode()
    for content in _edited([whole], bombs.of("a.npz"), count, seed):
        yield Input({"text.yaml": study, "a.npz": content, "b.npz": whole}, [PLAN])


def models(count: int, seed: int) -> Iterator[Input]:
    """Folders of two programs, each with one file edited; what can be imported must also generate."""
    commands = [
        ["stacklab", "import", "m", "--name", "m", "-o", "o", "--tokenizer", "tokenizer.json"],
        ["stacklab", "generate", "m", "-o", "o", "-n", "3", "-p", "record 1"],
    ]
    rng, made = random.Random(seed), []
    wholes = [{f"m/{file.name}": file.read_bytes() for file in sorted(folder.iterdir())} for folder in _models()]
    names = [(whole, name) for whole in wholes for name in whole]
    each = -(-count // (2 * len(names)))
    for whole, name in names:
        contents = _edited([whole[name]], bombs.of(Path(name).name), each, seed)
        if name.endswith(".json"):
            trees = examples(damaged_tree(json.loads(whole[name])), each, seed)
            contents += [json.dumps(tree).encode() for tree in trees]
        made += [Input(whole | {name: content, "tokenizer.json": TOKENIZER.encode()}, commands) for content in contents]
    for name, content in (("m.pt", pickle.dumps(Code())), ("m.bin", bytes(28)), ("m.json", b"[]")):
        made.append(Input({name: content}, [["stacklab", "import", name, "--name", "m", "-o", "o"]]))
    yield from rng.sample(made, min(count, len(made)))


def llama2c(count: int, seed: int) -> Iterator[Input]:
    """A model.bin or its tokenizer.bin, edited."""
    d, hidden, layers, heads, vocabulary, context = 8, 12, 1, 2, 270, 16
    matrices = vocabulary * d + layers * (2 * d + 4 * d * d + 3 * d * hidden) + d + context * (d // heads)
    header = struct.pack("7i", d, hidden, layers, heads, heads, vocabulary, context)
    model = header + np.random.default_rng(seed).normal(size=matrices).astype("<f4").tobytes()
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += [f"t{number}" for number in range(vocabulary - len(tokens))]
    tokenizer = struct.pack("i", 8) + b"".join(struct.pack("fi", 0.0, len(one)) + one.encode() for one in tokens)
    commands = [
        ["stacklab", "import", "m.bin", "--name", "m", "-o", "o", "--tokenizer", "tokenizer.bin"],
        ["stacklab", "generate", "m", "-o", "o", "-n", "3", "-p", "t1"],
    ]
    headers = [
        struct.pack("7i", *numbers)
        for numbers in ((2**31 - 1,) * 7, (-1,) * 7, (0,) * 7, (8, 12, 10**9, 2, 2, 270, 16))
    ]
    for content in _edited(
        [model], [*bombs.PLACES, *bombs.BYTES, *(one + model[28:] for one in headers)], count // 2, seed
    ):
        yield Input({"m.bin": content, "tokenizer.bin": tokenizer}, commands)
    for content in _edited([tokenizer], bombs.of("tokenizer.bin"), count - count // 2, seed):
        yield Input({"m.bin": model, "tokenizer.bin": content}, commands)


@cache
def _models() -> tuple[Path, ...]:
    """Two small models as transformers writes them, with the vocabulary of the tokenizer."""
    from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

    root = Path(tempfile.mkdtemp())
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=320, n_positions=32, n_embd=8, n_layer=1, n_head=2))
    sizes = {"vocab_size": 320, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 32}
    for name, model in (("gpt2", gpt2), ("llama", LlamaForCausalLM(LlamaConfig(**sizes, **heads)))):
        model.save_pretrained(root / name)
    return root / "gpt2", root / "llama"


PARSERS: dict[str, Callable[[int, int], Iterator[Input]]] = {
    "studies": studies,
    "overrides": overrides,
    "logs": logs,
    "stated numbers": stated,
    "jsonl": _data("rows.jsonl"),
    "json": _data("rows.json"),
    "csv": _data("rows.csv"),
    "txt": _data("rows.txt", "data.template=plain"),
    "parquet": _data("rows.parquet"),
    "npz": npz,
    "tokenizers": tokenizers,
    "models": models,
    "llama2.c": llama2c,
}
