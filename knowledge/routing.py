"""The WebSocket paths of this app."""

from django.urls import re_path

from knowledge.chat.consumers import ChatConsumer
from knowledge.consumers import KnowledgeItemsConsumer

websocket_urlpatterns = [
    re_path(r"^api/knowledge-items/stream$", KnowledgeItemsConsumer.as_asgi()),
    re_path(r"^api/chat/(?P<session_id>[\s\S]*)$", ChatConsumer.as_asgi()),
]
