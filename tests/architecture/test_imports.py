"""What is loaded, and what is not: the daemon stays light, the wire stands alone."""

import subprocess
import sys

import pytest

# docs/architecture.md: the daemon runs on a small gateway; these cost memory and start-up time.
NOT_IN_THE_DAEMON = {
    *("pydantic", "starlette", "uvicorn", "fastapi", "sqlalchemy", "pyarrow", "plotly"),
    *("rich", "click", "pygments", "tree_sitter", "hypothesis", "pytest"),
    *("asyncua", "paho", "dnp3"),
    # The configuration is read in a process of its own (docs/adr/0007-start.md).
    *("cattrs", "attr", "difflib"),
}


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


@pytest.mark.parametrize(
    "modules",
    ["edge_agent.cli.run, edge_agent.agent, edge_agent.drivers.modbus, edge_agent.uplink.client"],
)
def test_the_daemon_imports_nothing_that_only_others_need(modules: str) -> None:
    loaded = _loaded_by(f"from edge_agent.logs import keep_out; keep_out()\nimport {modules}")
    assert not {name.partition(".")[0] for name in loaded} & NOT_IN_THE_DAEMON


def test_status_does_not_pay_for_the_protocol_libraries() -> None:
    loaded = _loaded_by(
        "from edge_agent.logs import keep_out; keep_out()\nimport edge_agent.cli.status"
    )
    assert not {name.partition(".")[0] for name in loaded} & {"pymodbus", "httpx"}
