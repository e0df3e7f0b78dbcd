"""The product's application, but a client that takes nothing is given up on after a second."""

from __future__ import annotations

from archon.asgi import application
from progress import consumers

__all__ = ["application"]

consumers.SLOW_SECONDS = 1.0
