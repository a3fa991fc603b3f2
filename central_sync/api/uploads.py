"""POST /v1/gateways/{id}/batches: frames in, receipts out (docs/wire-format.md section 12).

Its answers are those of the wire format, not problem documents: the same object on success and on
every error, so that a gateway reads one thing.
"""

import base64
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from central_sync.api.body import BodyReader
from central_sync.api.problem import ProblemError
from central_sync.ingest.committer import OverloadedError
from central_sync.ingest.receive import TooLargeError, UnknownEncodingError, refusal_of
from central_sync.ingest.upload import Ingest
from central_sync.store.admission import Outcome, Refusal
from central_sync.store.port import StoreUnavailableError
from edge_agent.wire.frame import MAX_REQUEST, MEDIA_TYPE
from edge_agent.wire.refusal import RefusedError

RETRY_AFTER_S: Final = 5


@dataclass(frozen=True, slots=True)
class Uploads:
    """The route."""

    ingest: Ingest
    bodies: BodyReader

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [Route("/v1/gateways/{gateway_id:uuid}/batches", self.post, methods=["POST"])]

    async def post(self, request: Request) -> Response:
        """Take in one upload."""
        try:
            outcome = await self._outcome(request)
        except ProblemError as problem:
            told = answer(_refused(problem.status, problem.code, problem.detail))
            told.headers.update(problem.headers)
            return told
        except TooLargeError as fault:
            outcome = _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", str(fault))
        except RefusedError as refused:
            outcome = Outcome(refusal=refusal_of(refused, None))
        except (OverloadedError, StoreUnavailableError) as fault:
            outcome = _refused(
                HTTPStatus.SERVICE_UNAVAILABLE, "overload", str(fault), RETRY_AFTER_S
            )
        return answer(outcome)

    async def _outcome(self, request: Request) -> Outcome:
        gateway_id: UUID = request.path_params["gateway_id"]
        if request.headers.get("content-type") != MEDIA_TYPE:
            raise ProblemError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "media_type", f"only {MEDIA_TYPE} is taken"
            )
        encoding = request.headers.get("content-encoding", "")
        wait_s = self.ingest.allowances.wait_s(gateway_id)
        if wait_s:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "overload",
                "this gateway has sent what one may send in a minute",
                retry_after_s=wait_s,
            )
        async with self.bodies.read(request, limit=MAX_REQUEST) as body:
            try:
                with self.ingest.metrics.seconds.time():
                    return await self.ingest.upload(gateway_id, body, encoding)
            except UnknownEncodingError as fault:
                raise ProblemError(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding", str(fault)
                ) from fault


def answer(outcome: Outcome) -> Response:
    """Return the answer of the wire format."""
    refusal = outcome.refusal
    head = outcome.head
    content = {
        "receipts": [base64.b64encode(receipt).decode() for receipt in outcome.receipts],
        "head": None if head is None else _place(head.chain_id, head.batch_no, head.batch_hash),
        "wanted": [
            _place(hole.chain_id, hole.batch_no, hole.batch_hash) for hole in outcome.wanted
        ],
        "wanted_bundles": [config_hash.hex() for config_hash in outcome.wanted_bundles],
        "error": None if refusal is None else _error(refusal),
    }
    headers = {"Cache-Control": "no-store"}
    if refusal is not None and refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    return Response(
        json.dumps(content, separators=(",", ":")),
        status_code=200 if refusal is None else refusal.status,
        media_type="application/json",
        headers=headers,
    )


def _place(chain_id: UUID, batch_no: int, batch_hash: bytes) -> dict[str, object]:
    return {"chain": str(chain_id), "batch_no": batch_no, "batch_hash": batch_hash.hex()}


def _error(refusal: Refusal) -> dict[str, object]:
    error: dict[str, object] = {
        "code": refusal.code,
        "frame": refusal.frame,
        "detail": refusal.detail,
    }
    if refusal.check is not None:
        error["check"] = refusal.check
    if refusal.chain_id is not None:
        error["expected"] = {"chain": str(refusal.chain_id), "batch_no": refusal.expected}
    return error


def _refused(
    status: HTTPStatus, code: str, detail: str, retry_after_s: int | None = None
) -> Outcome:
    return Outcome(
        refusal=Refusal(
            status=status, code=code, frame=None, detail=detail, retry_after_s=retry_after_s
        )
    )
