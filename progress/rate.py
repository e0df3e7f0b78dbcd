"""Pages per second and time left, from samples of the last seconds; None where there is no honest answer."""

from __future__ import annotations

from typing import NamedTuple

Sample = list[float]  # [seconds since the epoch, pages done, pages known, chunks with vectors]

# One of a version before has fewer numbers, and is dropped.
SAMPLE_NUMBERS = 4
WINDOW_SECONDS = 20.0
# Growth is judged by the last moments only: what was discovered at the start says nothing any more.
GROWTH_SECONDS = 3.0
SAMPLE_SECONDS = 0.5
# Fewer pages than this say nothing about the rest.
ENOUGH_PAGES = 5
# A first few vectors, made before the pages took all workers, say nothing of the speed of the others.
ENOUGH_VECTORS = 16
# When the known total grows by more than this share of the speed, the end cannot be told yet.
GROWTH_SHARE = 0.25


class Counts(NamedTuple):
    """`chunks` are those that want a vector, of the pages that are done; 0 where none is made."""

    done: int
    total: int
    chunks: int = 0
    embedded: int = 0

    def vectors_to_come(self) -> float:
        """With those of the pages that are not read yet, if they are like the others."""
        return max(0.0, self.chunks * max(1.0, self.total / max(1, self.done)) - self.embedded)


class Rate(NamedTuple):
    samples: list[Sample]
    pages_per_second: float | None = None
    seconds_left: float | None = None


def sampled(samples: list[Sample], now: float, counts: Counts) -> Rate:
    """The samples to keep, and what they tell. Vectors are made beside the pages: the slower of the two ends it."""
    kept = [sample for sample in samples if len(sample) == SAMPLE_NUMBERS and 0 <= now - sample[0] <= WINDOW_SECONDS]
    first = kept[0] if kept else None
    if not kept or now - kept[-1][0] >= SAMPLE_SECONDS:
        kept.append([round(now, 3), counts.done, counts.total, counts.embedded])
    if first is None or now - first[0] < SAMPLE_SECONDS:
        return Rate(kept)
    seconds = now - first[0]
    speed = (counts.done - first[1]) / seconds
    recent = next(sample for sample in kept if now - sample[0] <= GROWTH_SECONDS or sample is kept[-1])
    growth = (counts.total - recent[2]) / max(now - recent[0], SAMPLE_SECONDS)
    ends = _pages_left(speed, growth, counts), _vectors_left(_vectors_per_second(kept, now, counts), counts)
    left = None if None in ends else round(max(end for end in ends if end is not None), 1)
    return Rate(kept, round(speed, 2), left)


def _pages_left(speed: float, growth: float, counts: Counts) -> float | None:
    if counts.chunks and counts.done >= counts.total:  # only vectors are missing
        return 0.0
    if speed <= 0 or counts.done < ENOUGH_PAGES or growth > GROWTH_SHARE * speed:
        return None
    return max(0, counts.total - counts.done) / speed


def _vectors_per_second(kept: list[Sample], now: float, counts: Counts) -> float:
    """Since they began to come: before, the first pages were read, or a model loaded."""
    began = next(sample for sample in reversed(kept) if sample[3] == kept[0][3])
    came = counts.embedded - began[3]
    return came / max(now - began[0], SAMPLE_SECONDS) if came >= ENOUGH_VECTORS else 0.0


def _vectors_left(speed: float, counts: Counts) -> float | None:
    left = counts.vectors_to_come()
    if not left:
        return 0.0
    return left / speed if speed > 0 else None
