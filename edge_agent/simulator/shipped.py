"""What every server of the simulator starts from: a shipped profile, and a port."""

import socket
from importlib.resources import files

from edge_agent.config.library import SHIPPED, LoadedProfile, load_profile
from edge_agent.config.profile import Profile


def shipped(name: str) -> Profile:
    """Return a profile as it is shipped."""
    loaded = load_profile(files(SHIPPED) / f"{name}.toml", name)
    if not isinstance(loaded, LoadedProfile):
        raise TypeError(f"the shipped profile {name} is none: {loaded.findings}")
    return loaded.profile


def free_port(host: str) -> int:
    """Return a port that nobody listens at, for servers that do not tell which one they chose."""
    with socket.socket() as one:
        one.bind((host, 0))
        port: int = one.getsockname()[1]
        return port
