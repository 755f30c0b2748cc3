"""Folders of models: configurations with edits, and weights with damaged bytes."""

import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from tests.fuzz.mutations import damaged_bytes, damaged_tree, fuzzed, read_or_refused
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from stacklab.exchange.import_ import import_model


@cache
def stored() -> tuple[Path, ...]:
    """Two small models as transformers writes them, kept for the session."""
    root = Path(tempfile.mkdtemp())
    gpt2 = GPT2LMHeadModel(GPT2Config(vocab_size=40, n_positions=8, n_embd=8, n_layer=1, n_head=2))
    llama = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=40, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
            num_key_value_heads=1, max_position_embeddings=8,
        )
    )  # fmt: skip
    for name, model in (("gpt2", gpt2), ("llama", llama)):
        model.save_pretrained(root / name)
    return root / "gpt2", root / "llama"


def check(edits: st.DataObject) -> None:
    source = edits.draw(st.sampled_from(stored()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "model")
        shutil.copytree(source, folder)
        file = edits.draw(st.sampled_from(sorted(folder.iterdir())))
        if file.suffix == ".json" and edits.draw(st.booleans()):
            tree: Any = json.loads(file.read_text())
            file.write_text(json.dumps(edits.draw(damaged_tree(tree))))
        else:
            file.write_bytes(edits.draw(damaged_bytes(file.read_bytes())))
        read_or_refused(lambda: import_model(folder, out=Path(name, "out")), place="model")


test_folders, test_many_folders = fuzzed(check, edits=st.data())
