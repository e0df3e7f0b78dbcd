"""The Celery application: `celery -A archon worker` and `celery -A archon beat`."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "archon.settings")
# Django's checks import the URLs, and with them the API: 0.7 s and 30 MB in worker and beat. `make check` runs them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("archon")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
