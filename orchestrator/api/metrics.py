"""Counters and distributions that Prometheus reads from ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

if TYPE_CHECKING:
    from orchestrator.core.events import Event

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
MODEL_BUCKETS = (0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)


class Metrics:
    """The metrics of one application; a registry of its own, so that tests run side by side."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._requests = Counter(
            "dan_g_http_requests",
            "HTTP requests",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._latency = Histogram(
            "dan_g_http_request_seconds",
            "Time from the request's head to the end of its answer, s",
            ("route",),
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._events = Counter(
            "dan_g_events", "Events by kind and status", ("kind", "status"), registry=self.registry
        )
        self._model_requests = Counter(
            "dan_g_model_requests",
            "Requests to language models by outcome",
            ("model", "outcome"),
            registry=self.registry,
        )
        self._model_tokens = Counter(
            "dan_g_model_tokens",
            "Tokens of language models",
            ("model", "direction"),
            registry=self.registry,
        )
        self._model_usd = Counter(
            "dan_g_model_usd",
            "Money for language models, as far as prices are known, US dollars",
            ("model",),
            registry=self.registry,
        )
        self._model_seconds = Histogram(
            "dan_g_model_request_seconds",
            "Time of one request to a language model, s",
            ("model",),
            buckets=MODEL_BUCKETS,
            registry=self.registry,
        )
        self._loop = Gauge(
            "dan_g_loop_running",
            "1 while the live loop runs over a source",
            registry=self.registry,
        )
        self._request_children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        key = (method, route, status)
        children = self._request_children.get(key)
        if children is None:
            children = (
                self._requests.labels(method, route, str(status)),
                self._latency.labels(route),
            )
            self._request_children[key] = children
        children[0].inc()
        children[1].observe(seconds)

    def watch_loop(self, running: Callable[[], bool]) -> None:
        """Show whether the live loop runs."""
        self._loop.set_function(lambda: float(running()))

    def event(self, event: Event) -> None:
        """Count one event."""
        status = event.payload.get("status") or event.payload.get("state") or ""
        self._events.labels(event.kind, str(status)).inc()
        if event.kind == "model":
            self._model(event.payload)

    def _model(self, request: dict[str, Any]) -> None:
        name = request["model"]
        self._model_requests.labels(name, request["status"]).inc()
        self._model_seconds.labels(name).observe(request["seconds"])
        for direction in ("input", "output"):
            self._model_tokens.labels(name, direction).inc(request[f"{direction}_tokens"])
        if request["usd"]:
            self._model_usd.labels(name).inc(request["usd"])

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)
