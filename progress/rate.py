"""Pages per second and time left, from samples of the last seconds; None where there is no honest answer."""

from __future__ import annotations

Sample = list[float]  # [seconds since the epoch, pages done, pages known]

WINDOW_SECONDS = 20.0
# Growth is judged by the last moments only: what was discovered at the start says nothing any more.
GROWTH_SECONDS = 3.0
SAMPLE_SECONDS = 0.5
# Fewer pages than this say nothing about the rest.
ENOUGH_PAGES = 5
# When the known total grows by more than this share of the speed, the end cannot be told yet.
GROWTH_SHARE = 0.25


def sampled(
    samples: list[Sample], now: float, done: int, total: int
) -> tuple[list[Sample], float | None, float | None]:
    """(samples to keep, pages per second, seconds left)."""
    kept = [sample for sample in samples if 0 <= now - sample[0] <= WINDOW_SECONDS]
    first = kept[0] if kept else None
    if not kept or now - kept[-1][0] >= SAMPLE_SECONDS:
        kept.append([round(now, 3), done, total])
    if first is None or now - first[0] < SAMPLE_SECONDS:
        return kept, None, None
    seconds = now - first[0]
    speed = (done - first[1]) / seconds
    recent = next(sample for sample in kept if now - sample[0] <= GROWTH_SECONDS or sample is kept[-1])
    growth = (total - recent[2]) / max(now - recent[0], SAMPLE_SECONDS)
    return kept, round(speed, 2), _seconds_left(speed, growth, done, total)


def _seconds_left(speed: float, growth: float, done: int, total: int) -> float | None:
    if speed <= 0 or done < ENOUGH_PAGES or growth > GROWTH_SHARE * speed:
        return None
    return round(max(0, total - done) / speed, 1)
