"""Gateways, one centre, and a network between them that loses, doubles and delays.

Everything is drawn from one seed. At its end a world drains without faults and is judged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

from central_sync.ingest.admit import admit
from edge_agent.uplink.state import Pause, Trust
from edge_agent.wire.batch import Origin
from edge_agent.wire.signing import SigningKey
from edge_agent.wire.vocabulary import NO_HASH
from tests.simulation import judge
from tests.simulation.centre import RECEIPT_KEY, Centre
from tests.simulation.gateway import Gateway
from tests.simulation.machine import Disk, Life
from tests.simulation.network import answered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from central_sync.store.admission import Admit
    from edge_agent.wire.signing import VerifyingKey
    from tests.simulation.machine import Image

GATEWAY = UUID(int=7)
KEY = SigningKey.from_seed(b"g" * 32)
S = 1_000_000_000
START_NS = 1_800_000_000 * S
INTERVAL_NS = 60 * S
# A world that needs more to drain does not drain.
MOST_EXCHANGES = 1_500
LEAST_ROUNDS, MOST_ROUNDS = 2, 4
# What is missing must be told after 24 h of contact; this much passes from one contact to the next.
CONTACT_NS = 12 * 60 * S
CONTACTS_OF_A_DAY = 122


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The product's rules; a test switches one off to see that it is missed."""

    admit: Admit = admit
    receipt_keys: Mapping[bytes, VerifyingKey] = field(
        default_factory=lambda: {RECEIPT_KEY.key_id: RECEIPT_KEY.verifying_key}
    )
    sends_proof: bool = True
    tells_losses: bool = True


@dataclass(slots=True)
class World:
    """One history."""

    seed: int
    rules: Rules = field(default_factory=Rules)
    now_ns: int = START_NS
    rng: Random = field(init=False)
    centre: Centre = field(init=False)
    life: Life = field(init=False)
    gateways: list[Gateway] = field(default_factory=list)
    late: list[bytes] = field(default_factory=list)
    everybody: list[Gateway] = field(default_factory=list)
    unsent: set[bytes] = field(default_factory=set)
    overwritten: set[bytes] = field(default_factory=set)
    set_back: set[bytes] = field(default_factory=set)
    is_hostile: bool = False
    serial: int = 0

    def __post_init__(self) -> None:
        self.rng = Random(self.seed)  # noqa: S311 - chance that can be repeated, no secret
        self.centre = Centre(lambda: self.now_ns, admit=self.rules.admit)
        self.centre.store.add_gateway(
            GATEWAY, facility="PLANT", name="stack", public_key=KEY.public_bytes
        )
        self.life = Life(
            origin=Origin(gateway_id=GATEWAY, config_hash=NO_HASH, software_hash=NO_HASH, key=KEY),
            trust=Trust(gateway_id=GATEWAY, receipt_keys=self.rules.receipt_keys),
            rng=self.rng,
            now_ns=lambda: self.now_ns,
            serial=self.next_serial,
            sends_proof=self.rules.sends_proof,
            tells_losses=self.rules.tells_losses,
        )
        self.add(Gateway(self.life, Disk())).buffer.seal(is_boot=True)

    def next_serial(self) -> int:
        """Return a number that was not used yet."""
        self.serial += 1
        return self.serial

    def add(self, machine: Gateway) -> Gateway:
        """Let a machine run."""
        self.gateways.append(machine)
        self.everybody.append(machine)
        return machine

    def copy(self, image: Image, *, is_resumed: bool, onto: Gateway | None = None) -> Gateway:
        """Let a machine run from an image, beside the others or in the place of one of them."""
        self.is_hostile = True
        if onto is not None:
            self._overwrite(onto)
        if is_resumed:
            return self.add(Gateway.resumed(self.life, image))
        machine = self.add(Gateway(self.life, image.disk.image()))
        machine.buffer.seal(is_boot=True)
        return machine

    def quarantine(self, machine: Gateway) -> Gateway:
        """Let a machine lose its buffer, all but the name of its newest batch."""
        self.is_hostile = True
        self._overwrite(machine)
        made = self.add(Gateway(self.life, Disk(), previous=machine.head))
        made.buffer.seal(is_boot=True)
        return made

    def put_back(self, backup: bytes) -> set[bytes]:
        """Put the centre back to a backup; return what it lost."""
        self.is_hostile = True
        before = self.stored()
        self.centre.restore(backup)
        gone = before - self.stored()
        self.set_back |= gone
        return gone

    def wait(self, *, hours: int) -> None:
        """Let time pass in which nobody is heard."""
        self.now_ns += hours * 3600 * S

    def stored(self) -> set[bytes]:
        """Return what the centre has."""
        return {bytes(name) for (name,) in self.centre.rows("select batch_hash from batch")}

    def exchange(self, machine: Gateway, fault: str = "none") -> Pause | None:
        """Send one request under a fault; return what the gateway does next, None: nothing left."""
        sending = machine.request()
        if sending is None:
            return None
        self.now_ns += S
        request, body = sending
        answer = answered(self.centre, GATEWAY, request, body, fault=fault, late=self.late)
        return machine.take(request, answer)

    def deliver_late(self) -> None:
        """Let a request arrive that its sender has long given up."""
        if self.late:
            body = self.late.pop(self.rng.randrange(len(self.late)))
            self.centre.taken(self.centre.looked_through(GATEWAY, body))

    def drain(self) -> bool:
        """Let all that waits arrive, and a few batches more; return whether it did."""
        while self.late:
            self.deliver_late()
        # Who is told that its line is a branch goes on in the next round as another.
        for rounds in range(MOST_ROUNDS):
            if rounds >= LEAST_ROUNDS and not self.is_on_branch():
                break
            if not self._drain_once():
                return False
        if self.is_untold():
            for _ in range(CONTACTS_OF_A_DAY):
                self.now_ns += CONTACT_NS
                if not self._drain_once():
                    return False
        return True

    def is_on_branch(self) -> bool:
        """Return whether the newest batch of a living gateway is on a branch."""
        branches = self.centre.rows("select batch_hash from batch, branch where batch_id = id")
        return not {name for (name,) in branches}.isdisjoint(
            one.head.batch_hash for one in self.gateways
        )

    def is_untold(self) -> bool:
        """Return whether the centre lacks something and has no alarm for it yet."""
        told = {
            UUID(subject).bytes
            for (subject,) in self.centre.rows(
                "select subject from alarm where closed_ns is null"
                " and code in ('hole', 'server_behind')"
            )
        }
        return any(chain not in told for (chain,) in self.centre.rows("select chain_id from hole"))

    def facts(self) -> judge.Facts:
        """Return what there is to judge."""
        rows = self.centre.rows(
            "select batch_hash, verdict, exists (select 1 from branch where batch_id = id)"
            " from batch order by id"
        )
        return judge.Facts(
            made={
                batch.name: batch
                for machine in self.everybody
                for batch in (judge.read(one.header_bytes, one.body) for one in machine.buffer.made)
            },
            rows=[
                judge.Row(name=name, verdict=verdict, is_branch=bool(is_branch))
                for name, verdict, is_branch in rows
            ],
            holes=self.centre.rows("select chain_id, batch_hash from hole"),
            alarms=[
                judge.Alarm(code=code, chain=subject, is_open=closed_ns is None)
                for code, subject, closed_ns in self.centre.rows(
                    "select code, subject, closed_ns from alarm"
                )
            ],
            heads={one.head.batch_hash: set(one.intact_hashes()) for one in self.gateways},
            given_up=set().union(*(one.buffer.given_up for one in self.everybody)),
            rotten=set().union(*(one.buffer.rotten for one in self.everybody)),
            poison=set().union(*(one.buffer.poison for one in self.everybody)),
            forks_told=any(one.state.forked for one in self.everybody),
            receipted=set().union(*(one.settled for one in self.everybody)),
            unsent=self.unsent,
            overwritten=self.overwritten,
            set_back=self.set_back,
            is_hostile=self.is_hostile,
        )

    def judged(self) -> list[str]:
        """Return everything that is wrong after a drain."""
        if not self.drain():
            return ["stuck: it does not drain"]
        return list(judge.faults(self.facts()))

    def close(self) -> None:
        """Let go of the centre."""
        self.centre.store.close()

    def _overwrite(self, machine: Gateway) -> None:
        self.gateways.remove(machine)
        self.overwritten |= machine.disk_hashes()
        self.unsent |= machine.disk_hashes() - self.stored()

    def _drain_once(self) -> bool:
        self.now_ns += INTERVAL_NS
        for machine in self.gateways:
            machine.buffer.seal()
            machine.interval()
        waiting, exchanges = list(self.gateways), 0
        while waiting:
            exchanges += 1
            machine = waiting[exchanges % len(waiting)]
            pause = self.exchange(machine)
            if pause is None:
                waiting.remove(machine)
            elif pause is not Pause.NONE:
                self.now_ns += INTERVAL_NS
                machine.interval()
            if exchanges > MOST_EXCHANGES:
                return False
        return True
