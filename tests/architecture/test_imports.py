"""What is loaded, and what is not: the daemon stays light, the wire stands alone."""

import subprocess
import sys

# docs/architecture.md: the daemon runs on a small gateway; these cost memory and start-up time.
NOT_IN_THE_DAEMON = {
    *("pydantic", "starlette", "uvicorn", "fastapi", "sqlalchemy", "pyarrow", "plotly"),
    *("rich", "click", "pygments", "tree_sitter", "hypothesis", "pytest"),
    *("asyncua", "paho", "dnp3"),
    # The configuration is read in a process of its own (docs/adr/0007-start.md).
    *("cattrs", "attr", "difflib"),
}
# Nor does a daemon that was never damaged ever load these.
NOT_IN_A_HEALTHY_DAEMON = {
    *(
        f"edge_agent.buffer.{name}"
        for name in (
            *("salvaging", "remains", "carving", "pages", "adopting", "missing", "losses"),
            *("listed", "receipted", "progress", "forgotten", "summary"),
        )
    ),
    *("edge_agent.identity.tls", "edge_agent.enrol", "edge_agent.technician"),
    "cryptography.x509",
    *("importlib.metadata", "zipfile", "csv"),
}
DAEMON = "edge_agent.cli.run, edge_agent.agent, edge_agent.drivers.modbus, edge_agent.uplink.client"
AT_WORK = """
import asyncio
import contextlib
import pathlib
import tempfile

from edge_agent.buffer.salvage import Standby
from edge_agent.identity import create_signing_key, load_receipt_keys, load_signing_key, public_pem
from tests.edge_agent.buffer.gateway import Gateway, receipts


async def told(events):
    pass


async def used(gateway):
    async with gateway.opened() as buffer:
        standby = Standby(
            buffer, gateway.path, origin=gateway.origin, clock=gateway.clock, tell=told
        )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await standby.run()
        await buffer.append(gateway.portion(3))
        await buffer.settle(receipts(await buffer.unreceipted(1)))
        assert standby.status().folders == 0


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    create_signing_key(folder / "key")
    (folder / "receipts").write_text(public_pem(load_signing_key(folder / "key").verifying_key))
    load_receipt_keys(folder / "receipts")
    for _ in range(2):
        asyncio.run(used(Gateway(folder)))
"""


def _loaded_by(code: str) -> set[str]:
    """Return the modules loaded in a fresh interpreter after `code`."""
    script = f"{code}\nimport sys\nprint('\\n'.join(k for k, v in sys.modules.items() if v))"
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    return set(done.stdout.split())


def test_the_wire_loads_nothing_else_of_the_edge() -> None:
    loaded = _loaded_by(
        "import importlib, pkgutil, edge_agent.wire as wire\n"
        "for module in pkgutil.iter_modules(wire.__path__):\n"
        "    importlib.import_module(f'edge_agent.wire.{module.name}')"
    )
    edge = {name for name in loaded if name.startswith("edge_agent")}
    assert {name for name in edge if not name.startswith("edge_agent.wire")} == {"edge_agent"}


def test_the_daemon_imports_nothing_that_only_others_need() -> None:
    loaded = _loaded_by(f"from edge_agent.logs import keep_out; keep_out()\nimport {DAEMON}")
    assert not {name.partition(".")[0] for name in loaded} & NOT_IN_THE_DAEMON
    assert not loaded & NOT_IN_A_HEALTHY_DAEMON


def test_a_healthy_buffer_and_keys_of_our_own_load_nothing_more() -> None:
    loaded = _loaded_by(f"from edge_agent.logs import keep_out; keep_out()\n{AT_WORK}")
    assert not loaded & NOT_IN_A_HEALTHY_DAEMON


def test_status_does_not_pay_for_the_protocol_libraries() -> None:
    loaded = _loaded_by(
        "from edge_agent.logs import keep_out; keep_out()\nimport edge_agent.cli.status"
    )
    assert not {name.partition(".")[0] for name in loaded} & {"pymodbus", "httpx"}
