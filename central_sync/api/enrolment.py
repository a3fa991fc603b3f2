"""How gateways get in: nonces, enrolments, certificates, and their last word.

These routes need no client certificate: each request proves by a token or by a signature who asks.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeVar

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from central_sync.api.body import BodyReader
from central_sync.api.problem import problem
from central_sync.enrol.office import Office
from central_sync.enrol.refusal import NotLetInError, Reason
from central_sync.enrol.requests import Enrolment, LastWord, Renewal
from central_sync.store.port import NowNs

# A CSR of a P-384 key in PEM is below 1 KiB.
LARGEST_REQUEST_BYTES: Final = 16 * 1024
_STATUS: Final = {
    Reason.REQUEST: HTTPStatus.BAD_REQUEST,
    Reason.SIGNING_KEY: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.CSR: HTTPStatus.UNPROCESSABLE_ENTITY,
    Reason.NONCE: HTTPStatus.CONFLICT,
    Reason.TOKEN_USED: HTTPStatus.CONFLICT,
    Reason.KEY_TAKEN: HTTPStatus.CONFLICT,
    Reason.OTHER_GATEWAY: HTTPStatus.CONFLICT,
    Reason.NO_AUTHORITY: HTTPStatus.NOT_FOUND,
}
"""The rest is 403: it is understood, and refused."""

Parsed = TypeVar("Parsed")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRoutes:
    """The routes; `receipt_keys` and `trust` are what a gateway is given, PEM.

    `trust` is the authority of our own server certificate; None where it comes from elsewhere.
    """

    office: Office
    bodies: BodyReader
    now_ns: NowNs
    receipt_keys: str
    trust: str | None

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        gateway = "/v1/gateways/{gateway_id:uuid}"
        return [
            Route("/v1/nonces", self.nonce, methods=["POST"]),
            Route("/v1/enrolments", self.enrol, methods=["POST"]),
            Route(f"{gateway}/certificate", self.renew, methods=["POST"]),
            Route(f"{gateway}/decommission", self.decommission, methods=["POST"]),
        ]

    async def nonce(self, _: Request) -> Response:
        """Answer a nonce and our time."""
        made = self.office.nonces.make()
        return _answer({"nonce": made.hex(), "time_ns": str(self.now_ns())})

    async def enrol(self, request: Request) -> Response:
        """Take a gateway in."""

        def taken_in(enrolment: Enrolment) -> Response:
            taken = self.office.enrol(enrolment)
            log.info("gateway.enrolled", gateway=str(taken.gateway.id), name=taken.gateway.name)
            return _answer(
                {
                    "gateway": str(taken.gateway.id),
                    "facility": taken.gateway.facility,
                    "name": taken.gateway.name,
                    "certificate": taken.certificate,
                    "trust": self.trust,
                    "receipt_keys": self.receipt_keys,
                    "time_ns": str(self.now_ns()),
                }
            )

        return await self._answered(request, Enrolment.of, taken_in)

    async def renew(self, request: Request) -> Response:
        """Give a gateway another certificate."""
        gateway_id = request.path_params["gateway_id"]

        def renewed(renewal: Renewal) -> Response:
            certificate = self.office.renew(gateway_id, renewal)
            log.info("certificate.issued", gateway=str(gateway_id))
            return _answer({"certificate": certificate, "time_ns": str(self.now_ns())})

        return await self._answered(request, Renewal.of, renewed)

    async def decommission(self, request: Request) -> Response:
        """Let a gateway go."""
        gateway_id = request.path_params["gateway_id"]

        def gone(word: LastWord) -> Response:
            self.office.decommission(gateway_id, word)
            log.info("gateway.decommissioned", gateway=str(gateway_id))
            return _answer({"gateway": str(gateway_id), "time_ns": str(self.now_ns())})

        return await self._answered(request, LastWord.of, gone)

    async def _answered(
        self,
        request: Request,
        read: Callable[[bytes], Parsed],
        done: Callable[[Parsed], Response],
    ) -> Response:
        async with self.bodies.read(request, limit=LARGEST_REQUEST_BYTES) as body:
            try:
                return await asyncio.to_thread(done, read(body))
            except NotLetInError as refused:
                log.warning(
                    "enrolment.refused",
                    path=request.url.path,
                    reason=str(refused.reason),
                    detail=refused.detail,
                )
                status = _STATUS.get(refused.reason, HTTPStatus.FORBIDDEN)
                return problem(status, str(refused.reason), refused.detail)


def _answer(content: dict[str, str | None]) -> Response:
    return JSONResponse(content, headers={"Cache-Control": "no-store"})
