"""The canary, and what every worker process of Archon owes its parent."""

from __future__ import annotations

import signal
from typing import Any

from celery import shared_task
from celery.signals import worker_process_init
from django.utils import timezone

from archon.models import Canary
from progress.lifeline import tie_to_parent

WORKER = "worker"


@shared_task(ignore_result=True)
def canary() -> None:
    """A worker took this from the queue and wrote to the database: /ready believes nothing less."""
    Canary.objects.update_or_create(name=WORKER, defaults={"sung_at": timezone.now()})


@shared_task(ignore_result=True)
def tell_webhooks() -> None:
    """Find what ended, and send what is due."""
    from archon.webhooks.collect import collect
    from archon.webhooks.deliver import deliver_due

    collect()
    deliver_due()


@shared_task(ignore_result=True)
def forget_old() -> None:
    from archon import retention

    retention.forget_old()


@worker_process_init.connect
def end_with_worker(**_: Any) -> None:
    """A killed worker must not leave its pool behind, holding leases and database connections."""
    tie_to_parent(signal.SIGKILL)
