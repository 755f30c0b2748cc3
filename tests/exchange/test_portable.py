"""Which tokenizers go with which tables."""

import json

import pytest
from tokenizers import Tokenizer, models

from stacklab.base.errors import TokenizerError
from stacklab.data.tokenizers.files import TokenizerFile, bytes_tokenizer
from stacklab.exchange.portable import check_vocabulary
from stacklab.model.spec import ModelSpec


def tokenizer_of(ids: int) -> TokenizerFile:
    vocabulary = {"first": 0, "last": ids - 1}
    return TokenizerFile("x", Tokenizer(models.WordLevel(vocabulary, unk_token="first")).to_str(), {})


@pytest.mark.parametrize(
    ("ids", "rows"),
    # GPT-2, Llama with a padded head, Qwen 2.5, then small ones.
    [(50_257, 50_304), (32_000, 32_064), (151_665, 151_936), (1000, 1024), (7, 7), (8, 9), (900, 1010)],
)
def test_the_padding_of_a_table_is_counted(ids: int, rows: int) -> None:
    assert check_vocabulary(tokenizer_of(ids), ModelSpec(vocab_size=rows)) == rows - ids


@pytest.mark.parametrize(
    ("ids", "rows"), [(400, 512), (2, 31), (7, 6), (6, 7), (896, 1024), (50_000, 50_520), (50_257, 151_936)]
)
def test_another_models_tokenizer_is_refused(ids: int, rows: int) -> None:
    with pytest.raises(TokenizerError, match=f"has {ids} ids, the model's vocabulary has {rows}; this is not the"):
        check_vocabulary(tokenizer_of(ids), ModelSpec(vocab_size=rows))


def with_start(number: int) -> TokenizerFile:
    """The bytes tokenizer, whose post-processor puts an id before every text."""
    tree = json.loads(bytes_tokenizer().text)
    start, text, other = (
        {"SpecialToken": {"id": "Z", "type_id": 0}},
        *({"Sequence": {"id": name, "type_id": kind}} for kind, name in enumerate("AB")),
    )
    tree["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [start, text],
        "pair": [start, text, other],
        "special_tokens": {"Z": {"id": "Z", "ids": [number], "tokens": ["Z"]}},
    }
    return TokenizerFile("theirs", json.dumps(tree), {})


def test_a_post_processor_that_adds_an_id_outside_the_model_is_refused() -> None:
    spec = ModelSpec(vocab_size=259, d_model=8, num_heads=2, num_layers=1)
    assert check_vocabulary(with_start(258), spec) == 0
    with pytest.raises(
        TokenizerError, match="theirs: the post-processor adds the id 99999 to every text, outside the "
    ):
        check_vocabulary(with_start(99999), spec)
