"""Cuts against Hugging Face's and against arithmetic by hand, draws against the probabilities."""

import math

import pytest
import torch
from pydantic import ValidationError

from stacklab.base.errors import CheckpointError
from stacklab.model.generation.decode import Sampler, warped
from stacklab.model.generation.sampling_spec import SamplingSpec


def kept(logits: list[float], **spec: float) -> list[int]:
    cut_BV = warped(torch.tensor([logits], dtype=torch.float64), SamplingSpec.model_validate({"temperature": 1} | spec))
    return torch.isfinite(cut_BV[0]).nonzero()[:, 0].tolist()


LOGS = [math.log(share) for share in (0.1, 0.4, 0.2, 0.2, 0.1)]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"top_k": 1}, [1]),
        ({"top_k": 2}, [1, 2, 3]),  # a tie with the second stays
        ({"top_k": 9}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.01}, [1]),
        ({"top_p": 0.39}, [1]),
        ({"top_p": 0.41}, [1, 3]),  # of equal tokens the higher id
        ({"top_p": 0.61}, [1, 2, 3]),
        ({"top_p": 1.0}, [0, 1, 2, 3, 4]),
        ({"top_k": 3, "top_p": 0.74}, [1, 3]),  # of what top-k left these hold 0.5, 0.75 and 1
        ({"top_k": 3, "top_p": 0.76}, [1, 2, 3]),
        ({"top_k": 3, "top_p": 0.49}, [1]),  # without top-k 0.49 would need two
        ({"temperature": 0.25, "top_p": 0.85}, [1]),  # sharpened first: 0.885 instead of 0.4
        ({"temperature": 4.0, "top_p": 0.41}, [1, 3]),
    ],
    ids=str,
)
def test_what_stays(spec: dict[str, float], expected: list[int]) -> None:
    assert kept(LOGS, **spec) == expected


@pytest.mark.parametrize(
    ("temperature", "top_k", "top_p"),
    [(0.7, None, None), (1.0, 5, None), (2.0, None, 0.8), (0.9, 12, 0.9), (1.5, 3, 0.3)],
)
def test_cuts_equal_the_peers_in_the_peers_order(temperature: float, top_k: int | None, top_p: float | None) -> None:
    """Which of equal logits the peer's top-p keeps is left to its sort, so with ties only the kept values are equal."""
    process = pytest.importorskip("transformers.generation.logits_process")
    warpers = [process.TemperatureLogitsWarper(temperature)]
    warpers += [process.TopKLogitsWarper(top_k)] if top_k else []
    warpers += [process.TopPLogitsWarper(top_p)] if top_p else []
    spec = SamplingSpec(temperature=temperature, top_k=top_k, top_p=top_p)
    free_BV = torch.randn(40, 37, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2
    tied_BV = free_BV.mul(2).round().div(2)
    for logits_BV in (free_BV, tied_BV):
        ours_BV, theirs_BV = warped(logits_BV, spec), logits_BV
        for warper in warpers:
            theirs_BV = warper(None, theirs_BV)
        if logits_BV is free_BV or top_p is None:
            assert torch.equal(ours_BV, theirs_BV)
        assert torch.equal(ours_BV.sort().values, theirs_BV.sort().values)


def test_draws_follow_the_probabilities_and_never_take_what_was_cut() -> None:
    spec = SamplingSpec(temperature=2.0, top_k=3, seed=1)
    logits_BV = torch.tensor([[0.0, 3.0, -1.0, 2.0, 1.0]])
    sampler = Sampler(spec, [[row] for row in range(2000)], steps=10)
    drawn = [sampler.choose(logits_BV.expand(2000, -1), step) for step in range(10)]
    counts = torch.bincount(torch.cat(drawn), minlength=5)
    shares = torch.softmax(torch.tensor([-torch.inf, 1.5, -torch.inf, 1.0, 0.5]), 0)
    assert counts[[0, 2]].tolist() == [0, 0]
    # Four standard errors of a share near one half.
    torch.testing.assert_close(counts / 20_000, shares, rtol=0, atol=4 * 0.5 / 20_000**0.5)


def test_the_likeliest_is_taken_at_temperature_0() -> None:
    greedy = Sampler(SamplingSpec(top_k=2), [[1], [2]], steps=1)
    assert greedy.choose(torch.tensor([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), 0).tolist() == [1, 0]


@pytest.mark.parametrize("wrong", [{"temperature": -0.1}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}], ids=str)
def test_what_is_no_sampling_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        SamplingSpec.model_validate(wrong)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_give_no_token(temperature: float, value: float) -> None:
    sampler = Sampler(SamplingSpec(temperature=temperature), [[1], [2]], steps=1)
    with pytest.raises(CheckpointError, match="logits are NaN or infinite"):
        sampler.choose(torch.tensor([[0.0, 2.0], [1.0, value]]), 0)


@pytest.mark.parametrize("cuts", [{}, {"top_k": 2}, {"top_p": 0.5}], ids=str)
@pytest.mark.parametrize("temperature", [1e-307, 5e-324, 1e-30, 1e308])
def test_a_temperature_near_0_takes_the_likeliest_and_an_endless_one_any(
    temperature: float, cuts: dict[str, float]
) -> None:
    logits_BV = torch.tensor([[3.0, 80.0, -7.0], [900.0, -900.0, 899.0]])
    spec = SamplingSpec.model_validate({"temperature": temperature} | cuts)
    chosen = [Sampler(spec, [[seed], [seed]], steps=1).choose(logits_BV, 0).tolist() for seed in range(9)]
    assert all(id in (0, 1, 2) for ids in chosen for id in ids)
    assert chosen == [[1, 0]] * 9 or temperature > 1
