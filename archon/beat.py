"""The clock: `celery -A archon.beat beat`. It sends the names of tasks and needs nothing of what they do.

So it loads no app and no model: half the memory of a process that could run the tasks, and a start in a
third of the time.
"""

from __future__ import annotations

from logging.config import dictConfig
from typing import Any

from celery.loaders.app import AppLoader
from django.conf import settings

from archon.celery import Archon
from progress import tracing


class NamesOnly(AppLoader):  # type: ignore[misc]
    def import_default_modules(self) -> list[Any]:
        """No module: a name that the schedule holds is sent as it is, and routed by the settings."""
        return []


# What django.setup() does besides loading the apps, without the letters to admins that Django prepares.
dictConfig(settings.LOGGING)
tracing.start()
app = Archon("archon-beat", loader=NamesOnly, fixups=[])
app.config_from_object("django.conf:settings", namespace="CELERY")
