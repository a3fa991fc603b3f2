"""What the centre freed is not its own any more."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa

from central_sync import memory

if TYPE_CHECKING:
    import pytest

# Blocks of one MiB among small ones that stay, freed: what an hour's computation leaves behind.
PROGRAM = """
import sys
from pathlib import Path
from central_sync import memory

def resident_mib():
    fields = Path("/proc/self/status").read_text().split("VmRSS:")[1].split()
    return int(fields[0]) / 1024

largest = bytearray(24 << 20)  # from now on blocks below that come from the heap
del largest
before = resident_mib()
blocks, small = [], []
for _ in range(64):
    blocks.append(bytearray(b"x" * (1 << 20)))
    small.append(bytearray(2048))
blocks.clear()
if sys.argv[1] == "given back":
    memory.give_back()
print(resident_mib() - before)
"""


def kept_mib(how: str) -> float:
    """Return what a process keeps of 64 MiB that it freed."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=60, check=True
    )
    return float(ran.stdout)


def test_what_an_hour_took_goes_back_to_the_system() -> None:
    assert kept_mib("given back") < kept_mib("as it is") / 2


def test_columns_come_from_the_same_allocator(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []
    monkeypatch.setattr(pa, "set_memory_pool", lambda pool: chosen.append(pool.backend_name))
    monkeypatch.setattr(memory, "_libc", object())
    memory.begin()
    assert chosen == ["system"]
