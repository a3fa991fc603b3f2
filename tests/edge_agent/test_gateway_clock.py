"""What the agent shows as time, and how far it believes it, on machines that were started anew."""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import UUID

import pytest

from edge_agent.clock import (
    EARLIEST_PLAUSIBLE_NS,
    HOLDOVER,
    MANUAL,
    NTP,
    RTC,
    UNSET,
    Clock,
    Instant,
    Trust,
)
from edge_agent.configured import clock_of
from edge_agent.gateway_clock import GatewayClock, LastKnown
from tests.edge_agent.buffer.gateway import Gateway
from tests.edge_agent.line import S, SteppedClock

DAY = 86_400 * S
NOW = EARLIEST_PLAUSIBLE_NS + 300 * DAY
ALONE = Trust(state=UNSET, error_ms=None)
BY_RTC = Trust(state=RTC, error_ms=None)
BY_HAND = Trust(state=MANUAL, error_ms=None)


@dataclass
class Machine(SteppedClock):
    """A machine whose clock a test sets."""

    utc_ns: int = 0
    kernel: Trust = ALONE

    def now(self) -> Instant:
        return Instant(utc_ns=self.utc_ns + self.mono_ns, mono_ns=self.mono_ns)

    def trust(self) -> Trust:
        return self.kernel


def known(utc_ns: int, trust: Trust, *, mono_ns: int = 5 * S, this_boot: bool = False) -> LastKnown:
    at = Instant(utc_ns=utc_ns, mono_ns=mono_ns)
    return LastKnown(at=at, trust=trust, is_this_boot=this_boot)


def synced(error_ms: int = 10) -> Trust:
    return Trust(state=NTP, error_ms=error_ms)


@pytest.mark.parametrize("boots_at", [0, NOW - DAY], ids=["1970", "the date of the last stop"])
def test_what_is_shown_does_not_begin_before_what_was_signed(boots_at: int) -> None:
    machine = Machine(utc_ns=boots_at)
    clock = GatewayClock(machine)
    clock.remember(known(NOW, synced()))
    assert clock.now().utc_ns == NOW
    machine.mono_ns += 7 * S
    assert clock.now().utc_ns == NOW + 7 * S
    assert clock.held_ns == NOW - boots_at - 1_000 * S
    assert clock.trust() == ALONE


def test_a_machine_that_is_ahead_of_what_was_signed_is_shown_as_it_is() -> None:
    machine = Machine(utc_ns=NOW + DAY, kernel=BY_RTC)
    clock = GatewayClock(machine)
    clock.remember(known(NOW, synced()))
    assert clock.now() == machine.now()
    assert clock.trust() == BY_RTC


@pytest.mark.parametrize("last", [BY_RTC, BY_HAND])
def test_a_clock_that_may_have_been_ahead_holds_no_other_back(last: Trust) -> None:
    machine = Machine(utc_ns=NOW, kernel=BY_RTC)
    clock = GatewayClock(machine)
    clock.remember(known(NOW + 9_000 * DAY, last))
    assert clock.now() == machine.now()


def test_a_clock_of_the_machine_before_a_trusted_time_is_wrong() -> None:
    clock = GatewayClock(Machine(utc_ns=NOW - DAY, kernel=BY_RTC))
    clock.remember(known(NOW, synced()))
    assert clock.now().utc_ns == NOW
    assert clock.trust() == ALONE


def test_a_source_ends_the_holding_whether_it_sets_the_clock_or_not() -> None:
    machine = Machine(utc_ns=NOW - DAY)
    clock = GatewayClock(machine)
    clock.remember(known(NOW, synced()))
    machine.kernel = synced()
    assert clock.trust() == synced()
    assert clock.now() == machine.now()
    machine.utc_ns = NOW + DAY
    assert clock.now() == machine.now()
    assert clock.trust() == synced()


def test_a_lost_source_leaves_a_clock_whose_error_grows() -> None:
    machine = Machine(utc_ns=NOW, kernel=synced(10))
    clock = GatewayClock(machine)
    assert clock.trust().error_ms == 10
    machine.kernel = BY_RTC
    machine.mono_ns += 1_000 * S
    assert clock.trust() == Trust(state=HOLDOVER, error_ms=510)
    machine.mono_ns += 400 * DAY
    assert clock.trust() == Trust(state=HOLDOVER, error_ms=510 + 400 * 43_200)
    machine.kernel = synced(3)
    assert clock.trust() == synced(3)


def test_a_clock_that_is_set_by_hand_is_not_believed_until_a_source_comes() -> None:
    machine = Machine(utc_ns=NOW, kernel=synced())
    clock = GatewayClock(machine)
    clock.trust()
    machine.kernel, machine.utc_ns = BY_RTC, NOW + DAY
    assert clock.now() == machine.now()
    assert clock.trust() == BY_HAND
    machine.utc_ns = NOW
    assert clock.now() == machine.now()
    assert clock.trust().state == HOLDOVER
    machine.utc_ns = 0
    assert clock.trust() == BY_RTC  # as the kernel says: 1970 is no date that anybody sets
    machine.utc_ns, machine.kernel = NOW, synced()
    assert clock.trust() == synced()


def test_the_agent_started_again_goes_on_with_what_it_knew_of_this_boot() -> None:
    machine = Machine(utc_ns=NOW, kernel=BY_RTC)
    header = known(NOW + 500 * S, synced(10), mono_ns=500 * S, this_boot=True)
    clock = GatewayClock(machine)
    clock.remember(header)
    assert clock.trust() == Trust(state=HOLDOVER, error_ms=260)
    clock = GatewayClock(machine)
    clock.remember(replace(header, trust=BY_HAND))
    assert clock.trust() == BY_HAND
    machine.utc_ns += DAY
    clock = GatewayClock(machine)
    clock.remember(header)
    assert clock.trust() == BY_RTC


def test_the_agent_started_again_shows_the_time_that_it_showed() -> None:
    machine = Machine(utc_ns=0)
    clock = GatewayClock(machine)
    clock.remember(known(NOW + 500 * S, ALONE, mono_ns=500 * S, this_boot=True))
    assert clock.now().utc_ns == NOW + 1_000 * S
    assert clock.trust() == ALONE


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


@pytest.mark.asyncio
@pytest.mark.parametrize("reboots", [True, False])
async def test_the_newest_batch_of_the_buffer_is_what_is_known(
    gateway: Gateway, *, reboots: bool
) -> None:
    async with gateway.opened() as buffer:
        await buffer.append(gateway.portion(3))
        head = buffer.head
    assert head is not None
    boot_id = UUID(int=99) if reboots else gateway.boot.boot_id
    machine = Machine(mono_ns=head.header.mono_ns + S)
    clock = await clock_of(machine, gateway.path, gateway.origin, boot_id)
    assert clock.now().utc_ns == head.header.wall_ns + (0 if reboots else S)


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [None, b"", b"not a database"])
async def test_a_buffer_that_tells_nothing_holds_nothing_back(
    gateway: Gateway, content: bytes | None
) -> None:
    if content is not None:
        gateway.path.write_bytes(content)
    machine: Clock = Machine()
    clock = await clock_of(machine, gateway.path, gateway.origin, UUID(int=1))
    assert clock.now() == machine.now()
    await clock.sleep_until(0)
    woken = asyncio.Event()
    woken.set()
    await clock.wait(woken, None)
