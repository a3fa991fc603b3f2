"""What ingest counts, under the prefix emissionwatch_; base units, one place per event."""

from dataclasses import dataclass
from typing import Self

from prometheus_client import CollectorRegistry, Counter, Histogram


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestMetrics:
    """Counters of the frames and bytes that came in."""

    frames: Counter
    readings: Counter
    request_bytes: Counter
    seconds: Histogram
    signature_failures: Counter

    @classmethod
    def register(cls, registry: CollectorRegistry) -> Self:
        """Return the metrics, listed in a registry."""
        return cls(
            frames=Counter(
                "emissionwatch_ingest_batches",
                "Frames handled, by what became of them.",
                ("result",),
                registry=registry,
            ),
            readings=Counter(
                "emissionwatch_ingest_readings",
                "Readings of batches accepted for the first time.",
                registry=registry,
            ),
            request_bytes=Counter(
                "emissionwatch_ingest_bytes", "Bytes of uploads as received.", registry=registry
            ),
            seconds=Histogram(
                "emissionwatch_ingest_seconds",
                "From the last byte of an upload to its durable answer.",
                registry=registry,
            ),
            signature_failures=Counter(
                "emissionwatch_signature_failures",
                "Frames under a wrong key or signature.",
                registry=registry,
            ),
        )
