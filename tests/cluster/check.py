"""Kill one part after the other in the middle of a crawl that all workers share: nothing may be lost.

Every crawl is followed on both web processes and through nginx by clients that come back with the
last sequence they saw. In the end their histories must be equal, complete and in order, and every
page of the site stored once.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import Any

import psutil

from tests.chaos.followers import Follower
from tests.cluster.programs import WEBS, WORKERS, Cluster
from tests.site.docs import DocsSite, docs_site
from tests.site.server import Answer, LocalSite

PAGES = 300
# The sequence after which a part is killed: about a third of a crawl.
KILL_AFTER = 10
AWAY_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """One crawl during which `victim` was killed, or nobody."""

    victim: str
    seconds: float
    pages: int
    doubles: int
    events: int
    shares: dict[str, float]
    faults: tuple[str, ...]


async def check(cluster: Cluster) -> list[Outcome]:
    """A crawl in peace, then one for every part that can be killed."""
    victims = ["", "worker-2", "web-1", "redis", "beat", "nginx", "postgres"]
    outcomes = []
    for victim in victims:
        site = docs_site(PAGES)
        slow(site)
        with LocalSite(site) as served:
            outcomes.append(await crawl(cluster, f"{served.url}{site.seed}", victim, len(site.pages)))
    return outcomes


def slow(site: DocsSite) -> None:
    """Pages that take a moment, so that there is a middle in which something can be killed."""
    for page in site.pages:
        answer = site[page.path]
        assert isinstance(answer, Answer)
        site[page.path] = Answer(answer.body, delay=0.05)


async def crawl(cluster: Cluster, seed: str, victim: str, pages: int) -> Outcome:
    before = {name: cpu_seconds(cluster.pid(name)) for name in WORKERS} if not victim else {}
    began = time.monotonic()
    progress_id = await asyncio.to_thread(start, cluster, seed)
    ports = (*cluster.web_ports.values(), cluster.port)
    followers = [Follower(partial(address, port, progress_id)).start() for port in ports]
    if victim:
        await followers[1].reached(KILL_AFTER)
        await asyncio.to_thread(cluster.kill, victim)
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(cluster.revive, victim)
    histories = [await follower.end() for follower in followers]
    seconds = time.monotonic() - began
    urls = await asyncio.to_thread(stored_urls, cluster, progress_id)
    # In peace only: a fault may replace a pool, and with it what its processes had used.
    shares = {name: round(cpu_seconds(cluster.pid(name)) - used, 2) for name, used in before.items()}
    return Outcome(
        victim=victim or "nobody",
        seconds=round(seconds, 1),
        pages=len(set(urls)),
        doubles=len(urls) - len(set(urls)),
        events=len(histories[0]),
        shares=shares,
        faults=tuple(faults(histories, urls, pages, shares)),
    )


def address(port: int, progress_id: str, query: str) -> str:
    return f"ws://127.0.0.1:{port}/api/crawl-progress/{progress_id}{query}"


def faults(histories: list[list[str]], urls: list[str], pages: int, shares: dict[str, float]) -> list[str]:
    found = []
    if sorted(urls) != sorted(set(urls)) or len(urls) != pages:
        found.append(f"{len(urls)} pages stored, {len(set(urls))} of them different, {pages} expected")
    for number, history in enumerate(histories):
        sequences = [json.loads(text)["data"]["sequence"] for text in history]
        if sequences != list(range(1, len(sequences) + 1)) or history != histories[0]:
            found.append(f"follower {number} saw another history: {len(sequences)} events")
        if json.loads(history[-1])["type"] != "crawl_completed":
            found.append(f"follower {number} saw no completion")
    found += [f"{name} did no work" for name, seconds in shares.items() if seconds < 0.1]
    return found


def cpu_seconds(pid: int) -> float:
    """Of a worker and its pool."""
    worker = psutil.Process(pid)
    return float(sum(sum(part.cpu_times()[:2]) for part in [worker, *worker.children(recursive=True)]))


def start(cluster: Cluster, seed: str) -> str:
    body = json.dumps({"url": seed, "max_depth": 5, "max_pages": 1_000, "respect_robots": True}).encode()
    asked = urllib.request.Request(
        f"{cluster.url}/api/knowledge-items/crawl", body, {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return str(json.load(answer)["progressId"])


def stored_urls(cluster: Cluster, progress_id: str) -> list[str]:
    """From the rows, by way of the REST of the web process that nobody kills."""
    base = f"http://127.0.0.1:{cluster.web_ports[WEBS[1]]}/api/crawls/{progress_id}/pages?state=done&per_page=1000"
    with urllib.request.urlopen(base, timeout=30) as answer:
        body: dict[str, Any] = json.load(answer)
    return [page["url"] for page in body["pages"]]
