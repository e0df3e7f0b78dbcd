"""The Celery application: `celery -A archon worker` and `celery -A archon beat`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")

app = Celery("archon")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
