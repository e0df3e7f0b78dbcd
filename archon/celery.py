"""The Celery application: `celery -A archon worker` and `celery -A archon.beat beat`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
# Celery would run Django's checks in every worker, and those load each view and its schemas: 20 MB a process.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

# Tried twice. A worker may wait long for its broker; who asks for a task waits in a request, and the sweep asks again.
PUBLISH_SECONDS = 0.4


class Archon(Celery):  # type: ignore[misc]
    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        short = {"socket_timeout": PUBLISH_SECONDS, "socket_connect_timeout": PUBLISH_SECONDS}
        return super().connection_for_write(url, **{**options, "transport_options": short})


app = Archon("archon")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Only a worker builds a consumer: by its name, so that nobody else imports it.
app.steps["consumer"].add("archon.listening:Listening")
