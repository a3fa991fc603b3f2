"""/healthz, /readyz and /metrics: the state of our own software."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from central_sync.store.port import Store, StoreUnavailableError


@dataclass(frozen=True, slots=True)
class Service:
    """The routes."""

    store: Store
    registry: CollectorRegistry

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route("/healthz", self.healthz),
            Route("/readyz", self.readyz),
            Route("/metrics", self.metrics),
        ]

    async def healthz(self, _: Request) -> Response:
        """Answer that the process lives."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, _: Request) -> Response:
        """Answer whether uploads can be taken: the store answers."""
        try:
            await asyncio.to_thread(self.store.counts)
        except StoreUnavailableError as fault:
            return JSONResponse({"status": "unavailable", "detail": str(fault)}, status_code=503)
        return JSONResponse({"status": "ready"})

    async def metrics(self, _: Request) -> Response:
        """Answer the metrics in Prometheus' text format."""
        text = await asyncio.to_thread(generate_latest, self.registry)
        return Response(text, media_type=CONTENT_TYPE_LATEST)


class StoreCollector(Collector):
    """Gauges that are read from the store when somebody asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        counts = self._store.counts()
        yield _gauge("gateways", "Gateways that are not revoked.", counts.gateways)
        yield _gauge("stored_batches", "Batches in the record.", counts.batches)
        yield _gauge("stored_readings", "Readings in accepted batches.", counts.readings)
        yield _gauge("quarantined_batches", "Batches kept as evidence.", counts.quarantined)
        yield _gauge("holes_open", "Batches that are wanted.", counts.holes)
        yield _gauge("alarms_open", "Alarms that are open.", counts.open_alarms)
        yield _gauge("dirty_hours", "Hours waiting to be computed.", counts.dirty_hours)


def _gauge(name: str, words: str, value: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"emissionwatch_{name}", words, value=value)
