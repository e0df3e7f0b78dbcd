from django.apps import AppConfig

from archon.celery import app  # noqa: F401  # who sends a task finds its application
from progress import tracing


class ArchonConfig(AppConfig):
    name = "archon"

    def ready(self) -> None:
        tracing.start()
