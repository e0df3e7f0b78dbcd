"""The servers of a test run: its own redis-server, and PostgreSQL with --postgres.

Loaded by `-p tests.environment`, so that they run before Django reads its settings. Both come
from wheels when the machine has none; nothing here reaches the internet. Under xdist the
controller starts PostgreSQL once, and every worker gets a data folder and a Redis of its own:
pub/sub crosses Redis databases, so a shared server would let tests hear each other.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
import pytest
from _pytest.nodeid import NodeId
from psycopg.sql import SQL, Identifier

from archon.embedded.redis import redis_answers, redis_command
from progress.lifeline import tied_to_this_process

START_SECONDS = 30
DATABASE_FIXTURES = frozenset({"db", "transactional_db", "live_server", "admin_user", "stack"})

_servers = contextlib.ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", action="store_true", help="run the tests that touch the database on PostgreSQL")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    try:
        start(postgres=early_config.known_args_namespace.postgres)
        return (yield)
    except BaseException:
        _servers.close()
        raise


def pytest_unconfigure() -> None:
    _servers.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if getattr(config.option, "loadgroup", False):
        tell_groups(items)
    if not config.getoption("postgres"):
        return
    chosen = [item for item in items if touches_database(item)]
    config.hook.pytest_deselected(items=[item for item in items if not touches_database(item)])
    items[:] = chosen


def tell_groups(items: list[pytest.Item]) -> None:
    """To the scheduler of xdist, as a suffix of the ids. Its own way of writing it has no effect since pytest 9.2, and
    silently: https://github.com/pytest-dev/pytest-xdist/issues/1386."""
    for item in items:
        groups = "_".join(sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")}))
        if groups and not item.nodeid.endswith(f"@{groups}"):
            item._id = NodeId.parse(f"{item.nodeid}@{groups}")


def touches_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("django_db") or item.get_closest_marker("both_databases"):
        return True
    fixtures = getattr(item, "fixturenames", ())
    # What a browser shows of an answer does not depend on where the answer was stored.
    return "browser" not in fixtures and not DATABASE_FIXTURES.isdisjoint(fixtures)


def start(*, postgres: bool) -> None:
    """Sets ARCHON_DATA_DIR, REDIS_URL and DATABASE_URL; whatever else the shell set for Archon is dropped."""
    # A run that is told to end cleans up as after Ctrl-C. A shell's background job ignores that, and so would its
    # children, of which some are to be interrupted.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    database_url = os.environ.get("DATABASE_URL", "")
    for name in [name for name in os.environ if name.startswith("ARCHON_")]:
        del os.environ[name]
    folder = _servers.enter_context(temporary_folder())
    os.environ["ARCHON_DATA_DIR"] = str(folder)
    os.environ["REDIS_URL"] = _servers.enter_context(redis_server(folder))
    if not postgres:
        database_url = f"sqlite:///{folder / 'archon.sqlite3'}"
    elif worker:
        database_url = create_database(f"archon_{worker}", database_url)
    else:
        database_url = _servers.enter_context(postgres_server(folder))
    os.environ["DATABASE_URL"] = database_url
    # Vectors take a second a page; the tests that are about them turn them on.
    os.environ["ARCHON_EMBEDDER"] = "off"


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="archon-test-"))
    # PostgreSQL refuses root; its own user must be able to pass through.
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    socket = folder / "redis.sock"
    url = f"unix://{socket}"
    log = (folder / "redis.log").open("wb")
    server = subprocess.Popen(
        redis_command(folder=folder, socket=socket),
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=tied_to_this_process(signal.SIGKILL),
    )
    with log, stopped_at_the_end(server, signal.SIGKILL):
        wait_until(lambda: redis_answers(url), server, folder / "redis.log")
        yield url


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """PostgreSQL from the pgserver wheel on a unix socket; as root it runs as `nobody`."""
    uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    cluster, log = folder / "postgres", folder / "postgres.log"
    cluster.mkdir(mode=0o700)
    if uid is not None:
        os.chown(cluster, uid, -1)
    programs = postgres_programs(folder, uid)
    enter = tied_to_this_process(signal.SIGQUIT, uid=uid)
    with log.open("wb") as output:
        initdb = f"{programs}/initdb -D {cluster} -U postgres -A trust --encoding=UTF8 --locale=C --no-sync".split()
        subprocess.run(initdb, stdout=output, stderr=output, cwd=folder, preexec_fn=enter, check=True)
        settings = f"--listen_addresses= --unix_socket_directories={cluster} --fsync=off --full_page_writes=off".split()
        server = subprocess.Popen(
            [f"{programs}/postgres", "-D", str(cluster), *settings],
            stdout=output,
            stderr=output,
            cwd=folder,
            start_new_session=True,
            preexec_fn=enter,
        )
    # SIGQUIT is PostgreSQL's immediate stop: nobody will read this database again.
    with stopped_at_the_end(server, signal.SIGQUIT):
        wait_until(lambda: postgres_answers(cluster), server, log)
        yield create_database("archon", f"postgres://postgres@{str(cluster).replace('/', '%2F')}/postgres")


def postgres_programs(folder: Path, uid: int | None) -> Path:
    """The wheel's programs; a copy of them when the checkout lies where the other user may not go."""
    # Found, not imported: importing pgserver makes folders and may warn.
    spec = importlib.util.find_spec("pgserver")
    if spec is None or spec.origin is None:
        raise pytest.UsageError("--postgres needs the pgserver package: requirements-dev.txt holds it.")
    installed = Path(spec.origin).parent / "pginstall"
    if uid is None or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed / "bin"
    return shutil.copytree(installed, folder / "pginstall") / "bin"


def postgres_answers(cluster: Path) -> bool:
    try:
        psycopg.connect(host=str(cluster), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


def create_database(name: str, server: str) -> str:
    """A new database beside the one in the URL `server`; the URL of the new one."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    return f"{server.rpartition('/')[0]}/{name}"


def wait_until(answers: Callable[[], bool], server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if server.poll() is not None or time.monotonic() > deadline:
            raise pytest.UsageError(f"{log.stem} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.01)


@contextlib.contextmanager
def stopped_at_the_end(server: subprocess.Popen[bytes], stop: signal.Signals) -> Iterator[None]:
    try:
        yield
    finally:
        server.send_signal(stop)
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
