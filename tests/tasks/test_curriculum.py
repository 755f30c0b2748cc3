from stacklab.tasks.curriculum import AnnealedIdentity


def test_the_share_falls_in_a_line_and_stays_at_zero() -> None:
    curriculum = AnnealedIdentity(start=0.9, steps=4000)
    assert [curriculum.share(step) for step in (0, 2000, 4000, 4001)] == [0.9, 0.45, 0.0, 0.0]
