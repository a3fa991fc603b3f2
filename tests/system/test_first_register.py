"""The whole line in one test: a register of a real Modbus server becomes a verified row.

Real processes and a real server; what arrived is fetched from the centre over HTTP and verified
with nothing but the gateway's public key.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge_agent.wire.arrow import rows_of_stream
from edge_agent.wire.batch import check_content, open_body
from edge_agent.wire.frame import BatchFrame, frames
from edge_agent.wire.header import Header
from edge_agent.wire.signing import BATCH_CONTEXT, VerifyingKey

REGISTER = 0x1234
TRIES, PAUSE_S = 900, 0.1

PROFILE = """\
id = "test/one-register"
revision = "1.0.0"
vendor = "Test"
model = "One register"
protocol = "modbus"
trust = "bench"
gaps = []

[[provenance]]
kind = "manual"
document = "this test"
pages = "this file"

[modbus]
addressing = "zero_based"
word_order = "ABCD"
max_registers_per_read = 125

[points.nox_ppm]
parameter = "NOx"
unit_of_measure = "ppm"
table = "holding"
address = 7
raw_type = "uint16"
resolution = "1"
page = "this file"

[[test_vectors]]
name = "the register as it is"
registers.holding = { "7" = [4660] }
expect.nox_ppm = { value = "4660" }
"""

DEVICE = """\
name = "analyzer"
profile = "test/one-register"
endpoint = "tcp://127.0.0.1:{port}"

[[channels]]
number = 42
point = "nox_ppm"
name = "stack.nox"
"""


@pytest.mark.system
@pytest.mark.asyncio
async def test_one_register_of_a_modbus_server_reaches_a_verified_row_at_the_centre(
    tmp_path: Path,
) -> None:
    centre_port = free_port()
    url = f"http://127.0.0.1:{centre_port}"
    async with modbus_server() as device_port:
        gateway, key = install(tmp_path, device_port, url)
        with (
            process(
                f"central_sync serve --state {tmp_path}/centre --listen 127.0.0.1:{centre_port}"
            ),
            process(f"edge_agent run --config {tmp_path}/agent.toml"),
        ):
            frame = await first_batch_with_readings(url, gateway)
    header = Header.unpack(frame.header_bytes)
    key.verify(BATCH_CONTEXT, frame.header_bytes, frame.signature)
    parts = open_body(header, frame.body)
    rows = rows_of_stream(parts.readings)
    check_content(header, rows, parts.event_lines)
    assert rows["channel"].tolist() == [42]
    assert rows["raw"].tolist() == [REGISTER]


def install(folder: Path, device_port: int, url: str) -> tuple[str, VerifyingKey]:
    """Make gateway and centre know each other; return the gateway's id and public key."""
    answer = command(
        f"edge_agent init --json --facility TEST --centre {url} --config {folder}/agent.toml"
        f" --state {folder} --socket {folder}/socket"
    )
    facts: dict[str, str] = json.loads(answer)
    (folder / "profiles.d" / "test").mkdir(parents=True)
    (folder / "profiles.d" / "test" / "one-register.toml").write_text(PROFILE)
    (folder / "devices.d" / "analyzer.toml").write_text(DEVICE.format(port=device_port))
    command(f"central_sync migrate --state {folder}/centre")
    command(
        f"central_sync gateway --state {folder}/centre add {facts['gateway']} --facility TEST"
        f" --key {facts['public_key']} --receipt-key-out {facts['receipt_key_file']}"
    )
    public = load_pem_public_key(Path(facts["public_key"]).read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    return facts["gateway"], VerifyingKey(public.public_bytes_raw())


async def first_batch_with_readings(url: str, gateway: str) -> BatchFrame:
    """Return the first batch with rows as the centre stores it, once it is there."""
    async with httpx.AsyncClient(base_url=url) as client:
        for _ in range(TRIES):
            try:
                fleet = (await client.get("/v1/fleet/gateways")).json()["gateways"]
                head = fleet[0]["head"]
                if head is not None and head["batch_no"] >= 1:
                    path = f"/v1/batches/{gateway}/{head['chain']}/1"
                    (frame,) = frames((await client.get(path)).content)
                    assert isinstance(frame, BatchFrame)
                    return frame
            except httpx.TransportError:
                pass  # the centre is still starting
            await asyncio.sleep(PAUSE_S)
    raise AssertionError(f"no reading arrived within {TRIES * PAUSE_S:g} s")


@asynccontextmanager
async def modbus_server() -> AsyncIterator[int]:
    """Serve one holding register, 7, on a free port."""
    port = free_port()
    device = SimDevice(
        id=1, simdata=SimData(7, count=1, values=REGISTER, datatype=DataType.REGISTERS)
    )
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield port
    finally:
        await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus leaves it untyped


def command(words: str) -> str:
    """Run a command to its end; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", *words.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def process(words: str) -> Iterator[None]:
    """Run a command beside a block."""
    with subprocess.Popen(
        [sys.executable, "-m", *words.split()], stdout=subprocess.DEVNULL
    ) as running:
        try:
            yield
        finally:
            running.terminate()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
