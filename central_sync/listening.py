"""The socket on which the centre listens."""

import socket

from central_sync.config import CentreSettings, ExitCode, OperatorError


def listening_socket(settings: CentreSettings) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        OperatorError: the port is in use (exit code 69) or may not be used (77).

    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(1024)
    except OSError as fault:
        listener.close()
        denied = isinstance(fault, PermissionError)
        raise OperatorError(
            f"listen: {settings.listen}: {fault.strerror}. Stop what listens there, or choose"
            " another port with --listen",
            exit_code=ExitCode.PERMISSION if denied else ExitCode.UNAVAILABLE,
        ) from fault
    return listener
