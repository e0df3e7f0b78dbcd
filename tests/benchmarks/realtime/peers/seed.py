"""The CrawlProgressManager of the system that Archon replaces, on uvicorn; without its prints, which only cost it."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import datetime
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


class CrawlProgressManager:
    def __init__(self) -> None:
        self.active_crawls: dict[str, dict[str, Any]] = {}
        self.progress_websockets: dict[str, list[WebSocket]] = {}

    async def add_websocket(self, progress_id: str, websocket: WebSocket) -> None:
        await websocket.accept()
        if progress_id not in self.progress_websockets:
            self.progress_websockets[progress_id] = []
        self.progress_websockets[progress_id].append(websocket)
        if progress_id in self.active_crawls:
            data = self.active_crawls[progress_id].copy()
            data["progressId"] = progress_id
            for key, value in data.items():
                if hasattr(value, "isoformat"):
                    data[key] = value.isoformat()
            await websocket.send_json({"type": "crawl_progress", "data": data})
        else:
            waiting = {"progressId": progress_id, "status": "waiting", "percentage": 0, "logs": ["Waiting..."]}
            await websocket.send_json({"type": "crawl_progress", "data": waiting})

    def remove_websocket(self, progress_id: str, websocket: WebSocket) -> None:
        if websocket in self.progress_websockets.get(progress_id, []):
            self.progress_websockets[progress_id].remove(websocket)

    async def update_progress(self, progress_id: str, update_data: dict[str, Any]) -> None:
        if progress_id not in self.active_crawls:
            return
        self.active_crawls[progress_id].update(update_data)
        self.active_crawls[progress_id]["updated_at"] = datetime.now()  # without a time zone, as the seed has it
        await self._broadcast_progress(progress_id)

    async def _broadcast_progress(self, progress_id: str) -> None:
        if progress_id not in self.progress_websockets:
            return
        progress_data = self.active_crawls.get(progress_id, {}).copy()
        progress_data["progressId"] = progress_id
        for key, value in progress_data.items():
            if hasattr(value, "isoformat"):
                progress_data[key] = value.isoformat()
        message = {
            "type": "crawl_progress" if progress_data.get("status") != "completed" else "crawl_completed",
            "data": progress_data,
        }
        disconnected = []
        for websocket in self.progress_websockets[progress_id]:
            try:
                await websocket.send_json(message)
            except Exception:
                disconnected.append(websocket)
        for websocket in disconnected:
            self.remove_websocket(progress_id, websocket)


progress_manager = CrawlProgressManager()


async def crawl_progress(websocket: WebSocket) -> None:
    progress_id = websocket.path_params["progress_id"]
    try:
        await progress_manager.add_websocket(progress_id, websocket)
        while True:
            try:
                message = await asyncio.wait_for(websocket.receive_text(), timeout=30.0)
                if message == "ping":
                    await websocket.send_json({"type": "pong"})
            except TimeoutError:
                await websocket.send_json({"type": "heartbeat"})
            except WebSocketDisconnect:
                break
    finally:
        progress_manager.remove_websocket(progress_id, websocket)


async def send(request: Request) -> JSONResponse:
    """Updates from within the process, which is where the seed's manager has its crawl."""
    order = await request.json()
    progress_id, count, rate = order["progress_id"], order["count"], order["per_second"]
    progress_manager.active_crawls.setdefault(progress_id, dict(order["body"]))
    sent, started = [], time.monotonic()
    for number in range(count):
        if rate:
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
        sent.append(time.monotonic_ns())
        await progress_manager.update_progress(progress_id, {"sequence": order["first"] + number})
    return JSONResponse(sent)


app = Starlette(
    routes=[
        WebSocketRoute("/api/crawl-progress/{progress_id}", crawl_progress),
        Route("/send", send, methods=["POST"]),
    ]
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", backlog=4096, ws_ping_interval=None)
