"""PUT /v1/bundles/{sha256} and /v1/profiles/{sha256}: what gateways add to their batches."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from central_sync.api.body import BodyReader, too_large
from central_sync.api.problem import ProblemError
from central_sync.ingest.bundles import Bundles, Kept
from central_sync.ingest.receive import TooLargeError, UnknownEncodingError, unpacked
from edge_agent.wire.bundle import MAX_BUNDLE
from edge_agent.wire.refusal import RefusedError
from edge_agent.wire.vocabulary import HASH_SIZE, Hash

# A profile is a text file of one analyzer; the largest known is below 100 KiB.
MAX_PROFILE: Final = 1024 * 1024

_PROBLEMS: Final = {
    Kept.UNWANTED: (HTTPStatus.NOT_FOUND, "unwanted", "nothing that is stored names this hash"),
    Kept.WRONG_HASH: (HTTPStatus.UNPROCESSABLE_ENTITY, "hash", "the body has another SHA-256"),
    Kept.SIMULATED: (
        HTTPStatus.FORBIDDEN,
        "simulated",
        "the bundle is of a simulated plant; this centre takes none",
    ),
}


@dataclass(frozen=True, slots=True)
class Files:
    """The routes."""

    bundles: Bundles
    bodies: BodyReader
    on_stored: Callable[[], None]

    @property
    def routes(self) -> list[Route]:
        """The routes to mount."""
        return [
            Route("/v1/bundles/{sha256}", self.put_bundle, methods=["PUT"]),
            Route("/v1/profiles/{sha256}", self.put_profile, methods=["PUT"]),
        ]

    async def put_bundle(self, request: Request) -> Response:
        """Take a configuration bundle."""
        store = self.bundles.store
        return await self._put(
            request, self.bundles.put_bundle, store.is_bundle_wanted, limit=MAX_BUNDLE
        )

    async def put_profile(self, request: Request) -> Response:
        """Take a profile file."""
        store = self.bundles.store
        return await self._put(
            request, self.bundles.put_profile, store.is_profile_wanted, limit=MAX_PROFILE
        )

    async def _put(
        self,
        request: Request,
        put: Callable[[Hash, bytes], Kept],
        is_wanted: Callable[[Hash], bool],
        *,
        limit: int,
    ) -> Response:
        named = _hash(request.path_params["sha256"])
        encoding = request.headers.get("content-encoding", "")
        if not await asyncio.to_thread(is_wanted, named):
            raise ProblemError(*_PROBLEMS[Kept.UNWANTED])
        async with self.bodies.read(request, limit=limit) as body:
            try:
                content = await asyncio.to_thread(unpacked, body, encoding, limit=limit)
                kept = await asyncio.to_thread(put, named, content)
            except TooLargeError as fault:
                raise too_large(limit) from fault
            except UnknownEncodingError as fault:
                raise ProblemError(
                    HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "encoding", str(fault)
                ) from fault
            except RefusedError as refused:
                raise ProblemError(
                    HTTPStatus.UNPROCESSABLE_ENTITY, "bundle", refused.detail
                ) from refused
        if kept is not Kept.STORED:
            raise ProblemError(*_PROBLEMS[kept])
        self.on_stored()
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _hash(text: str) -> Hash:
    try:
        named = bytes.fromhex(text)
    except ValueError:
        named = b""
    if len(named) != HASH_SIZE or named.hex() != text:
        raise ProblemError(
            HTTPStatus.NOT_FOUND, "hash", "the address must end in a SHA-256, 64 lower-case digits"
        )
    return Hash(named)
