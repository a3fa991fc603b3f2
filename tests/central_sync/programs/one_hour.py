"""One hour of one gateway for tests: batches of rows, channel tables, plans, and its values."""

import numpy as np

from central_sync.calc.clock_times import Times
from central_sync.model import HourlyValue
from central_sync.programs.channels import Cells, OpenedBatch
from central_sync.programs.hashes import output_hash
from central_sync.programs.hour import hourly_values
from central_sync.programs.plan import (
    Assignment,
    Facility,
    MonitoringSystem,
    Operating,
    Plan,
    Unit,
)
from central_sync.programs.tally import HourTally, Tallied
from edge_agent.wire.bundle import Bundle, ChannelRow
from edge_agent.wire.readings import RowArray
from edge_agent.wire.vocabulary import Hash, Reason
from tests.central_sync.channels import FLAME, NOX
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    MINUTE,
    TEN,
    rows,
)

CONFIG = Hash(b"c" * 32)
OTHER_CONFIG = Hash(b"d" * 32)
QUARTERS = [0, 15 * MINUTE, 30 * MINUTE, 45 * MINUTE]
FULL = [(TEN + offset, 1, 1000) for offset in QUARTERS]


def bundle(*channels: ChannelRow, simulated: bool = False) -> Bundle:
    return Bundle(simulated=simulated, channels=channels, judging={}, agent={}, profiles={})


def batch(
    readings: list[tuple[int, int, int]],
    *,
    number: int = 1,
    config: Hash = CONFIG,
    quality: int = Reason.JUDGED,
    first_seq: int = 1,
    is_clock_trusted: bool = True,
    times: Times | None = None,
) -> OpenedBatch:
    made = rows(readings, quality=quality)
    return OpenedBatch(
        batch_hash=Hash(bytes([number]) * 32),
        config_hash=config,
        first_seq=first_seq,
        is_clock_trusted=is_clock_trusted,
        rows=made,
        times=times or trusted_times(made),
    )


def trusted_times(made: RowArray) -> Times:
    """Return the times of rows as a clock without an error stamped them."""
    at = made["at"].copy()
    return Times(time=at, earliest=at, latest=at, is_moved=np.zeros(len(at), np.bool_))


def tallied(
    *batches: OpenedBatch,
    bundles: dict[Hash, Bundle] | None = None,
    plan: Plan | None = None,
    start_ns: int = TEN,
) -> Tallied:
    cells = Cells(bundles if bundles is not None else {CONFIG: bundle(NOX, FLAME)})
    tally = HourTally(cells.cells, gateway_id=GATEWAY, plan=plan or Plan(), start_ns=start_ns)
    for one in batches:
        tally.add(cells.chunk([one]))
    return tally.tallied()


def values(
    *batches: OpenedBatch,
    bundles: dict[Hash, Bundle] | None = None,
    plan: Plan | None = None,
    start_ns: int = TEN,
    is_provisional: bool = False,
) -> dict[int, HourlyValue]:
    hour = tallied(*batches, bundles=bundles, plan=plan, start_ns=start_ns)
    found = hourly_values(hour, is_provisional=is_provisional)
    assert all(one.output_hash == output_hash(one) for one in found)
    return {one.channel: one for one in found}


def plan_of(parameter: str = "NOXC", *, unit: Unit | None = None, offset_minutes: int = 0) -> Plan:
    unit = unit or Unit(id="1")
    system = MonitoringSystem(
        id="AA1",
        unit=unit.id,
        parameter=parameter,
        channels=(Assignment(gateway=GATEWAY, channel=1, from_ns=0),),
    )
    return Plan(
        facilities=(
            Facility(
                id="PLANT", utc_offset_minutes=offset_minutes, units=(unit,), systems=(system,)
            ),
        )
    )


BURNING = Unit(id="1", operating=Operating(gateway=GATEWAY, channel=2))
