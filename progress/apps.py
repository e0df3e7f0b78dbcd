from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class ProgressConfig(AppConfig):
    name = "progress"

    def ready(self) -> None:
        from progress import failpoints

        try:
            failpoints.arm(settings.FAILPOINT, settings.DATA_DIR)
        except ValueError as error:
            raise ImproperlyConfigured(f"ARCHON_FAILPOINT is not valid: {error}.") from None
