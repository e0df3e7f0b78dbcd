"""The WebSocket paths of this app."""

from django.urls import re_path

from knowledge.consumers import KnowledgeItemsConsumer

websocket_urlpatterns = [
    re_path(r"^api/knowledge-items/stream$", KnowledgeItemsConsumer.as_asgi()),
]
