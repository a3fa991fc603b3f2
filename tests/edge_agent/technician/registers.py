"""A Modbus device for the technician's tests: registers, and a profile that says too little."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

ORDERS: Mapping[str, Callable[[bytes], bytes]] = {
    "ABCD": lambda octets: octets,
    "CDAB": lambda octets: octets[2:] + octets[:2],
    "BADC": lambda octets: bytes((octets[1], octets[0], octets[3], octets[2])),
    "DCBA": lambda octets: octets[::-1],
}


def words_of(values: Sequence[float], order: str) -> list[int]:
    """Return float32 values as registers in a word order."""
    octets = b"".join(ORDERS[order](struct.pack(">f", value)) for value in values)
    return list(struct.unpack(f">{len(octets) // 2}H", octets))


def profile_text(
    ranges: Sequence[tuple[float, float] | None],
    *,
    word_order: str = "unknown",
    addressing: str = "zero_based",
    first: int = 10,
) -> str:
    """Return a profile of floats one behind the other: points v0, v1, ..."""
    points = []
    for index, between in enumerate(ranges):
        limits = "" if between is None else f'low = "{between[0]}"\nhigh = "{between[1]}"\n'
        points.append(
            f'[points.v{index}]\nparameter = "P{index}"\nunit_of_measure = "ppm"\n'
            f'table = "holding"\naddress = {first + 2 * index}\nraw_type = "float32"\n'
            f'resolution = "0.01"\n{limits}page = "p. 1"\n'
        )
    return (
        'id = "acme/float"\nrevision = "1"\nvendor = "Acme"\nmodel = "Float 7"\n'
        'trust = "documented"\ngaps = []\n[[provenance]]\nkind = "manual"\n'
        f'document = "a"\npages = "1"\n[modbus]\naddressing = "{addressing}"\n'
        f'word_order = "{word_order}"\n' + "".join(points)
    )


def written_profile(folder: Path, text: str) -> Path:
    """Write the profile beside an agent.toml; return where that would be."""
    (folder / "profiles.d" / "acme").mkdir(parents=True)
    (folder / "profiles.d" / "acme" / "float.toml").write_text(text)
    return folder / "agent.toml"


@asynccontextmanager
async def holding(
    registers: Callable[[int], Mapping[int, int]], size: int = 60
) -> AsyncIterator[int]:
    """Serve holding registers as they are at each request, 0 the first; yields the port.

    What is not among them is refused, as by a device.
    """
    asked = iter(range(1_000_000))

    async def act(
        function: int,
        start: int,
        address: int,
        count: int,
        memory: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        del start
        assert function == 3, "only holding registers, and nothing is ever written"
        assert written is None
        await asyncio.sleep(0)
        now = registers(next(asked))
        if not all(at in now for at in range(address, address + count)):
            return ExcCodes.ILLEGAL_ADDRESS
        memory[address : address + count] = [now[at] for at in range(address, address + count)]
        return None

    none = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    words = [SimData(0, count=size, datatype=DataType.REGISTERS)]
    server = ModbusTcpServer(
        SimDevice(1, simdata=(none, none, words, words), action=act), address=("127.0.0.1", 0)
    )
    assert await server.listen()
    listener: object = server.transport
    assert isinstance(listener, asyncio.Server)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        for connection in tuple(server.active_connections.values()):
            connection.close()
        await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus leaves it so
