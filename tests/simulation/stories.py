"""What befalls gateways and a centre in a history, and which alarms that must raise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tests.simulation.judge import BEHIND, FORK, HOLE
from tests.simulation.network import FAULTS, answered
from tests.simulation.world import GATEWAY, Rules, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What alarms a history must have raised by its end, and which may be there besides."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()


QUIET = Verdict()


class History:
    """One gateway and one centre in ordinary life, and what happens to them."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.world = World(seed, rules or Rules())
        self.rng = self.world.rng

    @property
    def machine(self) -> Gateway:
        """The gateway that lives; of several any."""
        return self.rng.choice(self.world.gateways)

    def live(self, least: int = 0) -> None:
        """Let some time pass: batches, uploads with faults, crashes."""
        for step in range(self.rng.randrange(4, 14) + least):
            machine = self.machine
            self.world.now_ns += self.rng.randrange(20) * 1_000_000_000
            if step < least or self.rng.random() < 0.4:
                machine.buffer.seal()
            elif self.rng.random() < 0.05:
                machine.start()
            elif self.rng.random() < 0.1:
                machine.interval()
            else:
                self.world.exchange(machine, self.rng.choice(FAULTS))

    def deliver(self, machine: Gateway) -> None:
        """Let all that a gateway holds arrive, and its receipts reach its disk."""
        machine.interval()
        while self.world.exchange(machine) is not None:
            pass
        machine.buffer.seal()


def nothing(history: History) -> Verdict:
    """Nothing but crashes and a bad line."""
    history.live()
    return QUIET


def clone_beside(history: History) -> Verdict:
    """A copy of the card runs in a second machine."""
    image = history.machine.buffer.image()
    history.live()
    history.world.copy(image, is_resumed=history.rng.random() < 0.3)
    history.live(least=1)
    return Verdict(must=frozenset({FORK}))


def older_image(history: History) -> Verdict:
    """A gateway is put back to an image, after what it made since had arrived."""
    machine = history.machine
    image = machine.buffer.image()
    history.live(least=1)
    history.deliver(machine)
    history.world.copy(image, is_resumed=history.rng.random() < 0.3, onto=machine)
    history.live(least=1)
    return Verdict(must=frozenset({FORK}))


def card_moved(history: History) -> Verdict:
    """The card goes to another machine, or an image is put back at once: nothing is made twice."""
    machine = history.machine
    history.world.copy(machine.buffer.image(), is_resumed=False, onto=machine)
    return QUIET


def centre_set_back(history: History) -> Verdict:
    """The centre is restored from a backup that lacks what it receipted since."""
    machine = history.machine
    history.deliver(machine)
    backup = history.world.centre.backup()
    history.live(least=1)
    history.deliver(machine)
    gone = history.world.put_back(backup)
    if history.rng.random() < 0.3:
        machine.start()
    proof = machine.state.proof
    is_shown = proof is not None and proof.batch_hash in gone
    history.live(least=1)
    alarms = frozenset({BEHIND})
    return Verdict(must=alarms if is_shown else frozenset(), may=alarms)


def centre_set_back_twice(history: History) -> Verdict:
    """The centre is restored, caught up, and restored again from the same backup."""
    machine = history.machine
    history.deliver(machine)
    backup, gone = history.world.centre.backup(), set[bytes]()
    for _ in range(2):
        history.live(least=1)
        history.deliver(machine)
        gone = history.world.put_back(backup)
        history.world.late.clear()
    machine.buffer.seal()
    proof = machine.state.proof
    alarms = frozenset({BEHIND})
    is_shown = proof is not None and proof.batch_hash in gone
    return Verdict(must=alarms if is_shown else frozenset(), may=alarms)


def copy_rotten(history: History) -> Verdict:
    """Batches rot on the disk before they are sent; nothing else happens."""
    for _ in range(3):
        history.machine.buffer.seal_many(3)
        history.machine.buffer.damage()
        history.live()
    return Verdict(may=frozenset({HOLE}))


def delivered_copy_rotten(history: History) -> Verdict:
    """The only copy that a restored centre could get rotted after it had arrived once."""
    machine = history.machine
    history.deliver(machine)
    backup = history.world.centre.backup()
    machine.buffer.seal_many(2)
    history.world.exchange(machine, "answer lost")
    for _ in range(20):
        machine.buffer.damage()
    history.deliver(machine)
    history.world.put_back(backup)
    history.world.late.clear()
    return Verdict(must=frozenset({BEHIND}), may=frozenset({HOLE}))


def copy_rotten_beside_another(history: History) -> Verdict:
    """As below, and on a copy of the card rots what has the same numbers (ADR 15)."""
    beside = history.world.copy(history.machine.buffer.image(), is_resumed=False)
    machine = next(one for one in history.world.gateways if one is not beside)
    beside.buffer.seal_many(24)
    verdict = newer_forgotten_before_older(history, machine)
    for _ in range(100):
        beside.buffer.damage()
    history.deliver(beside)
    return replace(verdict, may=verdict.may | {FORK})  # seen where two batches have one number


def last_of_a_branch_rotten(history: History) -> Verdict:
    """A copy hears of the fork while it makes its last batch, which rots; its new chain goes on.

    Its branch is longer than the main line, so that it is sent back to what the centre has.
    """
    world, machine = history.world, history.machine
    history.deliver(machine)
    image = machine.buffer.image()
    machine.buffer.seal()
    history.deliver(machine)
    beside = world.copy(image, is_resumed=False)
    beside.buffer.seal_many(4)
    sending = beside.request()
    assert sending is not None
    beside.buffer.seal()
    request, body = sending
    beside.take(request, answered(world.centre, GATEWAY, request, body, fault="none", late=[]))
    beside.buffer.seal()
    for _ in range(100):
        beside.buffer.damage()
    return Verdict(must=frozenset({FORK}), may=frozenset({HOLE}))


def newer_forgotten_before_older(history: History, machine: Gateway | None = None) -> Verdict:
    """The restored centre lacks old batches that are held, below newer ones that are not."""
    machine = machine or history.machine
    history.deliver(machine)
    backup = history.world.centre.backup()
    machine.buffer.seal_many(12)
    machine.interval()
    history.world.exchange(machine)
    machine.buffer.seal()
    machine.buffer.forget(1000)
    history.deliver(machine)
    history.world.put_back(backup)
    history.world.late.clear()
    return Verdict(must=frozenset({BEHIND}), may=frozenset({HOLE}))


def clone_and_centre_set_back(history: History) -> Verdict:
    """The centre is restored from before a copy of the card began to run."""
    backup = history.world.centre.backup()
    clone_beside(history)
    for machine in history.world.gateways:
        history.deliver(machine)
    history.world.put_back(backup)
    history.world.late.clear()
    return Verdict(must=frozenset({FORK, BEHIND}))


def centre_set_back_and_gateway_forgot(history: History) -> Verdict:
    """What the restored centre lacks is partly no longer on the gateway either."""
    machine = history.machine
    history.deliver(machine)
    backup = history.world.centre.backup()
    history.live(least=4)
    history.deliver(machine)
    history.deliver(machine)
    gone = history.world.put_back(backup)
    machine.buffer.forget(1000)
    history.live(least=1)
    is_lost = bool(gone - machine.disk_hashes())
    must = {BEHIND, HOLE} if is_lost else {BEHIND}
    return Verdict(must=frozenset(must), may=frozenset({BEHIND, HOLE}))


def backup_without_loss(history: History) -> Verdict:
    """The centre is restored from a backup that lacks nothing."""
    history.world.put_back(history.world.centre.backup())
    return QUIET


def buffer_lost_delivered(history: History) -> Verdict:
    """A damaged buffer is set aside after all that was in it had arrived."""
    machine = history.machine
    machine.interval()
    while history.world.exchange(machine) is not None:
        pass
    history.world.quarantine(machine)
    return QUIET


def buffer_lost_undelivered(history: History) -> Verdict:
    """A damaged buffer is set aside with batches that nobody else has."""
    machine = history.machine
    history.deliver(machine)
    machine.buffer.seal()
    history.world.quarantine(machine)
    return Verdict(must=frozenset({HOLE}))


STORIES: tuple[Callable[[History], Verdict], ...] = (
    nothing,
    clone_beside,
    older_image,
    card_moved,
    centre_set_back,
    centre_set_back_twice,
    clone_and_centre_set_back,
    newer_forgotten_before_older,
    copy_rotten,
    copy_rotten_beside_another,
    delivered_copy_rotten,
    last_of_a_branch_rotten,
    centre_set_back_and_gateway_forgot,
    backup_without_loss,
    buffer_lost_delivered,
    buffer_lost_undelivered,
)
