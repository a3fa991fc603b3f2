"""An OPC UA server for the tests of the driver, asyncua's, and a device behind it."""

import os
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

from asyncua import ua
from asyncua.common.node import Node as ServerNode
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.server.server import Server
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_agent.clock import SystemClock
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.opcua import Certificates, Node, OpcuaSpeech, Sampling, SourceTime
from edge_agent.drivers.base import Connection
from edge_agent.drivers.opcua import connect
from tests.system.installation import free_port

URI = "urn:test:stack"
OPEN = OpcuaSpeech(certificates=None, user=None, password_file=None)
TYPES = (
    ("NOx", "float32", ua.VariantType.Float, 118.25),
    ("flow", "float64", ua.VariantType.Double, 12.5e6),
    ("count", "int64", ua.VariantType.Int32, -7),
    ("total", "uint64", ua.VariantType.UInt64, 2**64 - 1),
    ("operating", "bool", ua.VariantType.Boolean, True),
)


def device(
    port: int, *, speech: OpcuaSpeech = OPEN, timeout_s: float = 5, uri: str = URI
) -> Device:
    points = tuple(
        Point(
            channel=index + 1,
            place=Node(namespace=uri, identifier=f"s={name}"),
            raw_type=raw_type,
            status=None,
        )
        for index, (name, raw_type, _, _) in enumerate(TYPES)
    )
    return Device(
        name="server",
        protocol="opcua",
        endpoint=Endpoint(scheme="opc.tcp", host="127.0.0.1", port=port),
        speech=speech,
        period_s=6,
        timeout_s=timeout_s,
        points=points,
        channels=(),
        limits=(),
        status_rules=(),
    )


async def reset(variables: dict[str, ServerNode]) -> None:
    """Give every variable its first value again."""
    for name, _, kind, value in TYPES:
        await variables[name].write_value(ua.Variant(value, kind))


async def filled(server: Server) -> dict[str, ServerNode]:
    """Give a server its variables, behind a namespace that moves theirs."""
    await server.register_namespace("urn:test:another")
    index = await server.register_namespace(URI)
    return {
        name: await server.nodes.objects.add_variable(
            ua.NodeId(ua.String(name), ua.Int16(index)), name, ua.Variant(value, kind)
        )
        for name, _, kind, value in TYPES
    }


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[int, dict[str, ServerNode]]]:
    """Run a server without security; yields its port and its variables."""
    server, port = Server(), free_port()
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    variables = await filled(server)
    async with server:
        yield port, variables


@asynccontextmanager
async def reading(one: Device) -> AsyncIterator[Connection]:
    async with connect([one], SystemClock()) as connection:
        yield connection


def as_raw(raw_type: str, value: float) -> int:
    if raw_type == "float32":
        return int(struct.unpack("<I", struct.pack("<f", value))[0])
    if raw_type == "float64":
        return int(struct.unpack("<q", struct.pack("<d", value))[0])
    return int(value) - 2**64 if int(value) >= 2**63 else int(value)


RAW = [as_raw(raw_type, value) for _, raw_type, _, value in TYPES]


@contextmanager
def process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process of its own."""
    program = (
        "import asyncio, tests.conformance.driver.opcua as t; from asyncua import ua;"
        "from asyncua.server.server import Server\n"
        "async def main():\n"
        " s = Server(); await s.init(); s.set_endpoint('opc.tcp://127.0.0.1:%d')\n"
        " s.set_security_policy([ua.SecurityPolicyType.NoSecurity]); await t.filled(s)\n"
        " async with s: print('ready', flush=True); await asyncio.Event().wait()\n"
        "asyncio.run(main())"
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program % port],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        yield started
    finally:
        started.kill()
        started.communicate()


def subscribed(port: int, *, time: SourceTime | None = None, queue_size: int = 20) -> Device:
    """Return the same device, subscribed to."""
    sampling = Sampling(interval_ms=50, queue_size=queue_size)
    speech = replace(OPEN, sampling=sampling, time=time)
    return replace(device(port, speech=speech, timeout_s=1), period_s=2)


async def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate and its key."""
    own, key = folder / f"{name}.der", folder / f"{name}.pem"
    await setup_self_signed_certificate(
        key,
        own,
        f"urn:test:{name}",
        "127.0.0.1",
        [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH],
        {"commonName": name},
    )
    return own, key


@asynccontextmanager
async def protected(folder: Path) -> AsyncIterator[tuple[int, Certificates]]:
    """Run a server that signs and encrypts; yields its port, and what a client needs."""
    server, port = Server(), free_port()
    await server.init()
    await server.set_application_uri("urn:test:server")
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    theirs, their_key = await certificate(folder, "server")
    ours, our_key = await certificate(folder, "client")
    await server.load_certificate(theirs)
    await server.load_private_key(their_key)
    await filled(server)
    async with server:
        yield port, Certificates(own_file=ours, own_key_file=our_key, server_file=theirs)
