"""`make up`: starts redis, worker, beat and web; what keeps them running and stops them is `watch`."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import Error, connections
from kombu.exceptions import OperationalError

from archon.auth import require_an_account
from archon.celery import app
from archon.embedded import lock, plans, probe, redis
from archon.embedded.child import Child
from archon.embedded.face import Face
from archon.embedded.running import LOCK, StackState, StartFailed, ensure_running, own_health, running_url, stop_running
from archon.embedded.signals import Signals
from archon.embedded.watch import StopAsked, Watch
from archon.models import Canary
from archon.tasks import canary
from progress import disk

READY_SECONDS = 90.0
# A server of one's own runs already, or it does not; an embedded one may have a file to load.
FOREIGN_REDIS_SECONDS = 5.0
STARTING_TICK_SECONDS = 0.05
DEATHS_TO_GIVE_UP = 5

__all__ = ["StackState", "StartFailed", "Supervisor", "ensure_running", "stop_running"]


class Supervisor:
    def __init__(self, face: Face, *, verbose: bool = False) -> None:
        self._face = face
        self._signals = Signals()
        self._watch = Watch(
            face,
            self._signals,
            redis_folder=plans.REDIS_FOLDER,
            redis_socket=settings.REDIS_SOCKET,
            verbose=verbose,
        )
        self._started_at = time.monotonic()

    def run(self) -> None:
        """Until Ctrl-C or SIGTERM; does not return once all is up, since another program goes on in this process.
        Raises AlreadyRunning, PortTaken or StartFailed; nothing is left then."""
        with lock.held(LOCK, settings.BASE_URL) as lock_descriptor, self._signals:
            probe.require_free_port(settings.HOST, settings.PORT)
            try:
                self._bring_up()
                self._face.ready(settings.BASE_URL, time.monotonic() - self._started_at, plans.LOGS)
                self._watch.become(lock_descriptor, settings.BASE_DIR)
            except StopAsked:
                self._signals.let_through()
                self._face.stopping()
            finally:
                self._watch.stop_children()

    def _bring_up(self) -> None:
        if settings.EMBEDDED_REDIS:
            self._watch.add(Child(plans.redis()))
        self._migrate()
        self._await_redis()
        self._face.up("redis", "embedded" if settings.EMBEDDED_REDIS else "REDIS_URL")
        self._queue_canary()
        for plan in (plans.worker(), plans.beat(), plans.web()):
            self._watch.add(Child(plan))
        self._await(lambda: own_health() is not None, missing="the web process does not answer")
        self._face.up("web", settings.BASE_URL)
        self._await(lambda: running_url() is not None, missing="no worker runs tasks")
        self._face.up("worker", f"{settings.WORKERS} at once")
        self._face.up("beat")

    def _await_redis(self) -> None:
        def answers() -> bool:
            return redis.redis_answers(settings.REDIS_URL)

        if settings.EMBEDDED_REDIS:
            self._await(answers, missing="Redis does not answer")
        else:
            self._await(answers, seconds=FOREIGN_REDIS_SECONDS, missing="no Redis answers at REDIS_URL")

    def _migrate(self) -> None:
        began = time.monotonic()
        try:
            call_command("migrate", verbosity=0, interactive=False)
            # Of the last run: it would show a worker that is not there yet.
            Canary.objects.all().delete()
            require_an_account()
        except ImproperlyConfigured as error:
            raise StartFailed(str(error)) from error
        except Error as error:
            if disk.is_full(error):
                raise StartFailed(f"{disk.FULL['message']} {disk.FULL['hint']}") from error
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise StartFailed(f"The database cannot be used: {reason}") from error
        finally:
            connections.close_all()
        self._face.up("database", f"migrated in {time.monotonic() - began:.1f} s")

    def _queue_canary(self) -> None:
        """Beat would send one in a while; the first answer of /ready should not wait for that."""
        try:
            with app.connection_for_write() as connection:
                canary.apply_async(connection=connection, expires=READY_SECONDS)
        except OperationalError as error:
            raise StartFailed("Redis does not take tasks: see REDIS_URL.") from error

    def _await(self, true: Callable[[], bool], *, seconds: float = READY_SECONDS, missing: str) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            self._watch.tick(STARTING_TICK_SECONDS)
            if any(child.deaths_in_a_row >= DEATHS_TO_GIVE_UP for child in self._watch.children):
                raise StartFailed(f"Archon did not start: {missing}.")
            if time.monotonic() > deadline:
                raise StartFailed(f"Archon did not start in {seconds:.0f} s: {missing}; see {plans.LOGS}.")
