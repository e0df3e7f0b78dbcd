"""The worker of a local Archon: `celery -A archon worker` without Celery's command line, which loads a shell of 7 MB
into each of its processes."""

from __future__ import annotations

import sys

from django.conf import settings

from archon.celery import app


def main() -> None:
    # Mingling waits a second for other workers; a local stack has none.
    worker = app.Worker(loglevel=settings.LOG_LEVEL, without_mingle=True, without_gossip=True, without_heartbeat=True)
    worker.start()
    sys.exit(worker.exitcode)


if __name__ == "__main__":
    main()
