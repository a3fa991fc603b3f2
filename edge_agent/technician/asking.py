"""Asks the running agent over its Unix socket; nobody can give it orders there."""

import json
import socket
import struct
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from edge_agent.errors import ExitCode, OperatorError
from edge_agent.wire.canonical import JsonValue

ANSWER_LIMIT_S: Final = 5.0
# unix(7), SO_PEERCRED: pid, uid and gid of who listens, as they were when it began to.
_PEER: Final = struct.Struct("3i")

Answer = dict[str, JsonValue]


def asked(path: Path | None, page: str = "/v1/status") -> Answer | None:
    """Return the running agent's answer; None when no agent runs.

    Args:
        path: the socket; None: it has none.
        page: what is asked for.

    Raises:
        OperatorError: there is one, perhaps, but it cannot be asked or gives no answer.

    """
    if path is None:
        return None
    connection = _UnixConnection(path)
    try:
        connection.request("GET", page)
        reply = connection.getresponse()
        answer: Answer = json.loads(reply.read())
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except PermissionError as fault:
        raise OperatorError(
            f"{path}: this user may not ask the agent. Join the group of that socket, or use sudo",
            exit_code=ExitCode.PERMISSION,
        ) from fault
    except (OSError, HTTPException, ValueError) as fault:
        raise OperatorError(
            f"{path}: no status from there: {fault}. Look at the agent's log",
            exit_code=ExitCode.UNAVAILABLE,
        ) from fault
    finally:
        connection.close()
    return answer


def agent_pid(path: Path) -> int:
    """Return the process that listens at the socket.

    Raises:
        OSError: nobody does, or this user may not connect.

    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(ANSWER_LIMIT_S)
        caller.connect(str(path))
        peer = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    pid: int = _PEER.unpack(peer)[0]
    return pid


class _UnixConnection(HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("agent", timeout=ANSWER_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's path."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
