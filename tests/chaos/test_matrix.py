"""The fault matrix: for each fault the tests that prove what is promised of it."""

from __future__ import annotations

import re

import pytest

from tests.stack import ROOT

# Empty: nothing in the suite proves it yet. It must be said here, and nowhere silently missing.
FAULTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "F1": ("a worker child is killed", ("chaos/test_failpoints.py::test_a_kill_at_any_boundary_costs_nothing",)),
    "F2": (
        "a whole worker is killed, with its browser",
        (
            "chaos/test_kills.py::test_whatever_part_is_killed_the_crawl_completes_with_every_page_once",
            "crawler/test_browser.py::test_a_killed_worker_leaves_no_browser",
        ),
    ),
    "F3": (
        "a worker is told to stop",
        (
            "chaos/test_outages.py::test_a_worker_that_is_told_to_stop_fetches_nothing_twice_but_what_was_in_flight",
            "crawler/test_watchdog.py::test_a_slice_that_its_worker_ends_is_taken_up_at_the_next_sweep",
        ),
    ),
    "F4": (
        "a page kills its worker each time",
        (
            "crawler/test_frontier.py::test_a_page_that_cost_three_workers_is_given_up",
            "crawler/test_frontier.py::test_a_slice_reads_a_page_that_two_workers_died_with_by_itself",
        ),
    ),
    "F5": (
        "the web process is killed under its sockets",
        ("chaos/test_delivery.py::test_the_web_process_is_killed_under_its_sockets",),
    ),
    "F6": (
        "the web process restarts",
        ("chaos/test_delivery.py::test_a_restart_says_so_and_sends_nobody_back_to_the_dying_process",),
    ),
    "F7": (
        "Redis is away for a while",
        ("chaos/test_delivery.py::test_progress_moves_while_redis_is_away_and_sockets_open",),
    ),
    "F8": (
        "Redis is emptied",
        ("chaos/test_kills.py::test_whatever_part_is_killed_the_crawl_completes_with_every_page_once",),
    ),
    "F9": (
        "Redis is half open",
        (
            "chaos/test_broker.py::test_a_redis_that_does_not_answer_holds_nobody_up",
            "chaos/test_outages.py::test_a_worker_whose_redis_falls_silent_and_comes_back_works_again_within_a_minute",
            "test_listening.py::test_a_free_worker_that_hears_nothing_although_messages_wait_connects_anew",
        ),
    ),
    "F10": ("Redis is out of memory", ("chaos/test_broker.py::test_a_redis_without_memory_costs_nothing",)),
    "F11": (
        "SQLite is locked by another process",
        (
            "test_failures.py::test_a_locked_database_is_a_503_that_says_when_to_come_back",
            "chaos/test_busy.py::test_nobody_hears_that_the_database_is_locked",
        ),
    ),
    "F12": ("the disk is full", ("test_limits.py::test_a_full_disk_starts_no_crawl_and_pauses_those_that_run",)),
    "F13": (
        "PostgreSQL restarts",
        ("chaos/test_database_cut.py::test_a_database_that_cuts_a_slice_at_any_boundary_costs_nothing",),
    ),
    "F14": (
        "it is unknown whether a commit came through",
        (
            "chaos/test_failpoints.py::test_a_fault_at_any_boundary_costs_nothing",
            "chaos/test_commit_cut.py::test_a_commit_of_unknown_outcome_costs_nothing",
            "chaos/test_commit_cut.py::test_a_start_of_unknown_outcome_is_repeated_with_its_key",
        ),
    ),
    "F15": (
        "a site hangs",
        (
            "crawler/test_fetcher.py::test_a_silent_server_is_given_up",
            "crawler/test_fetcher.py::test_a_body_that_drips_is_given_up",
            "crawler/test_hostile.py::test_a_crawl_of_a_hostile_site_ends_with_a_verdict_for_every_address",
        ),
    ),
    "F16": (
        "429 and 503",
        (
            "crawler/test_politeness.py::test_a_host_that_asks_for_patience_is_left_alone",
            "crawler/test_fetcher.py::test_the_wish_to_wait_is_understood_and_bounded",
        ),
    ),
    "F17": (
        "redirects",
        (
            "crawler/test_fetcher.py::test_circles_and_endless_chains_of_redirects_end",
            "crawler/test_fetcher.py::test_a_redirect_to_what_is_no_web_address_is_refused",
            "crawler/test_ssrf.py",
        ),
    ),
    "F18": ("decompression bombs", ("crawler/test_fetcher.py::test_a_compression_bomb_takes_no_memory",)),
    "F19": ("bodies without an end", ("crawler/test_fetcher.py::test_an_endless_body_is_cut_off",)),
    "F20": (
        "traps",
        ("crawler/test_hostile.py::test_a_trap_without_an_end_stops_at_its_limits",),
    ),
    "F21": ("malformed pages", ("crawler/test_hostile.py::test_every_row_of_the_matrix_has_its_routes",)),
    "F22": ("hostile sitemaps", ("crawler/test_hostile.py::test_hostile_sitemaps_give_what_is_honest_in_them",)),
    "F23": (
        "the same crawl is asked for twice",
        (
            "crawler/test_api.py::test_an_idempotency_key_starts_one_crawl",
            "crawler/test_api.py::test_fifty_requests_at_once_start_one_crawl",
        ),
    ),
    "F24": (
        "a cancel at any moment",
        (
            "chaos/test_cancel_and_clock.py::test_after_a_cancel_at_any_boundary_nothing_is_stored",
            "crawler/test_api.py::test_stopping_ends_the_crawl_at_once_and_only_once",
        ),
    ),
    "F25": (
        "the clock jumps",
        (
            "chaos/test_cancel_and_clock.py::test_a_clock_that_jumps_in_the_middle_of_a_crawl_costs_nothing",
            "chaos/test_cancel_and_clock.py::test_no_lease_outlives_a_jump_of_the_clock",
        ),
    ),
    "F26": (
        "messages come twice, late or in another order",
        (
            "chaos/test_delivery.py::test_news_may_come_twice_out_of_order_or_never",
            "chaos/test_failpoints.py::test_a_worker_that_comes_back_late_changes_nothing",
        ),
    ),
    "F27": ("a client does not read", ("chaos/test_clients.py::test_who_does_not_read_is_closed_and_costs_little",)),
    "F28": (
        "many clients come at once",
        ("chaos/test_clients.py::test_too_many_sockets_are_refused_before_they_open",),
    ),
    "F29": (
        "broken frames and floods",
        (
            "chaos/test_clients.py::test_a_broken_frame_is_closed_with_its_code",
            "chaos/test_clients.py::test_a_flood_is_closed_with_its_code",
        ),
    ),
    "F30": ("odd progress ids", ("e2e/test_crawl.py::test_any_text_is_a_progress_id",)),
    "F31": ("odd values", ("chaos/test_payloads.py::test_whatever_is_published_is_json_that_a_browser_parses",)),
    "F32": (
        "pages that break a browser",
        (
            "crawler/test_browser.py::test_pages_that_loop_are_given_up_and_their_processes_end",
            "crawler/test_browser.py::test_a_browser_that_dies_is_started_again",
        ),
    ),
    "F33": (
        "the embedder is away",
        ("knowledge/test_vectors.py::test_a_crawl_whose_embedder_stays_away_ends_and_says_so",),
    ),
    "F34": (
        "an upgrade with jobs in flight",
        (
            "chaos/test_outages.py::test_an_upgrade_in_the_middle_of_a_crawl_loses_and_doubles_nothing",
            "chaos/test_outages.py::test_messages_of_another_version_hold_up_no_crawl",
            "test_upgrade.py::test_a_crawl_in_flight_goes_on",
        ),
    ),
}
UNPROVEN: frozenset[str] = frozenset()


def test_every_fault_of_the_matrix_is_listed() -> None:
    assert list(FAULTS) == [f"F{number}" for number in range(1, 35)]


@pytest.mark.parametrize("fault", FAULTS)
def test_the_tests_that_prove_a_fault_exist(fault: str) -> None:
    _, tests = FAULTS[fault]
    assert bool(tests) == (fault not in UNPROVEN)
    for test in tests:
        path, _, name = test.partition("::")
        source = (ROOT / "tests" / path).read_text("utf-8")
        assert not name or re.search(rf"^(async )?def {name}\(", source, re.MULTILINE), test
