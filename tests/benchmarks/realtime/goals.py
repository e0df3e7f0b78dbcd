"""What is promised, whether a run met it, and the tables of docs/benchmarks/realtime.md."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple


class Goal(NamedTuple):
    what: str
    measured: str
    met: bool


def goals(results: dict[str, Any]) -> list[Goal]:
    """Of every scenario that ran."""
    return [goal for name, judge in JUDGES.items() if name in results for goal in judge(results[name])]


def _fan_out(rows: Any) -> Iterator[Goal]:
    servers = {row["name"]: row for row in rows}
    own = servers["Archon"]
    viewers, pace, paced = own["paced"]["viewers"], own["pace"], own["paced"]
    met = paced["lost"] == 0 and paced["in_order"] and paced["p99_ms"] <= 15
    shown = f"{paced['lost']} lost, p99 {paced['p99_ms']} ms"
    yield Goal(f"{viewers:,} viewers, {pace:g} updates/s: none lost, p99 <= 15 ms", shown, met)
    for peer, least in (("the seed's manager", 2), ("stock Channels", 20)):
        ratio = own["flat_out"]["per_second"] / max(1, servers[peer]["flat_out"]["per_second"])
        yield Goal(f"flat out >= {least} times {peer}", f"{ratio:.0f} times", ratio >= least)


def _storm(row: Any) -> Iterator[Goal]:
    met = row["errors"] == 0 and row["snapshots"] == row["asked"] and row["max_s"] <= 10
    shown = f"{row['errors']} errors, the last after {row['max_s']} s"
    yield Goal(f"{row['asked']:,} reconnects in 5 s: each has its frames within 10 s", shown, met)


def _slow(row: Any) -> Iterator[Goal]:
    shown = f"+{row['grown_mb']} MB, p99 {row['p99_ms']} ms"
    met = row["grown_mb"] <= 200 and row["p99_ms"] <= 250 and row["lost"] == 0
    yield Goal("200 clients that never read, 100 updates/s: <= 200 MB, the others' p99 <= 250 ms", shown, met)
    closed = row["closed_after_s"] is not None and row["closed_after_s"] <= 60
    shown = f"{row['closed_1013']} closed with 1013, the last gone after {row['closed_after_s']} s"
    yield Goal("all of them closed within 60 s", shown, closed and row["closed_1013"] == 200)


def _churn(row: Any) -> Iterator[Goal]:
    met = row["grown_mb"] <= 20 and row["subscriptions_left"] == row["topics_left"] == row["sockets_left"] == 0
    shown = f"+{row['grown_mb']} MB after the first 2,000, {row['topics_left']} topics, {row['sockets_left']} sockets"
    yield Goal("10,000 connects and disconnects leave nothing", shown, met)


def _idle(row: Any) -> Iterator[Goal]:
    shown = f"after {row['next_message_ms']} ms"
    yield Goal(f"idle for {row['seconds']:.0f} s, then the next message comes", shown, bool(row["next_message_ms"]))


JUDGES: dict[str, Callable[[Any], Iterator[Goal]]] = {
    "fan_out": _fan_out,
    "storm": _storm,
    "slow": _slow,
    "churn": _churn,
    "idle": _idle,
}


def table(results: dict[str, Any]) -> str:
    lines = [
        "| server | paced | p50 ms | p99 ms | lost | of a core | us each | flat out, deliveries/s | us each | lost |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(_line(row) for row in results.get("fan_out", [])),
        "",
        "| goal | measured | met |",
        "|---|---|---|",
        *(f"| {goal.what} | {goal.measured} | {'yes' if goal.met else 'NO'} |" for goal in goals(results)),
    ]
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    paced, burst = row["paced"], row["flat_out"]
    cells = [row["name"], f"{row['pace']:g}/s", paced.get("p50_ms", "-"), paced.get("p99_ms", "-"), paced["lost"]]
    cells += [f"{paced['server_cpu']:.2f}", paced["us_per_delivery"]]
    cells += [f"{burst['per_second']:,}", burst["us_per_delivery"], burst["lost"]]
    return "| " + " | ".join(str(cell) for cell in cells) + " |"
