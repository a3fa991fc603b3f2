"""A bare pymodbus loop at the agent's pace: what reading alone costs, with nothing behind it.

Usage: bare.py FIRST_PORT DEVICES REGISTERS SECONDS. Prints values read and CPU seconds as JSON.
"""

import asyncio
import json
import os
import sys
import time

from pymodbus.client import AsyncModbusTcpClient


async def read_on_a_grid(port: int, registers: int, phase_s: float, until_s: float) -> int:
    """Read one device once a second on an absolute grid; return how many values came."""
    client = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=0.8, retries=0)
    await client.connect()
    loop = asyncio.get_running_loop()
    due_s, values = loop.time() + phase_s, 0
    while due_s < until_s:
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        answer = await client.read_holding_registers(0, count=registers, device_id=1)
        values += len(answer.registers)
        due_s += 1.0
    client.close()
    return values


async def measure(
    first_port: int, devices: int, registers: int, seconds: float
) -> dict[str, float]:
    """Return values and CPU seconds, of the reading only: connecting comes before."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + seconds
    began_s = time.process_time()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(
                read_on_a_grid(first_port + index, registers, index / devices, until_s)
            )
            for index in range(devices)
        ]
    used_s = time.process_time() - began_s
    return {"values": sum(task.result() for task in tasks), "cpu_s": used_s, "pid": os.getpid()}


if __name__ == "__main__":
    port, devices, registers = map(int, sys.argv[1:4])
    print(json.dumps(asyncio.run(measure(port, devices, registers, float(sys.argv[4])))))
