"""`edge-agent check`: every problem of the configuration at once; no plant, no socket, no key."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path

from edge_agent.buffer.lasting import Lasting, lasting, readings_per_s
from edge_agent.config.loading import load_plan
from edge_agent.config.model import DEFAULT_CONFIG
from edge_agent.drivers import require_libraries
from edge_agent.errors import ExitCode, OperatorError


def main(arguments: Sequence[str]) -> int:
    """Read the configuration; print what it gives, or every problem; return the exit code."""
    parser = argparse.ArgumentParser(prog="edge-agent check", description=__doc__)
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    known = parser.parse_args(arguments)
    try:
        plan = load_plan(known.config, environ=os.environ, overrides={})
        require_libraries({device.protocol for device in plan.devices})
    except OperatorError as error:
        if known.json:
            print(json.dumps({"problems": list(error.problems)}))
            return error.exit_code
        raise
    found = lasting(plan.settings.buffer, readings_per_s(plan.devices))
    facts = {
        "gateway": str(plan.settings.gateway.id),
        "config_hash": plan.config_hash.hex(),
        "devices": len(plan.devices),
        "channels": sum(len(device.channels) for device in plan.devices),
        "offline_days": None if found.days is None else round(found.days, 1),
    }
    warnings = [_warning(found, wanted) for wanted in found.too_short_for]
    if known.json:
        print(json.dumps({**facts, "warnings": warnings, "problems": []}))
    else:
        print(f"{known.config}: good")
        for name, fact in facts.items():
            print(f"  {name}: {fact}")
        for warning in warnings:
            print(f"  WARNING: {warning}")
    return ExitCode.OK


def _warning(found: Lasting, wanted_days: int) -> str:
    how = "measured on this buffer" if found.is_measured else "reckoned: nothing is measured yet"
    return (
        f"buffer.quota_mb holds {found.days:.1f} days without a centre, not {wanted_days}"
        f" ({found.bytes_per_reading:.1f} bytes a reading, {how}). Raise it, or poll less often"
    )
