"""OPC UA, as the agent runs it: variables by the URI of their namespace, and how to reach them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_agent.config.place import Place, Speech


class Security(StrEnum):
    """How much of a session is protected (OPC 10000-7, security policies)."""

    NONE = "none"
    BASIC256SHA256 = "basic256sha256"


class Mode(StrEnum):
    """How the values of a server are got."""

    READ = "read"
    SUBSCRIBE = "subscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node(Place):
    """A variable: the URI of its namespace, because indices move, and its identifier.

    Attributes:
        namespace: URI; empty: namespace 0, of the OPC Foundation.
        identifier: as in OPC 10000-6 section 5.3.1.10: s=text, i=number, g=GUID or b=Base64.

    """

    namespace: str
    identifier: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What a protected session needs: who we are, and which server is the right one."""

    own_file: Path
    own_key_file: Path
    server_file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What a server is asked to do with the variables that are subscribed to.

    Attributes:
        interval_ms: so often it looks whether a variable has changed.
        queue_size: so many changes of one variable it keeps until they are fetched.

    """

    interval_ms: int
    queue_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTime:
    """How far the source timestamps of a server are believed.

    Attributes:
        ahead_s: so far may one be ahead of our clock.
        behind_s: so old may one be.

    """

    ahead_s: float
    behind_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OpcuaSpeech(Speech):
    """How a server is spoken to; devices of one endpoint agree on it.

    Attributes:
        certificates: of a session that is signed and encrypted with Basic256Sha256; None: one that
            is not protected at all.
        user: user name; None: anonymous.
        password_file: its password, where it has one.
        sampling: how the variables are subscribed to; None: they are read.
        time: how far source timestamps are believed; None: values bear the time of their arrival.

    """

    certificates: Certificates | None
    user: str | None
    password_file: Path | None
    sampling: Sampling | None = None
    time: SourceTime | None = None
