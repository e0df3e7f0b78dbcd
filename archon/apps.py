from django.apps import AppConfig


class ArchonConfig(AppConfig):
    name = "archon"
