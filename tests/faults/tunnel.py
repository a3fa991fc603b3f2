"""A line between two network namespaces that loses, delays, doubles and corrupts packets as told.

Whole IP packets go through this process from one TUN device to the other, so that real kernel TCP
meets the faults, on kernels without a network emulator as well. The namespaces live as long as the
`with` block: nothing is named, mounted or left behind. Needs root, /dev/net/tun, nsenter and ip.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from shutil import which
from threading import Event, Thread
from typing import Final, Self

# linux/if_tun.h: TUNSETIFF, IFF_TUN | IFF_NO_PI; linux/sched.h: CLONE_NEWNET.
_TUNSETIFF: Final = 0x4004_54CA
_TUN_WITHOUT_HEAD: Final = 0x1001
_NEW_NETWORK: Final = 0x4000_0000
_IFREQ: Final = struct.Struct("16sH22x")
_DEVICE: Final = "line"
# The least that every network must carry (RFC 791): more packets, so more that can befall them.
_MTU: Final = 576
# RFC 791: what is corrupted lies behind the smallest IP header, so that the packet still arrives.
_IP_HEADER: Final = 20
_LOOK_S: Final = 0.05
_START_LIMIT_S: Final = 10.0

GATEWAY_ADDRESS: Final = "10.78.0.1"
CENTRE_ADDRESS: Final = "10.78.0.2"


class Way(StrEnum):
    """A direction on the line."""

    OUTWARD = "outward"
    """From the gateway to the centre."""
    HOMEWARD = "homeward"


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What becomes of packets: shares from 0 to 1, and the ways on which all are lost."""

    loss: float = 0.0
    corruption: float = 0.0
    doubling: float = 0.0
    delay_s: float = 0.0
    cut: frozenset[Way] = frozenset()


CLEAR: Final = Weather()


def missing() -> str:
    """Return what a tunnel needs and is not there; empty: nothing."""
    if os.geteuid() != 0:
        return "root"
    if not Path("/dev/net/tun").exists():
        return "/dev/net/tun"
    return next((name for name in ("ip", "nsenter", "unshare", "mount") if not which(name)), "")


@dataclass
class Tunnel:
    """Two namespaces and the line between them, from `with` to its end.

    Attributes:
        seed: of what befalls packets.
        weather: may be replaced at any time.
        counts: packets by what became of them.

    """

    seed: int
    weather: Weather = CLEAR
    counts: Counter[str] = field(default_factory=Counter)
    _spaces: dict[Way, int] = field(default_factory=dict)
    _ends: dict[Way, int] = field(default_factory=dict)

    def __enter__(self) -> Self:
        """Make the namespaces and begin to carry packets."""
        self._ready, self._over = Event(), Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        if not self._ready.wait(_START_LIMIT_S):
            self._over.set()
            raise RuntimeError("the namespaces could not be made: is this root with /dev/net/tun?")
        for way, address in ((Way.OUTWARD, GATEWAY_ADDRESS), (Way.HOMEWARD, CENTRE_ADDRESS)):
            self._configure(way, address)
        return self

    def __exit__(self, *_: object) -> None:
        """End the line; a namespace goes with the last process in it."""
        self._over.set()
        self._thread.join()
        for descriptor in (*self._ends.values(), *self._spaces.values()):
            os.close(descriptor)

    def at_gateway(self, hosts: Path) -> tuple[str, ...]:
        """Return what stands before a command so that it runs at the gateway's end.

        Args:
            hosts: made here; read in place of /etc/hosts. The name localhost is the centre's end
                there: a gateway speaks plain http to nobody else, and to the tunnel it must.

        """
        hosts.write_text(f"{CENTRE_ADDRESS} localhost\n")
        script = f'mount --bind "{hosts}" /etc/hosts && exec "$@"'
        return (*self._within(Way.OUTWARD), "unshare", "--mount", "sh", "-c", script, "sh")

    def at_centre(self) -> tuple[str, ...]:
        """Return what stands before a command so that it runs at the centre's end."""
        return self._within(Way.HOMEWARD)

    def enter_centre(self) -> None:
        """Take the calling thread to the centre's end: its sockets are made there from now on."""
        _enter(self._spaces[Way.HOMEWARD])

    def _within(self, way: Way) -> tuple[str, ...]:
        return ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._spaces[way]}", "--")

    def _configure(self, way: Way, address: str) -> None:
        for words in (
            ("addr", "add", f"{address}/24", "dev", _DEVICE),
            ("link", "set", _DEVICE, "up", "mtu", str(_MTU)),
            ("link", "set", "lo", "up"),
        ):
            subprocess.run([*self._within(way), "ip", *words], check=True, capture_output=True)

    def _run(self) -> None:
        """Make the namespaces in this thread, which alone changes its own, and carry packets."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        for way in (Way.OUTWARD, Way.HOMEWARD):
            _check(_LIBC.unshare(_NEW_NETWORK), "unshare")
            self._spaces[way] = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            self._ends[way] = _tun()
        _enter(home)
        os.close(home)
        self._ready.set()
        _Carrier(self).run(self._over)


@dataclass
class _Carrier:
    """Takes packets from one end to the other; what is delayed waits in a heap."""

    tunnel: Tunnel
    waiting: list[tuple[float, int, int, bytes]] = field(default_factory=list)
    number: int = 0

    def run(self, over: Event) -> None:
        """Carry until `over`."""
        chance = random.Random(self.tunnel.seed)  # noqa: S311 - chance, not a secret
        ends = self.tunnel._ends
        outward, homeward = ends[Way.OUTWARD], ends[Way.HOMEWARD]
        onward = {outward: (Way.OUTWARD, homeward), homeward: (Way.HOMEWARD, outward)}
        while not over.is_set():
            self._deliver()
            readable, _, _ = select.select(list(onward), [], [], self._patience_s())
            for end in readable:
                with suppress(BlockingIOError):
                    self._take(os.read(end, 2_048), *onward[end], chance)

    def _patience_s(self) -> float:
        if not self.waiting:
            return _LOOK_S
        return max(0.0, min(_LOOK_S, self.waiting[0][0] - time.monotonic()))

    def _take(self, packet: bytes, way: Way, end: int, chance: random.Random) -> None:
        """Decide what becomes of one packet."""
        weather, counts = self.tunnel.weather, self.tunnel.counts
        if way in weather.cut:
            counts[f"cut {way}"] += 1
            return
        if chance.random() < weather.loss:
            counts["lost"] += 1
            return
        if chance.random() < weather.corruption and len(packet) > _IP_HEADER:
            counts["corrupted"] += 1
            changed = bytearray(packet)
            changed[chance.randrange(_IP_HEADER, len(packet))] ^= 1 << chance.randrange(8)
            packet = bytes(changed)
        copies = 1 + (chance.random() < weather.doubling)
        counts["doubled"] += copies - 1
        at = time.monotonic() + weather.delay_s * chance.uniform(0.5, 1.5)
        for _ in range(copies):
            self.number += 1
            heapq.heappush(self.waiting, (at, self.number, end, packet))

    def _deliver(self) -> None:
        while self.waiting and self.waiting[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(self.waiting)
            with suppress(OSError):  # a full queue of the device is one more lost packet
                os.write(end, packet)
                self.tunnel.counts["carried"] += 1


_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), what)


def _enter(space: int) -> None:
    _check(_LIBC.setns(space, _NEW_NETWORK), "setns")


def _tun() -> int:
    """Return a new TUN device of the calling thread's namespace."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, _IFREQ.pack(_DEVICE.encode(), _TUN_WITHOUT_HEAD))
    return end
