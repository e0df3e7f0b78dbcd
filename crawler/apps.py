from django.apps import AppConfig


class CrawlerConfig(AppConfig):
    name = "crawler"

    def ready(self) -> None:
        from crawler import tasks
        from knowledge.embedding import queue

        queue.embedded_listeners.append(tasks.end_embedded)
