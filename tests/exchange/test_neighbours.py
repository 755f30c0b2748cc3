"""Programs that open exported folders, each in a process of its own: they warn and patch when they are imported."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.model.port.conftest import GPT2_STACK, GPT_NEO_STACK, LLAMA_STACK, filled, logits, stack, tensors_of

from stacklab.data.tokenizers.files import bytes_tokenizer
from stacklab.exchange.export import write_files, write_tokenizer
from stacklab.exchange.portable import Portable
from stacklab.interp.attention_maps import attention_maps
from stacklab.model.port.registry import form_for
from stacklab.model.transformer import Transformer

LENS = """
import torch
from transformers import AutoModelForCausalLM
from transformer_lens.model_bridge import TransformerBridge
ids = torch.arange(32).reshape(2, 16) * 7 % 31
for name in {names!r}:
    theirs = AutoModelForCausalLM.from_pretrained(name, attn_implementation="eager")
    bridge = TransformerBridge.boot_transformers(name, hf_model=theirs, device="cpu")
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(ids)
    torch.save((logits, cache["blocks.1.attn.hook_pattern"]), name + "/answer.pt")
"""

TASK = """
task: local
dataset_path: json
dataset_kwargs: {data_files: {test: items.jsonl}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: choices
doc_to_target: answer
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
"""


def exported(folder: Path, fields: dict[str, Any]) -> Transformer:
    model = filled(stack(fields, vocab_size=259))
    portable = Portable("m", model.spec, tensors_of(model), bytes_tokenizer(), 256, 256)
    folder.mkdir()
    write_files(portable, form_for(model.spec), folder)
    write_tokenizer(portable, folder)
    return model


def run(cwd: Path, *args: str) -> str:
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_CACHE": str(cwd / "cache")}
    environment = os.environ | offline | {"WANDB_MODE": "disabled"}
    done = subprocess.run(
        [sys.executable, *args], cwd=cwd, capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.skipif(find_spec("transformer_lens") is None, reason="the extra `lens` is not installed")
def test_transformer_lens_opens_stock_folders_with_equal_logits_and_attention(tmp_path: Path) -> None:
    stacks = {"gpt2": GPT2_STACK, "gpt-neo": GPT_NEO_STACK, "llama": LLAMA_STACK}
    models = {str(tmp_path / name): exported(tmp_path / name, fields) for name, fields in stacks.items()}
    run(tmp_path, "-c", LENS.format(names=list(models)))
    ids_BT = torch.arange(32).reshape(2, 16) * 7 % 31
    for name, model in models.items():
        answer, pattern_BHTT = torch.load(f"{name}/answer.pt", weights_only=True)
        assert float((answer - logits(model)).abs().max()) < 5e-5
        torch.testing.assert_close(pattern_BHTT, attention_maps(model, ids_BT)[1], rtol=1e-4, atol=1e-5)


def test_lm_evaluation_harness_scores_a_local_task_offline(tmp_path: Path) -> None:
    model = exported(tmp_path / "model", GPT2_STACK | {"context_length": 32})
    questions = ["Is it?", "Was it?", "Will it be?", "May it be?"]
    # Of equal length, so that none wins by being shorter: the model prefers the second after the first question alone.
    items = [{"question": text, "choices": ["dog", "hen"], "answer": i % 2} for i, text in enumerate(questions)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    (tmp_path / "local.yaml").write_text(TASK)
    settings = ("--model", "hf", "--model_args", f"pretrained={tmp_path / 'model'},dtype=float32", "--device", "cpu")
    out = (
        "--include_path",
        str(tmp_path),
        "--tasks",
        "local",
        "--output_path",
        str(tmp_path / "results"),
        "--log_samples",
    )
    run(tmp_path, "-m", "lm_eval", "run", *settings, *out)
    (report,) = (tmp_path / "results").rglob("results_*.json")
    accuracy = json.loads(report.read_text())["results"]["local"]["acc,none"]
    (samples,) = (tmp_path / "results").rglob("samples_*.jsonl")
    rows = sorted(map(json.loads, samples.read_text().splitlines()), key=lambda row: row["doc_id"])

    def score(question: str, choice: str) -> float:
        """Log-probability of the choice after the question, from bytes."""
        prompt, added = list(question.encode()), list(f" {choice}".encode())
        with torch.no_grad():
            shares_TV = logits(model, torch.tensor([prompt + added]))[0].log_softmax(-1)
        return sum(float(shares_TV[len(prompt) + i - 1, token]) for i, token in enumerate(added))

    scores = [[score(item["question"], choice) for choice in item["choices"]] for item in items]
    theirs = [[float(of_choice[0]) for of_choice in row["filtered_resps"]] for row in rows]
    torch.testing.assert_close(torch.tensor(theirs), torch.tensor(scores), rtol=0, atol=1e-3)
    assert [first < second for first, second in scores] == [True, False, False, False]
    assert accuracy == 0.25
