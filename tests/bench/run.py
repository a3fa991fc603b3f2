"""`make bench [ONLY=name]`: measures, prints each figure beside its target, keeps it as JSON.

A target missed is printed as missed; it is no failure of the run.
"""

import argparse
import json
import os
import platform
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from edge_agent import logs
from tests.bench.figure import Figure, table

# In this order: what needs nothing but the wire first, what takes long last.
BENCHES: Final[Mapping[str, str]] = {
    "size": "bytes per reading of a batch",
    "disk": "bytes to disk per reading",
    "footprint": "memory, start and CPU of the agent against its bare libraries",
    "opcua": "the OPC UA driver against bare asyncua",
    "serial_line": "use of a serial Modbus line against its arithmetic",
    "faulty": "fifty devices, three of them faulty",
    "centre": "batches accepted over HTTP against bare inserts",
    "outage": "a day caught up, thirty days drained",
    "dnp3": "present values of a DNP3 outstation against bare dnp3py",
    "verify": "an auditor's year of a gateway against bare signature checks",
    "peers": "agent against peer: cost and losses",
}
RESULTS: Final = Path(".bench") / "results"


def main() -> None:
    """Run the benches that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help=f"of {', '.join(BENCHES)}; all by default")
    chosen = parser.parse_args().only or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        parser.error(f"{', '.join(unknown)}: choose of {', '.join(BENCHES)}")
    logs.configure("error")
    RESULTS.mkdir(parents=True, exist_ok=True)
    print(f"{platform.machine()}, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}\n")
    for name in chosen:
        print(f"## {BENCHES[name]}\n", flush=True)
        measure: Callable[[], list[Figure]] = import_module(f"tests.bench.{name}").measure
        figures = measure()
        print(table(figures) + "\n", flush=True)
        facts = [figure.facts() for figure in figures]
        (RESULTS / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
