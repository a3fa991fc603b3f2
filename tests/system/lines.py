"""Late, cut, doubled and corrupted answers on Modbus TCP, RTU over TCP and RTU on a serial line.

Every register of a unit holds the number of the request, so that a value from another answer shows.
Run as `python -m tests.system.lines --count N --seed S`: N answers on each of the three.
"""

import argparse
import asyncio
import json
import logging
from contextlib import AsyncExitStack
from dataclasses import replace

from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.config.vocabulary import Table
from tests.conformance.driver.rtu import LINE
from tests.conformance.driver.tricks import (
    Unit,
    on_a_port,
    on_a_terminal,
    tricky,
    wrong_and_right,
)

KINDS = ("modbus tcp", "rtu over tcp", "rtu serial")
TIMEOUT_S = 0.05
# So many units at once, each on a line of its own: most of the time is waiting.
UNITS = 10

DEVICE = Device(
    name="unit",
    protocol="modbus",
    endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=1),
    speech=ModbusSpeech(unit_id=1, max_registers_per_read=125, unreadable=()),
    period_s=1.0,
    timeout_s=TIMEOUT_S,
    points=(
        Point(
            channel=1,
            place=Register(table=Table.HOLDING, address=0),
            raw_type="uint16",
            status=None,
        ),
    ),
    channels=(),
    limits=(),
    status_rules=(),
)


async def one_unit(kind: str, seed: int, count: int) -> tuple[int, int]:
    """Return how many values of one unit were wrong, and right, in so many answers."""
    is_numbered = kind == "modbus tcp"
    trick = tricky(seed, TIMEOUT_S, is_numbered=is_numbered)
    unit = Unit(trick, is_numbered=is_numbered)
    async with AsyncExitStack() as stack:
        if kind == "rtu serial":
            path = await stack.enter_async_context(on_a_terminal(unit))
            endpoint = Endpoint(scheme="serial", path=path, line=LINE)
        else:
            port = await stack.enter_async_context(on_a_port(unit))
            scheme = "tcp" if is_numbered else "rtu+tcp"
            endpoint = Endpoint(scheme=scheme, host="127.0.0.1", port=port)
        return await wrong_and_right(replace(DEVICE, endpoint=endpoint), unit, count)


async def every_kind(seed: int, count: int) -> dict[str, dict[str, int]]:
    """Return wrong and right values by kind of line."""
    report = {}
    for kind in KINDS:
        share = -(-count // UNITS)
        async with asyncio.TaskGroup() as group:
            units = [
                group.create_task(one_unit(kind, seed * UNITS + index, share))
                for index in range(UNITS)
            ]
        wrong, right = (sum(part) for part in zip(*(unit.result() for unit in units), strict=True))
        report[kind] = {"answers": share * UNITS, "wrong": wrong, "right": right}
    return report


def main() -> int:
    """Run, and end with one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    known = parser.parse_args()
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)
    report = asyncio.run(every_kind(known.seed, known.count))
    is_good = all(not kind["wrong"] and kind["right"] for kind in report.values())
    print(json.dumps({"count": known.count, "is_good": is_good, **report}))
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
