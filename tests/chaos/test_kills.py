"""One SIGKILL of each part of the product during crawls, as `make chaos` does it a hundred times."""

from __future__ import annotations

import os

import pytest

from tests.chaos.killable import FAULTS, killable_stack
from tests.chaos.soak import drawn, run
from tests.e2e.served import served

PAGES = 60


@pytest.mark.both_databases
def test_whatever_part_is_killed_the_crawl_completes_with_every_page_once() -> None:
    database_url = os.environ.get("DATABASE_URL", "sqlite")
    url = "" if database_url.startswith("sqlite") else database_url
    crawls = drawn(len(FAULTS), PAGES, seed=4, faults=FAULTS)
    with killable_stack(url) as stack, served(PAGES, delay=0.3) as site:
        for crawl in crawls:
            run(stack, site, crawl)
    assert [crawl.violations for crawl in crawls] == [[] for _ in crawls]
    assert any(point.resumed is not None for crawl in crawls for point in crawl.points)


def test_the_same_seed_draws_the_same_points() -> None:
    crawls = drawn(100, 300, seed=1, faults=FAULTS)
    assert crawls == drawn(100, 300, seed=1, faults=FAULTS)
    assert crawls != drawn(100, 300, seed=2, faults=FAULTS)
    faults = [point.fault for crawl in crawls for point in crawl.points]
    assert {faults.count(fault) for fault in FAULTS} == {20}
