from stacklab.bench.generate import STORIES, cached, recomputed, render, run_bench, summarise
from stacklab.model.count import count_parameters
from stacklab.model.init import build


def test_medians_are_of_ratios_within_pairs() -> None:
    rows = {
        "cached": [{"seconds": s, "cpu_seconds": s} for s in (1.0, 2.0, 4.0)],
        "recomputed": [{"seconds": s, "cpu_seconds": 3 * s} for s in (10.0, 12.0, 60.0)],
    }
    summary = summarise(rows, 500)
    assert (summary["speed_ratio"], summary["cpu_ratio"]) == (10.0, 30.0)
    assert summary["tokens_per_second"] == {"cached": 250.0, "recomputed": 500 / 12}
    text = render({"pairs": 3, "tokens": 500, "threads": 2, "parameters": 68_514_048} | summary)
    assert "68,514,048" in text and "10.0 (6.0 to 15.0)" in text and "30.0 (18.0 to 45.0)" in text


def test_both_ways_give_the_same_text_and_are_timed() -> None:
    small = STORIES.model_copy(update={"vocab_size": 50, "d_model": 24, "context_length": 64, "window": 6})
    model = build(small, seed=0)
    assert cached(model, 20) == recomputed(model, 20)
    result = run_bench(pairs=1, tokens=5, threads=1, spec=small)
    assert result["speed_ratio"] > 0 and result["cpu_ratio"] > 0


def test_the_model_has_the_size_it_is_said_to_have() -> None:
    assert count_parameters(STORIES).total == 68_514_048
