"""The composition root: wiring, and only what must know more than one app. Nothing imports it."""

from archon.celery import app as celery_app

__all__ = ["celery_app"]
