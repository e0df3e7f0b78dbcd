"""What a first Channels program looks like: AsyncJsonWebsocketConsumer, the core Redis layer, stock Daphne.

`python -m tests.benchmarks.realtime.peers.stock send ...` publishes to it from another process,
in one long-lived loop, which is the cheapest way the layer has.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import django
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

if not settings.configured:
    settings.configure(
        SECRET_KEY="benchmark",
        CHANNEL_LAYERS={
            "default": {
                "BACKEND": "channels_redis.core.RedisChannelLayer",
                "CONFIG": {
                    "hosts": [{"address": os.environ["REDIS_URL"], "socket_timeout": None, "max_connections": 5000}]
                },
            }
        },
    )
    django.setup()


class CrawlProgress(AsyncJsonWebsocketConsumer):
    async def connect(self) -> None:
        self.group = "crawl." + self.scope["url_route"]["kwargs"]["progress_id"]
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()
        await self.send_json({"type": "crawl_progress", "data": {"status": "waiting"}})

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def progress(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "crawl_progress", "data": event["data"]})


application = ProtocolTypeRouter(
    {"websocket": URLRouter([re_path(r"^api/crawl-progress/(?P<progress_id>[^/]+)$", CrawlProgress.as_asgi())])}
)


async def send(progress_id: str, first: int, count: int, per_second: float, body: dict[str, Any]) -> list[int]:
    layer = get_channel_layer()
    assert layer is not None
    sent, started = [], time.monotonic()
    for number in range(count):
        if per_second:
            await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
        sent.append(time.monotonic_ns())
        await layer.group_send(
            f"crawl.{progress_id}", {"type": "progress", "data": {**body, "sequence": first + number}}
        )
    await layer.close_pools()
    return sent


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asyncio.run(send(**json.loads(line)))) + "\n")
        sys.stdout.flush()
