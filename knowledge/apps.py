from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    name = "knowledge"

    def ready(self) -> None:
        from knowledge.embedding import queue
        from knowledge.ingest import uploaded

        queue.embedded_listeners.append(uploaded.end_embedded)
