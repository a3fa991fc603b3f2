"""GET /v1/fleet/gateways and /v1/batches: the state of the fleet, and signed bytes as stored."""

import base64
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from central_sync.api.problem import ProblemError
from central_sync.model import Alarm, ChainHead, GatewayState
from central_sync.store.port import Store
from edge_agent.wire.frame import MEDIA_TYPE, BatchFrame, FrameFlag, encode_batch
from edge_agent.wire.header import Header
from edge_agent.wire.vocabulary import Verdict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The largest number of a batch (docs/wire-format.md section 2).
LARGEST_BATCH_NO = 2**63 - 1


class AlarmDocument(BaseModel):
    """One alarm."""

    code: str
    gateway: UUID | None
    subject: str
    detail: str
    opened: str
    closed: str | None
    seen_count: int


class HeadDocument(BaseModel):
    """The newest batch of a chain, and the newest behind which nothing is missing."""

    chain: UUID
    batch_no: int
    batch_hash: str
    wall: str
    contiguous_no: int | None
    contiguous_until: str | None


class GatewayDocument(BaseModel):
    """One gateway as the fleet page and its rules see it."""

    id: UUID
    name: str
    facility: str
    is_revoked: bool
    last_seen: str | None
    last_data: str | None
    batch_count: int
    record_count: int
    head: HeadDocument | None
    clock_state: str | None
    clock_error_ms: int | None
    config_hash: str | None
    software_hash: str | None
    hole_count: int
    missing_bundle_count: int
    alarms: list[AlarmDocument]


class FleetDocument(BaseModel):
    """All gateways, by name."""

    gateways: list[GatewayDocument]


def router(store: Store) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1")

    @routes.get("/fleet/gateways")
    def fleet() -> FleetDocument:
        """Return the state of every gateway."""
        return fleet_document(store)

    @routes.get("/batches/{gateway}/{chain}/{number}", response_class=Response)
    def batch(
        gateway: UUID, chain: UUID, number: Annotated[int, Path(ge=0, le=LARGEST_BATCH_NO)]
    ) -> Response:
        """Return one batch as a frame, exactly as it was signed, with its verdict and receipt."""
        stored = store.batch(gateway, chain, number)
        if stored is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "batch", "there is no such batch here")
        is_headstone = stored.verdict is Verdict.HEADSTONE
        frame = BatchFrame(
            flags=FrameFlag.HEADSTONE if is_headstone else FrameFlag(0),
            header_bytes=stored.header_bytes,
            signature=stored.signature,
            body=stored.body,
        )
        return Response(
            encode_batch(frame),
            media_type=MEDIA_TYPE,
            headers={
                "Emissionwatch-Verdict": stored.verdict.name.lower(),
                "Emissionwatch-Receipt": base64.b64encode(stored.receipt).decode(),
            },
        )

    return routes


def fleet_document(store: Store) -> FleetDocument:
    """Return the fleet as it is shown over HTTP and by `central-sync fleet --json`."""
    return FleetDocument(gateways=[_gateway(state) for state in store.fleet()])


def rfc3339(at_ns: int) -> str:
    """Return UTC nanoseconds as RFC 3339 text with microseconds."""
    return (_EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat().replace("+00:00", "Z")


def _maybe(at_ns: int | None) -> str | None:
    return None if at_ns is None else rfc3339(at_ns)


def _gateway(state: GatewayState) -> GatewayDocument:
    header = None if state.last_header is None else Header.unpack(state.last_header)
    return GatewayDocument(
        id=state.gateway_id,
        name=state.name,
        facility=state.facility,
        is_revoked=state.is_revoked,
        last_seen=_maybe(state.last_seen_ns),
        last_data=_maybe(state.last_data_ns),
        batch_count=state.batch_count,
        record_count=state.record_count,
        head=None if state.newest is None else _head(state.newest),
        clock_state=None if header is None else header.clock_state.name.lower(),
        clock_error_ms=None if header is None else header.wall_unc_ms,
        config_hash=None if header is None else header.config_hash.hex(),
        software_hash=None if header is None else header.software_hash.hex(),
        hole_count=state.hole_count,
        missing_bundle_count=state.missing_bundle_count,
        alarms=[_alarm(alarm) for alarm in state.alarms],
    )


def _head(head: ChainHead) -> HeadDocument:
    return HeadDocument(
        chain=head.chain_id,
        batch_no=head.batch_no,
        batch_hash=head.batch_hash.hex(),
        wall=rfc3339(head.wall_ns),
        contiguous_no=head.contiguous_no,
        contiguous_until=_maybe(head.contiguous_ns),
    )


def _alarm(alarm: Alarm) -> AlarmDocument:
    return AlarmDocument(
        code=alarm.code,
        gateway=alarm.gateway_id,
        subject=alarm.subject,
        detail=alarm.detail,
        opened=rfc3339(alarm.opened_ns),
        closed=_maybe(alarm.closed_ns),
        seen_count=alarm.seen_count,
    )
