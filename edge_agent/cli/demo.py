"""`edge-agent demo`: plant, agent and centre on this machine, and an account of every reading."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from edge_agent.cli.simulate import SCENARIOS, scenario
from edge_agent.demo.session import Options, demonstrate


def main(arguments: Sequence[str]) -> int:
    """Run the demonstration; return 0 when every reading is accounted for."""
    parser = argparse.ArgumentParser(
        prog="edge-agent demo",
        description=__doc__,
        epilog="DEMO_SECONDS and DEMO_JSON in the environment are the defaults.",
    )
    environ = os.environ
    parser.add_argument(
        "--seconds",
        type=float,
        default=environ.get("DEMO_SECONDS") or None,
        help="end by itself after so long (default: at Ctrl-C)",
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=environ.get("DEMO_JSON") or None,
        metavar="FILE",
        help="write the account as JSON",
    )
    parser.add_argument(
        "--scenario",
        type=scenario,
        default=environ.get("CEMS_SIMULATOR_SCENARIO", "normal"),
        help=f"{SCENARIOS} (default: CEMS_SIMULATOR_SCENARIO, or normal)",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the simulated plant")
    known = parser.parse_args(arguments)
    options = Options(
        seconds=known.seconds, summary=known.json, scenario=known.scenario.value, seed=known.seed
    )

    def say(text: str) -> None:
        print(text, flush=True)

    return demonstrate(options, say)
