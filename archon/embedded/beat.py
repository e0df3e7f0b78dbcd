"""The clock of a local Archon: `celery -A archon.beat beat` without Celery's command line, which loads a shell."""

from __future__ import annotations

from django.conf import settings

from archon.beat import app


def main() -> None:
    app.Beat(loglevel=settings.LOG_LEVEL, pidfile=None).run()


if __name__ == "__main__":
    main()
