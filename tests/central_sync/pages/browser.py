"""Asks an application without a socket: each request runs in an event loop of its own."""

import asyncio
from collections.abc import Mapping

import httpx
from fastapi import FastAPI


class Browser:
    """A client of one application."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def get(
        self,
        address: str,
        params: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Return the answer to a GET."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://centre") as client:
                return await client.get(address, params=params, headers=headers)

        return asyncio.run(ask())
