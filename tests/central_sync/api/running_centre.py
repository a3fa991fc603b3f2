"""The centre on a real socket of the loopback, with a client that talks to it."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from central_sync.app import Centre, opened, serving
from central_sync.config import CentreSettings
from central_sync.ingest.decoder import ReadBodies, read_here
from central_sync.listening import listening_socket
from edge_agent.wire.frame import MEDIA_TYPE
from edge_agent.wire.receipt import Receipt
from tests.central_sync.ingest.signed_chain import TEN, S, SignedChain

NOW = TEN + 3600 * S


@dataclass(frozen=True)
class Answer:
    """An answer to an upload."""

    status: int
    body: dict[str, Any]
    headers: httpx.Headers

    @property
    def receipts(self) -> list[bytes]:
        """The receipts, 185 bytes each."""
        return [base64.b64decode(text) for text in self.body["receipts"]]

    @property
    def verdicts(self) -> list[int]:
        """The verdict of each receipt."""
        return [Receipt.unpack(one).verdict for one in self.receipts]

    @property
    def error(self) -> str | None:
        """The code of the error and the check that failed, None for none."""
        error = self.body["error"]
        return error and " ".join([error["code"], *filter(None, [error.get("check")])])


@dataclass(frozen=True)
class Running:
    """A centre that answers."""

    centre: Centre
    client: httpx.AsyncClient

    def register(self, chain: SignedChain) -> None:
        """Register the gateway of a chain."""
        self.centre.store.add_gateway(
            chain.gateway_id, facility="PLANT", name="stack 1", public_key=chain.key.public_bytes
        )

    async def post(self, chain: SignedChain, *frames: bytes, **headers: str) -> Answer:
        """Upload frames."""
        response = await self.client.post(
            f"/v1/gateways/{chain.gateway_id}/batches",
            content=b"".join(frames),
            headers={"Content-Type": MEDIA_TYPE}
            | {name.replace("_", "-"): value for name, value in headers.items()},
        )
        return Answer(response.status_code, response.json(), response.headers)


@asynccontextmanager
async def running(
    state: Path,
    *,
    settings: CentreSettings | None = None,
    now_ns: Callable[[], int] = lambda: NOW,
    read_bodies: ReadBodies = read_here,
) -> AsyncIterator[Running]:
    """Serve over a state folder."""
    chosen = settings or CentreSettings(state=state, listen="127.0.0.1:0")
    with listening_socket(chosen) as listener, opened(chosen, now_ns=now_ns) as centre:
        port = listener.getsockname()[1]
        async with (
            serving(centre, listener, read_bodies=read_bodies),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            yield Running(centre, client)
