"""To which card a job goes."""

from stacklab.study.engines.cards import Card, Cards


def started(cards: Cards, job: int, *, on_card: bool = True, alone: bool = False) -> Card | None:
    for card in cards.free(on_card=on_card, alone=alone):
        card.start(job, alone=alone)
        return card
    return None


def names(*cards: Card | None) -> list[str | None]:
    return [card.name if card else "none" for card in cards]


def test_a_job_goes_to_the_card_with_the_fewest() -> None:
    cards = Cards(["4", "6"], runs_per_gpu=2, workers=9)
    four = [started(cards, job) for job in range(4)]
    assert names(*four, started(cards, 4)) == ["4", "6", "4", "6", "none"]
    for job in (1, 3):
        assert four[1] is not None
        four[1].end(job)
    assert names(started(cards, 5), started(cards, 6)) == ["6", "6"]


def test_a_job_that_must_be_alone_waits_for_an_empty_card_and_keeps_it() -> None:
    cards = Cards(["0"], runs_per_gpu=2, workers=2)
    card = started(cards, 0)
    assert card is not None and not cards.free(on_card=True, alone=True)
    card.end(0)
    assert started(cards, 1, alone=True) is card and not cards.free(on_card=True, alone=False)
    card.end(1)
    assert cards.free(on_card=True, alone=False) == [card]


def test_jobs_on_the_cpu_occupy_no_card_and_see_none() -> None:
    cards = Cards(["0"], runs_per_gpu=1, workers=3)
    assert names(*[started(cards, job, on_card=False) for job in range(2)], started(cards, 2)) == ["", "", "0"]


def test_without_cards_all_workers_share_one_place() -> None:
    cards = Cards([], runs_per_gpu=1, workers=2)
    assert names(started(cards, 0), started(cards, 1, on_card=False), started(cards, 2)) == [None, None, "none"]


def test_a_run_on_several_cards_takes_empty_ones_or_none() -> None:
    cards = Cards(["0", "1", "2"], runs_per_gpu=1, workers=3)
    assert names(*cards.free(2, on_card=True, alone=True)) == ["0", "1"]
    started(cards, 0)
    assert names(*cards.free(2, on_card=True, alone=True)) == ["1", "2"]
    started(cards, 1)
    assert cards.free(2, on_card=True, alone=True) == []
