"""Checks an exported folder before it counts as written: opens it again and compares its logits with the model's."""

import contextlib
import importlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from stacklab.base.errors import PortError
from stacklab.exchange.portable import Portable
from stacklab.exchange.text_codec import encoder
from stacklab.model.port.own import register

TOLERANCE = 1e-4
"""Largest difference of two logits, in units of the largest logit (at least 1). float32 orders its sums differently."""
SEQUENCES, LENGTH = 2, 64
SAMPLE = "Once upon a time, there were 3 words; naïve ones.\n"


def check_export(folder: Path, model: Portable) -> float | None:
    """The largest difference between logits; None when transformers is not installed.

    Raises PortError when the logits differ by more than TOLERANCE, or the tokenizer returns other ids.
    """
    if find_spec("transformers") is None:
        return None
    ids_BT = probe(model)
    ours = model.build(folder)
    with torch.no_grad():
        expected_BTV = ours.logits(ours(ids_BT))
        reopened_BTV = _reopened(folder)(ids_BT).logits.float()
    difference = float((expected_BTV - reopened_BTV).abs().max())
    check_difference(folder, difference, expected_BTV)
    if model.tokenizer is not None:
        _check_tokenizer(folder, model)
    return difference


def probe(model: Portable) -> torch.Tensor:
    """ids_BT to compare on, drawn uniformly from the vocabulary."""
    generator = torch.Generator().manual_seed(0)
    length = min(LENGTH, model.spec.context_length)
    return torch.randint(model.spec.vocab_size or 1, (SEQUENCES, length), generator=generator)


def check_difference(folder: Path, difference: float, expected_BTV: torch.Tensor) -> None:
    """Raises PortError when the logits differ by more than TOLERANCE."""
    limit = TOLERANCE * max(1.0, float(expected_BTV.abs().max()))
    if not difference <= limit:
        raise PortError(
            f"{folder}: reopened, its logits differ from the model's by {difference:.3g}, more than {limit:.3g}; "
            "nothing was written"
        )


def _reopened(folder: Path) -> Any:
    register()
    from transformers import AutoModelForCausalLM

    with _quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return model.eval()


def _check_tokenizer(folder: Path, model: Portable) -> None:
    from transformers import AutoTokenizer

    reopened = AutoTokenizer.from_pretrained(folder)(SAMPLE)["input_ids"]
    expected = encoder(model)(SAMPLE)
    if reopened != expected:
        raise PortError(
            f"{folder}: reopened by transformers, the tokenizer returns {reopened[:8]}, expected {expected[:8]}"
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Switch off the progress bars of transformers."""
    logging: Any = importlib.import_module("transformers.utils.logging")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
