"""Figures of the whole server at `/metrics`, read from the database and the broker when somebody asks.

The web process's own instruments stand in progress/metrics.py. A database or a broker that is away
leaves its figures out: the others are needed most at that moment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Sum
from django.http import HttpRequest
from django.utils import timezone
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from archon.auth import GetResponse
from crawler.models import CrawlJob, CrawlUrl
from progress.metrics import registry
from progress.models import Progress

logger = logging.getLogger(__name__)

RECENT = timedelta(hours=1)
# Jobs whose pages may have failed within the last hour.
RECENT_JOBS = timedelta(days=1)
REQUEST_TIMES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

request_seconds = Histogram(
    "archon_request_seconds",
    "Time from a request to its answer, by route; of a stream to its beginning.",
    ["method", "route", "status"],
    buckets=REQUEST_TIMES,
    registry=registry,
)


class RequestTimes:
    """Middleware: every request by its route, never by its address or a method, which anybody can invent."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):  # type: ignore[no-untyped-def]
        began = time.monotonic()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else "none"
        method = request.method if request.method in METHODS else "other"
        labels = (str(method), route, str(response.status_code))
        request_seconds.labels(*labels).observe(time.monotonic() - began)
        return response


class ServerFigures(Collector):
    def collect(self) -> Iterator[Metric]:
        readers: tuple[Callable[[], Metric], ...] = (crawls, pages_per_second, page_failures, queue_depth)
        for read in readers:
            try:
                yield read()
            except (DatabaseError, RedisError) as error:
                logger.warning("%s is left out of the figures: %s", read.__name__, error)


def crawls() -> Metric:
    figure = GaugeMetricFamily("archon_crawls", "Crawls that are not over, by status.", labels=["status"])
    for status, count in CrawlJob.objects.active().values_list("progress__status").annotate(Count("pk")).order_by():
        figure.add_metric([status], count)
    return figure


def pages_per_second() -> Metric:
    crawls = Progress.objects.active().filter(kind__in=(Progress.Kind.CRAWL, Progress.Kind.REFRESH))
    total = crawls.aggregate(total=Sum("pages_per_second"))["total"]
    return GaugeMetricFamily("archon_pages_per_second", "Pages a second of all crawls together.", value=total or 0.0)


def page_failures() -> Metric:
    figure = GaugeMetricFamily("archon_page_failures_last_hour", "Pages that failed, by code.", labels=["code"])
    now = timezone.now()
    failed = CrawlUrl.objects.filter(
        job__created_at__gte=now - RECENT_JOBS, state=CrawlUrl.State.FAILED, fetched_at__gte=now - RECENT
    )
    for code, count in failed.values_list("error_code").annotate(Count("pk")).order_by():
        figure.add_metric([code], count)
    return figure


def queue_depth() -> Metric:
    figure = GaugeMetricFamily("archon_queue_depth", "Messages that wait for a worker, by queue.", labels=["queue"])
    with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as client:
        for queue in settings.QUEUES:
            figure.add_metric([queue], float(client.llen(queue)))
    return figure


registry.register(ServerFigures())
