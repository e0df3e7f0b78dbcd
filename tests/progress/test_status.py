"""The bar only moves forward, and only a completed operation shows 100."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from progress.status import ACTIVE, PERCENT, STAGES, TERMINAL, Status, may_move, percentage


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(ACTIVE)), st.integers(0, 500), st.integers(0, 500), st.booleans()), max_size=30
    )
)
def test_the_percentage_never_falls_and_never_reaches_100_before_the_end(
    steps: list[tuple[Status, int, int, bool]],
) -> None:
    shown = 0
    for status, done, total, growing in steps:
        now = percentage(status, done=done, total=total, growing=growing, before=shown)
        assert shown <= now < 100
        shown = now
    assert percentage(Status.COMPLETED, done=0, total=0, growing=True, before=shown) == 100
    assert percentage(Status.FAILED, done=0, total=0, growing=False, before=shown) == shown


def test_no_status_follows_an_end() -> None:
    for end in TERMINAL:
        assert not any(may_move(end, status) for status in Status)


def test_every_working_status_may_end_in_every_way() -> None:
    assert all(may_move(status, end) for status in ACTIVE for end in TERMINAL)


def test_stages_only_move_forward() -> None:
    assert may_move(Status.CRAWLING, Status.EMBEDDING)
    assert not may_move(Status.EMBEDDING, Status.CRAWLING)


def test_a_paused_operation_returns_to_any_stage() -> None:
    assert all(may_move(Status.PAUSED, stage) for stage in STAGES)


def test_the_table_of_shares_rises_from_stage_to_stage() -> None:
    shares = [PERCENT[stage] for stage in STAGES]
    assert all(low <= high for low, high in shares)
    assert [low for low, _ in shares] == sorted(low for low, _ in shares)


def test_one_done_page_of_a_site_still_being_discovered_is_no_large_share() -> None:
    assert percentage(Status.CRAWLING, done=1, total=1, growing=True, before=0) < 10
    assert percentage(Status.CRAWLING, done=1, total=1, growing=False, before=0) == 70
