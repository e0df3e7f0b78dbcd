from django.apps import AppConfig

from progress import tracing


class ArchonConfig(AppConfig):
    name = "archon"

    def ready(self) -> None:
        tracing.start()
