"""The pages in a real browser: plots are drawn, and the content policy refuses nothing of ours."""

import asyncio
import shutil
import socket
from pathlib import Path

import pytest

from central_sync.app import serving
from tests.central_sync.evaluate.signing_gateway import GATEWAY, Centre, SigningGateway
from tests.central_sync.pages.test_pages_shown import send

CHROMIUM = shutil.which("chromium")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"),
)
LIMIT_S = 60

pytestmark = [
    pytest.mark.asyncio,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is missing: make system-packages"),
]


async def opened(address: str, profile: Path) -> tuple[str, list[str]]:
    """Return the page as the browser has built it, and what its console said."""
    assert CHROMIUM is not None
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        *FLAGS,
        f"--user-data-dir={profile}",
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(LIMIT_S):
        page, log = await process.communicate()
    return page.decode(), [line for line in log.decode().splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize(
    ("path", "shows"),
    [("/", "stack 1"), (f"/gateways/{GATEWAY}", "main-svg")],
)
async def test_a_page_is_whole_and_its_console_is_silent(
    centre: Centre, gateway: SigningGateway, tmp_path: Path, path: str, shows: str
) -> None:
    send(centre, gateway)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}{path}"
        async with serving(centre.parts, listener):
            page, console = await opened(address, tmp_path / "browser")
    assert shows in page
    assert console == []
