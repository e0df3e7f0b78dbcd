"""Many rows in statements of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

# SQLite takes 32,766 parameters, and a statement that holds the lock for long holds everybody up.
ROWS_PER_STATEMENT = 500


def batches(pks: Sequence[int]) -> Iterator[Sequence[int]]:
    return (pks[start : start + ROWS_PER_STATEMENT] for start in range(0, len(pks), ROWS_PER_STATEMENT))
