"""Models that leave, and what other programs make of them."""

from pathlib import Path

import pytest
import torch
from tests.model.port.conftest import (
    GPT2_STACK,
    GPT_NEO_STACK,
    LLAMA_STACK,
    OWN_STACKS,
    filled,
    logits,
    stack,
    tensors_of,
)
from tests.run.conftest import Bench

from stacklab.base.errors import PortError
from stacklab.run.execute import execute
from stacklab.run.export import export_model
from stacklab.run.import_ import import_model
from stacklab.run.model_folder import save_model
from stacklab.run.open_model import open_model
from stacklab.run.portable import Portable

pytest.importorskip("transformers", reason="the extra `hf` is not installed")


STACKS = {"gpt2": GPT2_STACK, "gpt-neo": GPT_NEO_STACK, "llama": LLAMA_STACK} | OWN_STACKS


@pytest.mark.parametrize("fields", STACKS.values(), ids=STACKS)
def test_a_stock_folder_has_the_same_logits_and_comes_back_bit_for_bit(fields, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from transformers import AutoModelForCausalLM

    model = filled(stack(fields))
    save_model(Portable("m", model.spec, tensors_of(model), None, None, None), tmp_path / "out" / "models" / "m")
    done = export_model("m", tmp_path / "hf", out=tmp_path / "out")
    assert done.difference is not None and done.difference < 1e-5
    peer = AutoModelForCausalLM.from_pretrained(done.folder).eval()
    ids_BT = torch.arange(32).reshape(2, 16) * 7 % 31
    with torch.no_grad():
        assert float((peer(ids_BT).logits - logits(model)).abs().max()) < 1e-5
    back = import_model(done.folder, out=tmp_path / "out", name="back")
    assert back.model.tensors.keys() == tensors_of(model).keys()
    assert all(back.model.tensors[name].equal(value) for name, value in tensors_of(model).items())


@pytest.mark.trains
def test_a_run_goes_out_with_its_tokenizer_and_card(bench: Bench, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    paths = bench.folder(bench.spec())
    with pytest.raises(Exception, match="no final weights"):
        export_model(paths.run_id, tmp_path / "hf", out=bench.out.root)
    execute(paths.folder, threads=1)
    done = export_model(paths.run_id, tmp_path / "hf", out=bench.out.root)
    opened = open_model(paths.run_id, bench.out.root)
    tokenizer = AutoTokenizer.from_pretrained(done.folder)
    text = "The cat<|endoftext|> naïve"
    assert tokenizer(text)["input_ids"] == opened.encode(text)
    peer = AutoModelForCausalLM.from_pretrained(done.folder)
    ids = tokenizer("The", return_tensors="pt")
    new = peer.generate(**ids, max_new_tokens=5, do_sample=False)
    assert new.shape[1] <= 8
    print((done.folder / "README.md").read_text())
    assert open_model(str(done.folder), bench.out.root).encode(text) == opened.encode(text)
    with pytest.raises(PortError, match="not empty"):
        export_model(paths.run_id, done.folder, out=bench.out.root)
