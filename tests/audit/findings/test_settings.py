"""Stated numbers, from text and from YAML, and the settings that reproduce counts."""

from pathlib import Path
from typing import get_args

import pytest

from stacklab.audit.findings.control import control_finding
from stacklab.audit.findings.parameters import parameter_findings, size_findings
from stacklab.audit.findings.reproduce import counted_arms, reproductions, stated_settings
from stacklab.audit.findings.settings import Setting, build
from stacklab.audit.findings.tokens import token_findings
from stacklab.audit.reading.stated import find_stated, merge, read_stated
from stacklab.audit.spec import Finding, Kind, Printed, Stated, StatedModel, parse_printed
from stacklab.base.errors import SpecError
from stacklab.model.count import count_parameters

YAML = """
model: {tokenizer: GPT-2, vocab_size: 50257, d_model: 64, num_heads: 4, context_length: 128}
training: {block_size: 32, batch_size: 4, steps: 100, epochs: 2, corpus_tokens: 6400}
arms:
  - {name: small, num_layers: 1, parameters: PARAMETERS, file_size: 13.13 MB}
control_width: 80
"""
PADDED = Setting(vocab_size=50_304, positions=128, linear_bias="all", norm_bias=True, tied=True, final_norm=True)


def stated(tmp_path: Path, parameters: str) -> Stated:
    path = tmp_path / "stated.yaml"
    path.write_text(YAML.replace("PARAMETERS", parameters))
    return read_stated(path)


@pytest.mark.parametrize(
    ("text", "value", "half"),
    [("12.34 M", 12.34e6, 5e3), ("50k", 50e3, 500), ("1,234", 1234, 0), ("49.36 MB", 49.36e6, 5e3), ("2B", 2e9, 5e8)],
)
def test_printed_numbers_keep_their_precision(text: str, value: float, half: float) -> None:
    assert parse_printed(text) == Printed(value=value, half=half)


@pytest.mark.parametrize("text", ["", "M", "1.2.3M", "12 Q", "-3", "1e9", "nan"])
def test_other_texts_are_no_printed_numbers(text: str) -> None:
    assert parse_printed(text) is None


def test_a_count_to_the_last_digit_is_traced_to_a_padded_vocabulary_with_biases(tmp_path: Path) -> None:
    exact = count_parameters(build(PADDED, stated(tmp_path, "1").model, 1)).total
    given = stated(tmp_path, str(exact))
    (best, *others) = reproductions(given, counted_arms(given), stated_settings(given))
    assert best.setting == PADDED
    assert [other.setting.counted for other in others] == ["without_head"]
    (found,) = parameter_findings(given)
    assert found.severity == "note", "a padded table is usual, and contradicts no vocabulary"
    assert "vocabulary 50,304" in found.sentence
    assert found.numbers["count_1_layers"] == exact
    (size,) = size_findings(given)
    assert size.severity == "agreement"


def test_stated_settings_that_agree_end_the_search(tmp_path: Path) -> None:
    right = PADDED._replace(vocab_size=50_257)
    given = stated(tmp_path, str(count_parameters(build(right, stated(tmp_path, "1").model, 1)).total))
    (found,) = parameter_findings(given)
    assert found.severity == "agreement"


def test_counts_that_nothing_gives_are_said_so(tmp_path: Path) -> None:
    given = stated(tmp_path, "9.99M")
    _, found = parameter_findings(given)
    assert found.numbers["matches"] == 0
    (size,) = size_findings(given)
    assert size.numbers["parameters"] != 9_990_000, "sizes are held against what the settings make"
    assert control_finding(given) is None, "one depth has no equal control"


def counted(model: str, layers: int, parameters: str, tmp_path: Path) -> Finding:
    """The first finding about a stated model and its printed count."""
    path = tmp_path / "stated.yaml"
    arm = f"{{name: model, num_layers: {layers}, parameters: {parameters!r}}}"
    path.write_text(f"model: {{{model}}}\narms:\n  - {arm}\n")
    return parameter_findings(read_stated(path))[0]


LLAMA2C = "vocab_size: 32000, d_model: 288, d_ff: 768, num_heads: 6, context_length: 256, linear_bias: false"
NANOGPT = "vocab_size: 65, d_model: 384, d_ff: 1536, num_heads: 6, context_length: 256, linear_bias: false"
TINY_LLAMA = "vocab_size: 32000, d_model: 2048, d_ff: 5632, num_heads: 32, num_kv_heads: 4, tie_embeddings: false"
QWEN = "vocab_size: 151936, d_model: 896, d_ff: 4864, num_heads: 14, num_kv_heads: 2, context_length: 32768"
PYTHIA = "vocab_size: 50304, d_model: 512, num_heads: 8, context_length: 2048, tie_embeddings: false, position: rotary"
MINGPT = "vocab_size: 50257, d_model: 768, num_heads: 12, context_length: 1024, tie_embeddings: false"
MIXTRAL = "vocab_size: 32000, d_model: 4096, d_ff: 14336, num_heads: 32, num_kv_heads: 8, context_length: 32768"
COMPLETE = "feed_forward: gated, position: rotary, norm: rms, final_norm: true"


@pytest.mark.parametrize(
    ("model", "layers", "parameters"),
    [
        pytest.param(f"{LLAMA2C}, tie_embeddings: true", 6, "15.19 M", id="stories15M"),
        pytest.param(f"{LLAMA2C}, tie_embeddings: true, {COMPLETE}", 6, "15,191,712", id="stories15M, stated"),
        pytest.param(TINY_LLAMA, 22, "1,100,048,384", id="TinyLlama"),
        pytest.param(QWEN, 24, "494,032,768", id="Qwen2.5-0.5B"),
        pytest.param(f"{QWEN}, linear_bias: query_key_value, {COMPLETE}", 24, "494,032,768", id="Qwen2.5, stated"),
        pytest.param(PYTHIA, 6, "70,426,624", id="Pythia-70M"),
        pytest.param(f"{PYTHIA}, counted: without_embeddings", 6, "18,915,328", id="Pythia-70M, as its authors count"),
        pytest.param("tokenizer: GPT-2, d_model: 768, context_length: 1024", 12, "124,439,808", id="GPT-2"),
    ],
)
def test_published_counts_of_usual_stacks_agree(model: str, layers: int, parameters: str, tmp_path: Path) -> None:
    found = counted(model, layers, parameters, tmp_path)
    assert (found.kind, found.severity) == ("parameters-stated", "agreement"), found.sentence


@pytest.mark.parametrize(
    ("model", "layers", "parameters", "words"),
    [
        (NANOGPT, 6, "10.65 M", "without the table of positions, as nanoGPT prints it; all parameters are 10.75 M"),
        (MINGPT, 12, "124.44M", "without the head, as minGPT prints it"),
        (PYTHIA, 6, "18,915,328", "without tables and head, as Kaplan et al. (2020) count"),
        (f"{QWEN.replace(', num_kv_heads: 2', '')}", 24, "494,032,768", "2 heads of keys and values"),
        ("vocab_size: 50257, d_model: 768, context_length: 1024", 12, "124,475,904", "vocabulary 50,304"),
    ],
)
def test_a_known_way_of_counting_and_open_choices_are_notes(
    model: str, layers: int, parameters: str, words: str, tmp_path: Path
) -> None:
    found = counted(model, layers, parameters, tmp_path)
    assert found.severity == "note", found.sentence
    assert words in found.sentence


def test_a_stack_that_is_not_covered_contradicts_nothing(tmp_path: Path) -> None:
    found = counted(MIXTRAL, 32, "46,702,792,704", tmp_path)
    assert found.severity == "note"
    assert "Not covered are mixtures of experts" in found.sentence
    whole = f"{MIXTRAL}, linear_bias: false, tie_embeddings: false, {COMPLETE}"
    assert counted(whole, 32, "46,702,792,704", tmp_path).severity == "caution"


def test_a_stated_number_that_another_explains_contradicts(tmp_path: Path) -> None:
    biased = LLAMA2C.replace("linear_bias: false", "linear_bias: true")
    found = counted(f"{biased}, tie_embeddings: true, {COMPLETE}", 6, "15,191,712", tmp_path)
    assert found.severity == "contradiction"


def test_an_equal_control_with_shared_keys_and_values_has_whole_heads(tmp_path: Path) -> None:
    path = tmp_path / "stated.yaml"
    arms = "[{name: a, num_layers: 2, parameters: 1}, {name: b, num_layers: 6, parameters: 2}]"
    path.write_text(f"model: {{{QWEN}}}\narms: {arms}\ncontrol_width: 1001\n")
    found = control_finding(read_stated(path))
    assert found is not None
    assert int(found.numbers["d_model_by_total_parameters"]) % 14 == 0
    assert "1,001 is no multiple of the 14 heads" in found.sentence


def test_tokens_of_an_epoch_that_agree(tmp_path: Path) -> None:
    (found,) = token_findings(stated(tmp_path, "1"), ())
    assert found.numbers["tokens_per_epoch"] == 100 * 4 * 32 / 2
    assert found.severity == "agreement"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("d_model: 64", "d_model: many", r"stated\.yaml:2: model\.d_model"),
        ("d_model: 64", "width: 64", r"stated\.yaml:2: model\.width: unknown key"),
        ("PARAMETERS", "60.2e6", r"stated\.yaml:5: arms\.0\.parameters: got .*; write a whole number"),
        ("PARAMETERS", "lots", r"stated\.yaml:5: arms\.0\.parameters: got 'lots'; expected a number"),
        ("d_model: 64", "d_model: 0", r"model\.d_model: Input should be greater than 0"),
        ("model:", "model", r"stated\.yaml"),
    ],
)
def test_a_wrong_yaml_is_named_by_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "stated.yaml"
    path.write_text(YAML.replace(old, new).replace("PARAMETERS", "5"))
    with pytest.raises(SpecError, match=message):
        read_stated(path)


def test_earlier_sources_come_first_and_gaps_are_filled(tmp_path: Path) -> None:
    early = Stated(model=StatedModel(d_model=32))
    found = merge([early, stated(tmp_path, "5M")])
    assert (found.model.d_model, found.model.vocab_size, found.arms[0].name) == (32, 50_257, "small")


def test_the_page_in_the_docs_can_be_followed(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
    path = tmp_path / "stated.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert len(read_stated(path).arms) == 2
    assert not [kind for kind in get_args(Kind) if not kind.startswith("log-") and f"`{kind}`" not in page]


TEXT = """
| Component | Value |
| d_model | 256 |
Vocabulary size: 32,000 (Llama 2)
hidden layers use no bias; untied head
Trained with batch size 8 for 3 epochs (1,200 training steps) on 4 GPUs, ~1.5 M tokens
| Base | 4 | 20.1 M | 80.4 MB |
The next model: d_model about 300.
"""


def test_running_text_and_tables_with_borders() -> None:
    found = find_stated(TEXT.splitlines())
    assert (found.model.d_model, found.model.vocab_size, found.model.tokenizer) == (256, 32_000, "Llama 2")
    assert (found.model.linear_bias, found.model.tie_embeddings, found.model.final_norm) == (False, False, None)
    training = found.training
    assert (training.batch_size, training.epochs, training.steps, training.devices) == (8, 3, 1200, 4)
    assert training.corpus_tokens == Printed(value=1.5e6, half=5e4)
    (arm,) = found.arms
    assert (arm.name, arm.num_layers, arm.parameters) == ("Base", 4, Printed(value=20.1e6, half=5e4))
    assert found.control_width == 300


def test_zeros_in_a_text_state_nothing() -> None:
    assert find_stated(["d_model 0, batch size 0, 0 epochs, ~0k tokens", "Base 0 1 M"]) == Stated()
