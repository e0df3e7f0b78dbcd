"""Webhooks: what ended is told once, signed, again after a failure, and never to an address inside."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from archon import vault
from archon.models import Delivery, Webhook
from archon.tasks import tell_webhooks
from archon.webhooks.deliver import WAITS, signature
from crawler.models import CrawlUrl
from progress import tracker
from progress.models import Progress
from progress.status import Status
from tests.crawler.jobs import job_of

pytestmark = pytest.mark.django_db


class Receiver(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.status = 200
        self.calls: list[tuple[dict[str, str], str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class Answering(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def made(client: Client, url: str, *events: str) -> dict[str, Any]:
    body = {"url": url, **({"events": list(events)} if events else {})}
    response = client.post("/api/webhooks", body, content_type="application/json")
    assert response.status_code == 201, response.content
    return dict(response.json())


def completed(**options: Any) -> str:
    job = job_of(**options)
    for status in (Status.STARTING, Status.ANALYZING, Status.CRAWLING, Status.FINALIZING):
        tracker.update(job.progress_id, status=status)
    tracker.complete(job.progress_id)
    return job.progress_id


def test_an_end_is_told_once_and_signed(client: Client, receiver: Receiver) -> None:
    secret = made(client, receiver.url)["secret"]
    progress_id = completed()
    tell_webhooks()
    tell_webhooks()
    ((headers, body),) = receiver.calls
    assert headers["x-archon-event"] == "crawl.finished"
    assert headers["x-archon-signature"] == signature(secret, int(headers["x-archon-timestamp"]), body)
    told = json.loads(body)
    assert told["event"] == "crawl.finished"
    assert told["progress"]["progressId"] == progress_id
    assert Delivery.objects.get().state == "delivered"


def test_a_failure_and_a_change_have_names_of_their_own(client: Client, receiver: Receiver) -> None:
    made(client, receiver.url, "crawl.failed", "source.changed")
    failed = job_of("http://127.0.0.1:9/failing/")
    tracker.fail(failed.progress_id, {"code": "timeout", "message": "It was slow.", "hint": ""})
    refreshed = completed(url="http://127.0.0.1:9/refreshed/", pages=1)
    Progress.objects.filter(pk=refreshed).update(kind="refresh")
    CrawlUrl.objects.filter(job__progress=refreshed).update(reason="changed")
    completed(url="http://127.0.0.1:9/ordinary/")
    tell_webhooks()
    assert {headers["x-archon-event"] for headers, _ in receiver.calls} == {"crawl.failed", "source.changed"}
    assert "It was slow." in next(body for _, body in receiver.calls if "crawl.failed" in body)


def test_what_is_not_taken_comes_again_until_it_is_given_up(client: Client, receiver: Receiver) -> None:
    hook = made(client, receiver.url)
    completed()
    receiver.status = 500
    for attempt in range(1, len(WAITS) + 2):
        tell_webhooks()
        delivery = Delivery.objects.get()
        assert (delivery.attempts, delivery.http_status) == (attempt, 500)
        if attempt <= len(WAITS):
            assert delivery.state == "pending"
            assert abs(delivery.next_at - timezone.now() - WAITS[attempt - 1]) < timedelta(seconds=10)
        Delivery.objects.update(next_at=timezone.now())
    assert Delivery.objects.get().state == "failed"
    listed = client.get(f"/api/webhooks/{hook['id']}/deliveries").json()
    assert listed["total"] == 1
    assert listed["deliveries"][0]["error"] == "The address answered with HTTP status 500."


def test_an_address_that_is_gone_is_told_no_more(client: Client, receiver: Receiver) -> None:
    made(client, receiver.url)
    completed()
    receiver.status = 410
    tell_webhooks()
    hook = Webhook.objects.get()
    assert not hook.active
    assert "410" in hook.note


def test_a_redirect_is_not_followed(client: Client, receiver: Receiver) -> None:
    made(client, receiver.url)
    completed()
    receiver.status = 307
    tell_webhooks()
    assert Delivery.objects.get().http_status == 307


def test_an_address_inside_is_refused_at_once_and_at_the_socket(client: Client, receiver: Receiver) -> None:
    for url, code in (
        ("http://10.0.0.1/", "address_forbidden"),
        ("http://169.254.169.254/latest", "address_forbidden"),
        ("file:///etc/passwd", "url_scheme"),
        ("nonsense", "url_scheme"),
    ):
        refused = client.post("/api/webhooks", {"url": url}, content_type="application/json")
        assert refused.status_code == 422, url
        assert refused.json()["detail"]["field"] == "url"
        assert refused.json()["detail"]["code"] == code
    made(client, receiver.url)
    Webhook.objects.update(url="http://10.0.0.1/")  # as if the guard had been passed, or the rules changed since
    completed()
    tell_webhooks()
    assert "address_forbidden" in Delivery.objects.get().error


def test_people_hear_of_their_own_crawls(client: Client, receiver: Receiver, settings: Any) -> None:
    settings.LOCAL_MODE = False
    alice, bob = (get_user_model().objects.create_user(name) for name in ("alice", "bob"))
    client.force_login(alice)
    settings.LOCAL_MODE = True
    Webhook.objects.create(owner=alice, url=receiver.url, events=["crawl.finished"], secret=vault.seal("s"))
    completed(owner_id=bob.pk)
    mine = completed(url="http://127.0.0.1:9/mine/", owner_id=alice.pk)
    tell_webhooks()
    assert [json.loads(body)["progress"]["progressId"] for _, body in receiver.calls] == [mine]


def test_a_test_can_be_sent_and_a_webhook_deleted(client: Client, receiver: Receiver) -> None:
    hook = made(client, receiver.url)
    assert client.post(f"/api/webhooks/{hook['id']}/test").status_code == 202
    tell_webhooks()
    assert json.loads(receiver.calls[0][1])["event"] == "test"
    assert client.delete(f"/api/webhooks/{hook['id']}").status_code == 200
    assert client.get(f"/api/webhooks/{hook['id']}/deliveries").status_code == 404
    assert client.get("/api/webhooks").json() == {"webhooks": []}


def test_a_server_without_a_key_says_that_its_operator_has_to_set_one(client: Client, settings: Any) -> None:
    settings.ENCRYPTION_KEYS = ()
    body = {"url": "http://127.0.0.1:9/hook", "events": ["crawl.finished"]}
    refused = client.post("/api/webhooks", body, content_type="application/json")
    detail = refused.json()["detail"]
    assert (refused.status_code, detail["code"]) == (409, "no_encryption_key")
    assert "ARCHON_ENCRYPTION_KEYS" in detail["hint"]
    assert not Webhook.objects.exists()


def test_secrets_are_encrypted_and_keys_can_be_changed(client: Client, receiver: Receiver, settings: Any) -> None:
    secret = made(client, receiver.url)["secret"]
    assert secret not in Webhook.objects.get().secret
    assert secret not in client.get("/api/webhooks").content.decode()
    old, new = settings.ENCRYPTION_KEYS, Fernet.generate_key().decode()
    settings.ENCRYPTION_KEYS = (new, *old)
    call_command("rotate-keys", stdout=io.StringIO())
    settings.ENCRYPTION_KEYS = (new,)
    assert vault.unseal(Webhook.objects.get().secret) == secret
    settings.ENCRYPTION_KEYS = old
    with pytest.raises(CommandError, match="Add the old key"):
        call_command("rotate-keys", stdout=io.StringIO())
    out = io.StringIO()
    call_command("rotate-keys", "--new", stdout=out)
    Fernet(out.getvalue().strip())
