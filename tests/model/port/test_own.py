"""Our own class, as someone meets it who has the exported folder, with and without stacklab."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from tests.model.port.conftest import GPT2_STACK, IDS_BT, OWN_STACKS, filled, logits, stack, tensors_of

import stacklab
from stacklab.base.errors import MissingExtraError, PortError
from stacklab.data.tokenizers.files import bytes_tokenizer
from stacklab.exchange.export import model_card, write_files, write_tokenizer
from stacklab.exchange.portable import Portable
from stacklab.model.generation.decode import generate
from stacklab.model.patterns.kinds import AnyPattern
from stacklab.model.port.own import EXPRESSED, OWN
from stacklab.model.port.registry import export_tensors, import_tensors
from stacklab.model.transformer import Transformer

pytest.importorskip("transformers", reason="the extra `hf` is not installed")

OPEN = """
import sys, torch
{first}
from transformers import AutoConfig, AutoModelForCausalLM
kwargs = {kwargs}
assert AutoConfig.from_pretrained({folder!r}, **kwargs).model_type == "stacklab"
model = AutoModelForCausalLM.from_pretrained({folder!r}, **kwargs).eval()
{last}
ids = torch.arange(32).reshape(2, 16) * 7 % 31
with torch.no_grad():
    torch.save(model(ids).logits, {logits!r})
print(type(model).__module__)
"""


def exported(tmp_path: Path, name: str) -> tuple[Transformer, Path]:
    model = filled(stack(OWN_STACKS[name]))
    folder = tmp_path / "folder"
    folder.mkdir()
    write_files(Portable("m", model.spec, tensors_of(model), None, None, None), OWN, folder)
    return model, folder


@pytest.mark.parametrize(
    ("first", "kwargs", "module"),
    [
        ("sys.modules['stacklab'] = None", {"trust_remote_code": True}, "transformers_modules"),
        ("import stacklab; stacklab.register_with_transformers()", {}, "stacklab."),
        ("import transformers, stacklab\n[stacklab.register_with_transformers() for _ in range(2)]", {}, "stacklab."),
    ],
    ids=["the folder's code, no stacklab", "registered", "registered twice, transformers first"],
)
def test_a_fresh_process_opens_the_folder(first: str, kwargs: dict[str, bool], module: str, tmp_path: Path) -> None:
    model, folder = exported(tmp_path, "per-layer")
    saved = tmp_path / "logits.pt"
    code = OPEN.format(first=first, kwargs=kwargs, folder=str(folder), logits=str(saved), last="")
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(module)
    assert float((torch.load(saved, weights_only=True) - logits(model)).abs().max()) < 1e-5


def test_the_code_of_the_card_opens_model_and_tokenizer_without_asking(tmp_path: Path) -> None:
    model = filled(stack(OWN_STACKS["per-layer"], vocab_size=259))
    portable = Portable("m", model.spec, tensors_of(model), bytes_tokenizer(), 256, 256)
    write_files(portable, OWN, tmp_path)
    write_tokenizer(portable, tmp_path)
    code = model_card(portable, OWN).split("```python\n")[1].split("```")[0].replace("FOLDER", str(tmp_path))
    code = f"import sys; sys.modules['stacklab'] = None\n{code}\nprint(tokenizer('ab')['input_ids'])"
    environment = os.environ | {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[97, 98]\n" and "trust_remote_code" not in done.stderr


@pytest.mark.parametrize("name", OWN_STACKS)
def test_generation_with_a_cache_and_padding_goes_on_as_ours_does(name: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from stacklab.model.port.own import register

    register()
    model, folder = exported(tmp_path, name)
    peer = AutoModelForCausalLM.from_pretrained(folder).eval()
    prompts = [[3, 1, 4], [1, 5, 9, 2, 6]]
    padded = torch.tensor([[0, 0, *prompts[0]], prompts[1]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [1] * 5])
    new = peer.generate(padded, attention_mask=mask, max_new_tokens=6, do_sample=False, pad_token_id=0)[:, 5:]
    assert new.tolist() == [one.ids for one in generate(model, prompts, max_tokens=6)]
    loss = peer(IDS_BT, labels=IDS_BT).loss
    wanted = torch.nn.functional.cross_entropy(logits(model)[:, :-1].flatten(0, 1), IDS_BT[:, 1:].flatten())
    torch.testing.assert_close(loss.detach(), wanted)


@pytest.mark.parametrize("name", ["per-layer", "patterns"])
def test_a_folder_that_transformers_writes_again_is_of_the_same_stack(name: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from stacklab.model.port.own import register

    register()
    _, folder = exported(tmp_path, name)
    AutoModelForCausalLM.from_pretrained(folder).save_pretrained(tmp_path / "again")
    config = json.loads((tmp_path / "again" / "config.json").read_text())
    assert OWN.read(config) == stack(OWN_STACKS[name])


def test_a_config_that_contradicts_its_stack_is_refused(tmp_path: Path) -> None:
    _, folder = exported(tmp_path, "per-layer")
    config = json.loads((folder / "config.json").read_text())
    assert OWN.read(config) == stack(OWN_STACKS["per-layer"])
    with pytest.raises(PortError, match="layer_heads"):
        OWN.read(config | {"layer_heads": [3, 3]})
    with pytest.raises(PortError, match="rope_scaling"):
        OWN.read(config | {"rope_scaling": 2})
    with pytest.raises(PortError, match="stack: d_model"):
        OWN.read(config | {"stack": config["stack"] | {"d_model": "wide"}})


def test_a_deep_stack_with_one_set_of_weights_has_fewer_tensors_than_layers() -> None:
    model = filled(stack(GPT2_STACK, num_layers=40, share="all"))
    tensors = tensors_of(model)
    assert len(tensors) < 40
    assert import_tensors(OWN, model.spec, export_tensors(OWN, model.spec, tensors), where="x").keys() == tensors.keys()


def test_the_kinds_that_are_written_are_those_of_the_file_that_travels() -> None:
    from stacklab.model.port.modeling_stacklab import KNOWN

    fields = {"position": "position.kind", "norm": "norm.kind", "norm_placement": "norm.placement"}
    written = {name: EXPRESSED[fields.get(name, name)] for name in KNOWN}
    assert {name: set(kinds) for name, kinds in written.items()} == {name: set(kinds) for name, kinds in KNOWN.items()}


def test_the_patterns_that_are_written_are_those_of_the_file_that_travels() -> None:
    from stacklab.model.port import modeling_stacklab, own

    assert own.PATTERNS == modeling_stacklab.PATTERNS
    assert set(own.PATTERNS) == {kind.model_fields["kind"].default for kind in get_args(AnyPattern)}


def test_a_pattern_that_the_file_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from stacklab.model.port import own
    from stacklab.model.port.configuration_stacklab import StacklabConfig
    from stacklab.model.port.modeling_stacklab import StacklabForCausalLM

    spec = stack(OWN_STACKS["patterns"])
    with pytest.raises(ValueError, match="config: layer_patterns has 'unheard-of', expected global, strided"):
        StacklabForCausalLM(StacklabConfig(**OWN.write(spec) | {"layer_patterns": [{"kind": "unheard-of"}] * 4}))
    monkeypatch.setattr(own, "PATTERNS", ("global", "block"))
    assert OWN.misfits(spec) == ["attention_pattern is strided, not global or block"]


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("position", {"position": {"kind": "unheard-of"}}),
        ("norm", {"norm": "unheard-of"}),
        ("norm_placement", {"norm_placement": "unheard-of"}),
        ("qk_norm", {"qk_norm": "unheard-of"}),
        ("activation", {"activation": "unheard-of"}),
    ],
)
def test_the_file_that_travels_refuses_a_kind_that_it_does_not_know(field: str, change: dict[str, object]) -> None:
    from stacklab.model.port.configuration_stacklab import StacklabConfig
    from stacklab.model.port.modeling_stacklab import StacklabForCausalLM

    config = StacklabConfig(**OWN.write(stack(OWN_STACKS["per-layer"])) | change)
    with pytest.raises(ValueError, match=f"config: {field} is 'unheard-of', expected one of "):
        StacklabForCausalLM(config)


def test_importing_stacklab_leaves_the_imports_of_python_alone() -> None:
    code = "import sys; before = list(sys.meta_path); import stacklab; assert sys.meta_path == before"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_registering_without_transformers_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stacklab.api.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"transformers is not installed; pip install 'stacklab\[hf\]'"):
        stacklab.register_with_transformers()
