"""The WebSocket paths of this app. Ids are any text: an unknown one is answered `waiting`, never refused."""

from django.urls import re_path

from progress.consumers import CrawlProgressConsumer, McpLogConsumer

websocket_urlpatterns = [
    re_path(r"^api/crawl-progress/(?P<progress_id>[\s\S]*)$", CrawlProgressConsumer.as_asgi()),
    re_path(r"^api/mcp/logs/stream$", McpLogConsumer.as_asgi()),
]
