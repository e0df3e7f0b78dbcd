"""Is every part of this Archon able to do its work? Each check says what it found and, if not, what to do."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from shutil import disk_usage
from typing import Any, Literal, NamedTuple

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from archon.embedded.redis import ping
from archon.embedded.running import running_url
from archon.health import check_worker
from archon.mcp import PATH
from archon.models import Canary
from archon.tasks import WORKER
from crawler.chromium import find_chromium
from knowledge.chat import llm
from knowledge.chat.errors import AnswerFailed
from knowledge.chat.prompt import PromptMessage
from knowledge.embedding import EmbeddingError, embedder
from knowledge.search.rerank import RerankFailed, reranker
from progress.loop import submit
from progress.plural import plural

Status = Literal["ok", "warning", "failed", "skipped"]
START = "Start Archon: make up"
ROUND_TRIP_SECONDS = 5.0
BROWSER_SECONDS = 20.0
MODEL_SECONDS = 60.0
LEAST_FREE, LITTLE_FREE = 500 * 2**20, 2 * 2**30


class Finding(NamedTuple):
    """`fix` is empty when there is nothing to do."""

    status: Status
    detail: str
    fix: str = ""
    name: str = ""
    milliseconds: float = 0.0


def findings() -> Iterator[Finding]:
    """One by one, each as soon as it is known; none raises."""
    for name, check in CHECKS.items():
        started = time.perf_counter()
        try:
            found = check()
        except Exception as error:  # the outer edge: a doctor that dies of an illness tells nothing
            found = Finding("failed", f"{type(error).__name__}: {error}", "This is not foreseen; report it.")
        yield found._replace(name=name, milliseconds=round(1_000 * (time.perf_counter() - started), 1))


def database() -> Finding:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        told = str(error).strip().partition("\n")[0]
        return Finding("failed", told, "Check DATABASE_URL, then: manage.py migrate")
    if missing:
        told = f"{plural(len(missing), 'migration is', 'migrations are')} not applied"
        return Finding("failed", told, "make up applies them, or: manage.py migrate")
    return Finding("ok", connection.vendor)


def redis() -> Finding:
    try:
        ping(settings.REDIS_URL)
    except RedisError as error:
        fix = f"{START} (it brings its own Redis)" if settings.EMBEDDED_REDIS else "Check REDIS_URL, and that it runs"
        return Finding("failed", type(error).__name__, fix)
    return Finding("ok", "embedded" if settings.EMBEDDED_REDIS else "your own")


def channel_layer() -> Finding:
    async def round_trip() -> None:
        layer: Any = get_channel_layer()
        async with asyncio.timeout(ROUND_TRIP_SECONDS):
            channel = await layer.new_channel()
            await layer.send(channel, {"type": "doctor"})
            await layer.receive(channel)
        await layer.flush()

    try:
        asyncio.run(round_trip())
    except (RedisError, OSError, TimeoutError) as error:
        return Finding("failed", f"no message came back: {type(error).__name__}", "See redis above")
    return Finding("ok", "a message came back")


def worker() -> Finding:
    try:
        check = check_worker(Canary.objects.filter(name=WORKER).first())
    except DatabaseError:
        return Finding("skipped", "unknown without the database", "See database above")
    if check["status"] == "ok":
        return Finding("ok", check["detail"])
    return Finding("failed", check["detail"], f"{START}, or: celery -A archon worker, and celery -A archon.beat beat")


def browser() -> Finding:
    if settings.CDP_URL:
        return Finding("ok", "a browser of its own, reached over ARCHON_CDP_URL")
    program = find_chromium(settings.CHROMIUM)
    if program is None:
        fix = "Install chromium, or name it in ARCHON_CHROMIUM; sites that need no scripts are crawled without"
        return Finding("warning", "no Chromium: pages made by scripts cannot be read", fix)
    try:
        version = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=BROWSER_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("failed", f"{program}: {type(error).__name__}", "Install it again")
    return Finding("ok", version.stdout.strip() or program)


def embedding() -> Finding:
    current = embedder()
    if current is None:
        return Finding("warning", "vectors are off: keyword search only", "Set ARCHON_EMBEDDER=local")
    try:
        vector = current.embed(["Is the doctor in?"])[0]
    except EmbeddingError as error:
        return Finding("failed", error.message, error.hint or "See ARCHON_EMBEDDER in docs/configuration.md")
    return Finding("ok", f"{current.space}, {len(vector)} dimensions")


def reranking() -> Finding:
    model = reranker()
    if model is None:
        return Finding("skipped", "none is configured: the order of the fusion stands", "See ARCHON_RERANKER")
    try:
        model.scores("Is the doctor in?", ["The doctor is in."])
    except RerankFailed as error:
        return Finding(
            "failed", str(error), "Look at the name in ARCHON_RERANKER, and whether the model can be fetched"
        )
    return Finding("ok", settings.RERANKER)


def language_model() -> Finding:
    if not llm.label():
        return Finding("skipped", "none is configured: answers are put together from passages", "See ARCHON_LLM_MODEL")

    async def first_token() -> None:
        question = [PromptMessage(role="user", content="Say ok.")]
        async with asyncio.timeout(MODEL_SECONDS), aclosing(llm.stream(question)) as told:
            async for piece in told:
                if isinstance(piece, str):
                    return

    try:
        submit(first_token()).result()
    except AnswerFailed as error:
        return Finding("failed", error.message, error.hint)
    except TimeoutError:
        return Finding("failed", f"no token within {MODEL_SECONDS:.0f} s", "Look at ARCHON_LLM_BASE_URL")
    return Finding("ok", f"{llm.label()} answers")


def mcp() -> Finding:
    url = running_url()
    if url is None:
        return Finding("skipped", "the web process is not ready", START)

    async def handshake() -> int:
        from mcp import Client

        async with asyncio.timeout(ROUND_TRIP_SECONDS), Client(url + PATH) as client:
            return len((await client.list_tools()).tools)

    try:
        tools = asyncio.run(handshake())
    except Exception as error:  # the SDK's client raises whatever its transport does, in groups
        fix = f"curl -i {url}{PATH} shows what answers; docs/mcp.md"
        if not settings.LOCAL_MODE:
            return Finding("skipped", "a server with accounts answers only those who are signed in", fix)
        return Finding("failed", f"no handshake at {url}{PATH}: {type(error).__name__}", fix)
    return Finding("ok", f"{tools} tools at {url}{PATH}")


def disk() -> Finding:
    free = disk_usage(settings.DATA_DIR).free
    told = f"{free / 2**30:.1f} GiB free for {settings.DATA_DIR}"
    if free < LEAST_FREE:
        return Finding("failed", told, "Make room, or move it with ARCHON_DATA_DIR")
    if free < LITTLE_FREE:
        return Finding("warning", told, "A large crawl may fill it; make room")
    return Finding("ok", told)


CHECKS: dict[str, Callable[[], Finding]] = {
    "database": database,
    "redis": redis,
    "channel layer": channel_layer,
    "worker": worker,
    "browser": browser,
    "embedder": embedding,
    "reranker": reranking,
    "language model": language_model,
    "mcp": mcp,
    "disk": disk,
}
