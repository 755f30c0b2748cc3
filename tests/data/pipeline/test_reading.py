import dataclasses

from stacklab.data.pipeline.reading import Sieve
from stacklab.data.pipeline.splits import HashRule, split_of
from stacklab.data.record import Record, Turn


def sides(records: list[Record], *, split_seed: int = 0, tuning: float = 0.0) -> dict[str, str]:
    sieve: Sieve[Record] = Sieve()
    return {record.text: split for split, record in sieve.sift(records, HashRule(0.3, tuning, split_seed))}


BY_HASH = HashRule(0.3, 0.0, 0)
RECORDS = [Record(text=f"story {number}") for number in range(400)]
RECORDS_TEXTS = [record.text for record in RECORDS]


def test_differences_that_no_reader_sees_make_a_duplicate() -> None:
    base = Record((Turn("user", "caf\u00e9\nx"), Turn("assistant", "y")))
    same = Record((Turn("user", " cafe\u0301 \r\nx\n"), Turn("assistant", "y")), answer="z")
    assert base.digest == same.digest
    others = [
        Record((Turn("user", "caf\u00e9 x"), Turn("assistant", "y"))),
        Record((Turn("system", "caf\u00e9\nx"), Turn("assistant", "y"))),
        Record((Turn("user", "caf\u00e9\n  x"), Turn("assistant", "y"))),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == 4


def test_the_question_is_the_same_whatever_the_system_said() -> None:
    asked = (Turn("user", "q"), Turn("assistant", "a"))
    assert Record(asked).prompt_digest == Record((Turn("system", "s"), *asked)).prompt_digest
    assert Record(asked[:1]).prompt_digest is None


def test_empty_records_and_duplicates_are_dropped_and_counted() -> None:
    sieve: Sieve[Record] = Sieve()
    kept = list(sieve.sift([*RECORDS, Record(text=" \n"), dataclasses.replace(RECORDS[7])], BY_HASH))
    counts = sieve.counts(("train", "validation"))
    assert [record for _, record in kept] == RECORDS
    assert (counts["read"], counts["empty"], counts["duplicates"], counts["kept"]) == (402, 1, 1, 400)
    assert counts["train"] + counts["validation"] == 400


def test_one_record_in_a_stride_is_read_from_the_first_on() -> None:
    sieve: Sieve[Record] = Sieve()
    assert [record for _, record in sieve.sift(RECORDS, BY_HASH, stride=4)] == RECORDS[::4]
    assert sieve.counts(("train",))["read"] == 100


def test_a_record_keeps_its_side_when_others_come_and_go() -> None:
    whole, part = sides(RECORDS), sides(RECORDS[::-2])
    assert part == {text: whole[text] for text in part}


def test_the_split_seed_draws_another_split_of_the_expected_size() -> None:
    first, second = sides(RECORDS), sides(RECORDS, split_seed=1)
    both = sum(first[text] == second[text] == "validation" for text in first)
    assert 90 < list(first.values()).count("validation") < 150
    assert 15 < both < 60  # independent: 0.3 * 0.3 * 400 = 36
    assert split_of("ab", validation=0.0, tuning=0.0, split_seed=0) == "train"
    assert split_of("ab", validation=1.0, tuning=0.0, split_seed=0) == "validation"


def test_a_tuning_split_takes_records_from_training_alone() -> None:
    without, given = sides(RECORDS), sides(RECORDS, tuning=0.2)
    moved = {text for text in RECORDS_TEXTS if without[text] != given[text]}
    assert 50 < len(moved) < 110
    assert {(without[text], given[text]) for text in moved} == {("train", "tuning")}
