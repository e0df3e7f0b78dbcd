"""Speed and time left are told only when there is a ground for them."""

from __future__ import annotations

from progress.rate import Counts, Sample, sampled


def play(steps: list[tuple[float, int, int]]) -> tuple[float | None, float | None]:
    samples: list[Sample] = []
    speed = left = None
    for now, done, total in steps:
        samples, speed, left = sampled(samples, now, Counts(done, total))
    return speed, left


def test_the_first_sample_says_nothing() -> None:
    assert play([(0, 0, 1)]) == (None, None)


def test_a_steady_crawl_of_a_known_site_has_a_speed_and_an_end() -> None:
    assert play([(second, second * 10, 200) for second in range(6)]) == (10, 15)


def test_the_end_is_unknown_while_discovery_outruns_the_crawl() -> None:
    speed, left = play([(second, second * 10, 100 + second * 50) for second in range(6)])
    assert speed == 10
    assert left is None


def test_the_end_is_known_soon_after_discovery_ended() -> None:
    steps = [(0.0, 0, 1), (0.5, 1, 400)] + [(1.0 + second, 10 * (second + 1), 400) for second in range(6)]
    speed, left = play(steps)
    assert speed is not None
    assert left is not None


def test_old_samples_are_forgotten() -> None:
    slow_then_fast = [(float(second), second, 1000) for second in range(30)]
    slow_then_fast += [(30.0 + second, 30 + second * 20, 1000) for second in range(25)]
    speed, _ = play(slow_then_fast)
    assert speed is not None
    assert speed > 15


def test_the_number_of_samples_stays_bounded() -> None:
    samples: list[Sample] = []
    for step in range(10_000):
        samples, _, _ = sampled(samples, step * 0.05, Counts(step, 10_000))
    assert len(samples) < 50


def test_a_clock_that_jumps_back_starts_afresh() -> None:
    assert play([(100, 10, 50), (101, 20, 50), (5, 21, 50)]) == (None, None)


def with_vectors(steps: list[tuple[float, Counts]]) -> list[float | None]:
    """What is left after each step."""
    samples: list[Sample] = []
    told = []
    for now, counts in steps:
        samples, _, left = sampled(samples, now, counts)
        told.append(left)
    return told


def test_the_vectors_still_to_come_count_with_those_of_pages_that_are_not_read_yet() -> None:
    """10 pages a second, of 4 chunks each, and 20 vectors a second: 200 pages take 20 s, their vectors 40."""
    crawling = [(second, Counts(second * 10, 200, second * 40, second * 20)) for second in range(20)]
    embedding = [(20 + second, Counts(200, 200, 800, 400 + second * 20)) for second in range(20)]
    told = with_vectors([*crawling, *embedding])
    assert told[1:] == [40 - second for second in range(1, 40)]


def test_the_time_before_the_first_vector_says_nothing_of_their_speed() -> None:
    reading = [(s, Counts(s * 10, 100, s * 40, 0)) for s in range(10)]
    embedding = [(9 + s, Counts(100, 100, 400, s * 20)) for s in range(1, 6)]
    assert with_vectors([*reading, *embedding])[-3:] == [17, 16, 15]


def test_pages_that_take_longer_than_their_vectors_decide() -> None:
    assert with_vectors([(s, Counts(s * 10, 200, s * 10, s * 10)) for s in range(6)])[-1] == 15


def test_the_end_is_unknown_while_no_vector_comes() -> None:
    assert with_vectors([(s, Counts(s * 10, 200, s * 40, 0)) for s in range(6)])[-1] is None
    assert with_vectors([(s, Counts(200, 200, 800, 100)) for s in range(6)])[-1] is None


def test_a_few_vectors_between_the_pages_say_nothing_of_when_all_are_there() -> None:
    """Pages take the workers first: 2 vectors in 5 s are no speed that 800 would come with."""
    assert with_vectors([(s, Counts(s * 40, 400, s * 80, min(s, 1) * 2)) for s in range(6)])[-1] is None


def test_samples_of_a_version_before_are_dropped() -> None:
    assert sampled([[0.0, 1, 10]], 5.0, Counts(6, 10)) == ([[5.0, 6, 10, 0]], None, None)
