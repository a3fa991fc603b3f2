"""Who answers on a network or a line: the questions, bounded and known beforehand. Pure.

One question per address, and only such as read.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from edge_agent.config.endpoint import SerialLine
from edge_agent.config.profile import Profile
from edge_agent.config.protocols.registry import PROFILE_KINDS, profile_kind
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.wire.canonical import JsonValue

# So many questions at most, and so many at once on a network.
MOST_QUESTIONS: Final = 256
AT_ONCE: Final = 16
# What there is a question for, and where it is asked; a library loads when it is needed.
QUESTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "modbus": "edge_agent.technician.discovery_modbus:asked",
        "opcua": "edge_agent.technician.discovery_opcua:asked",
        "bayern_hessen": "edge_agent.technician.discovery_bayern_hessen:asked",
        "dnp3": "edge_agent.technician.discovery_dnp3:asked",
    }
)
# Asked for by name only: an outstation may drop its master for whoever connects.
UNUSUAL: Final = frozenset({"dnp3"})
# Who there can be on a serial line. Modbus over Serial Line V1.02, section 2.2: 1 to 247 are units,
# the others are reserved. Serinus 44 user manual 3.0, p. 168: ids have three digits.
# IEEE 1815-2012, section 9.2.4.1.3: 0 to 65,519 are outstations.
UNITS: Final[Mapping[str, range]] = MappingProxyType(
    {"modbus": range(1, 248), "bayern_hessen": range(1000), "dnp3": range(65_520)}
)


class Outcome(StrEnum):
    """What came of a question."""

    ANSWERS = "answers"
    OTHER = "answers otherwise"
    SILENT = "silent"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One address that is asked once.

    Attributes:
        protocol: in which it is asked.
        host: on a network; empty on a serial line.
        port: of the host.
        path: of the serial port.
        line: how octets go over it; None on a network.
        unit_id: which unit, or which instrument.

    """

    protocol: str
    host: str = ""
    port: int = 0
    path: str = ""
    line: SerialLine | None = None
    unit_id: int = 1

    @property
    def address(self) -> str:
        """The address as people write it."""
        if self.line is not None:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one question, and what the device says of itself, word by word."""

    question: Question
    outcome: Outcome
    says: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""

    def facts(self, profiles: Sequence[str]) -> dict[str, JsonValue]:
        """Return it for a program, with the profiles that may be meant."""
        return {
            "address": self.question.address,
            "unit_id": self.question.unit_id,
            "protocol": self.question.protocol,
            "outcome": str(self.outcome),
            "says": dict(self.says),
            "detail": self.detail,
            "profiles": list(profiles),
        }


def usual_protocols() -> Mapping[int, str]:
    """Return the protocol that is usual at a port, where there is a question for it."""
    return {
        scheme.port: protocol
        for protocol in PROFILE_KINDS
        if protocol in QUESTIONS and protocol not in UNUSUAL
        for scheme in profile_kind(protocol).SCHEMES.values()
        if scheme.port
    }


def tcp_questions(network: str, ports: str, *, unit_id: int) -> tuple[Question, ...]:
    """Return what is asked on a network.

    Args:
        network: an address, or several as 10.0.5.0/24.
        ports: separated by commas, each as PORT or PORT:PROTOCOL.
        unit_id: unit or instrument that is asked for.

    Raises:
        OperatorError: it cannot be understood, or is too much.

    """
    hosts = _hosts(network)
    wanted = [_port(word) for word in ports.split(",")]
    _refuse_too_much(len(hosts) * len(wanted))
    # Modbus Messaging on TCP/IP V1.0b, section 3.1.3: the unit identifier is one octet.
    if unit_id > 255 and any(protocol == "modbus" for _, protocol in wanted):
        raise _misunderstood("--unit", str(unit_id), "Modbus units are 0 to 255")
    if unit_id > 999 and any(protocol == "bayern_hessen" for _, protocol in wanted):
        raise _misunderstood("--unit", str(unit_id), "Bayern-Hessen instruments are 0 to 999")
    return tuple(
        Question(protocol=protocol, host=host, port=port, unit_id=unit_id)
        for host in hosts
        for port, protocol in wanted
    )


def serial_questions(
    path: str, line: SerialLine, units: str, *, protocol: str = "modbus"
) -> tuple[Question, ...]:
    """Return what is asked on a serial line; `units` is such as 1-16 or 1,5,7.

    Raises:
        OperatorError: there are no such units, or too many.

    """
    found: list[int] = []
    for word in units.split(","):
        first, dash, last = word.partition("-")
        last = last if dash else first
        if not first.isdecimal() or not last.isdecimal() or int(first) > int(last):
            raise _misunderstood("--units", units, "write units as 1-16 or 1,5,7")
        found += range(int(first), int(last) + 1)[: MOST_QUESTIONS + 1]
    known = UNITS[protocol]
    if any(unit not in known for unit in found):
        raise _misunderstood("--units", units, f"there are {known.start} to {known.stop - 1}")
    _refuse_too_much(len(found))
    return tuple(
        Question(protocol=protocol, path=path, line=line, unit_id=unit)
        for unit in dict.fromkeys(found)
    )


def matching(says: Mapping[str, str], protocol: str, known: Iterable[Profile]) -> tuple[str, ...]:
    """Return the profiles whose model a device names; it may name none."""
    told = f" {_plain(' '.join(says.values()))} "
    return tuple(
        profile.id
        for profile in known
        if profile.protocol == protocol
        and any(f" {_plain(model)} " in told for model in profile.model.split(","))
    )


def _plain(text: str) -> str:
    """Return a text as words in small letters: how a model is written varies."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _hosts(network: str) -> list[str]:
    try:
        addresses = ipaddress.ip_network(network, strict=False)
    except ValueError as error:
        raise _misunderstood("network", network, "write 10.0.5.20 or 10.0.5.0/24") from error
    if addresses.num_addresses > 2 * MOST_QUESTIONS:
        _refuse_too_much(addresses.num_addresses)
    return [str(address) for address in addresses.hosts()]


def _port(word: str) -> tuple[int, str]:
    text, _, protocol = word.strip().partition(":")
    if not text.isdecimal() or not 1 <= int(text) <= 65_535:
        raise _misunderstood("--ports", word, "a port is 1 to 65535")
    usual = usual_protocols()
    chosen = protocol or usual.get(int(text))
    if chosen is None or chosen not in QUESTIONS:
        known = ", ".join(QUESTIONS)
        raise _misunderstood("--ports", word, f"say what to ask there: {text}:PROTOCOL, of {known}")
    return int(text), chosen


def _refuse_too_much(count: int) -> None:
    if count > MOST_QUESTIONS:
        raise OperatorError(
            f"{count} questions; at most {MOST_QUESTIONS} are asked in one run, so that nobody's "
            "network is flooded. Ask for fewer addresses or ports",
            exit_code=ExitCode.USAGE,
        )


def _misunderstood(where: str, word: str, remedy: str) -> OperatorError:
    return OperatorError(
        f"{where}: '{word}' cannot be understood; {remedy}", exit_code=ExitCode.USAGE
    )
