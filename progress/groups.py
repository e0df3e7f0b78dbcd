"""Group names of the channel layer. Progress ids are any text; groups allow only ASCII letters, digits, - _ ."""

from __future__ import annotations

import hashlib

KNOWLEDGE_TOPIC = "knowledge-items"
MCP_LOG_TOPIC = "mcp-logs"


def progress_topic(progress_id: str) -> str:
    return f"progress:{progress_id}"


def group_name(topic: str) -> str:
    """A hash: any id fits into the 99 characters a group may have, and none can collide by escaping."""
    return "archon." + hashlib.sha256(topic.encode("utf-8", "replace")).hexdigest()[:40]
