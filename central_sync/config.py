"""The centre's settings: TOML in, one frozen dataclass out, every problem reported at once.

Nothing is opened or created here. A flag wins over the environment, that over the file, that over
the defaults below; plan.toml (what the plants are) is read by `central_sync.programs`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import cattrs

from central_sync.errors import ExitCode, OperatorError
from central_sync.tls_settings import Tls, tls_problems

__all__ = ["CentreSettings", "ExitCode", "OperatorError", "Tls", "load_settings"]

DEFAULT_PORT: Final = 8080
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
# Variables that stand in for a key of the file, for containers (docs/configuration.md).
ENVIRONMENT: Final[Mapping[str, str]] = {
    "CENTRAL_SYNC_STATE": "state",
    "CENTRAL_SYNC_LISTEN": "listen",
    "LOG_LEVEL": "log_level",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one process takes at a time, and of one gateway in a minute.

    Beyond it a request is answered 503, or 429, and may come again.
    """

    connections: int = 1000
    body_timeout_s: float = 60.0
    bytes_in_flight: int = 128 * 1024 * 1024
    requests_per_minute: int = 600
    bytes_per_minute: int = 256 * 1024 * 1024

    def __post_init__(self) -> None:
        if not self.connections >= 1:
            raise ValueError("connections must be at least 1")
        if not self.body_timeout_s > 0:
            raise ValueError("body_timeout_s must be above 0")
        if not self.bytes_in_flight >= 64 * 1024 * 1024:
            raise ValueError("bytes_in_flight must be at least 67108864: the largest bundle")
        if not self.requests_per_minute >= 1:
            raise ValueError("requests_per_minute must be at least 1")
        if not self.bytes_per_minute >= 8 * 1024 * 1024:
            raise ValueError("bytes_per_minute must be at least 8388608: the largest request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessing:
    """How often the log is vouched for, and when batches move to segments."""

    checkpoint_interval_s: float = 3600.0
    seal_after_s: float = 86_400.0

    def __post_init__(self) -> None:
        if not 1 <= self.checkpoint_interval_s <= 86_400:
            raise ValueError("checkpoint_interval_s must be 1 to 86400")
        if not self.seal_after_s >= 60:
            raise ValueError("seal_after_s must be at least 60")


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreSettings:
    """All settings of the centre.

    Attributes:
        state: folder of the store, the receipt key and what is derived.
        listen: `host:port`; port 0 takes a free one. Not loopback: `tls` is demanded.
        allow_simulated: whether batches of a simulated plant are read.
        log_level: debug, info, warning or error.
        tls: how the service proves who it is.
        limits: what one process takes at a time.
        witness: checkpoints of the log, and sealing.

    """

    state: Path = Path("/var/lib/central-sync")
    listen: str = f"127.0.0.1:{DEFAULT_PORT}"
    allow_simulated: bool = False
    log_level: str = "info"
    tls: Tls | None = None
    limits: Limits = field(default_factory=Limits)
    witness: Witnessing = field(default_factory=Witnessing)

    @property
    def host(self) -> str:
        """The address to listen on."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port to listen on; 0 = any free one."""
        return int(self.listen.rpartition(":")[2])

    @property
    def database(self) -> Path:
        """The file of the embedded store."""
        return self.state / "centre.db"

    @property
    def parts(self) -> Path:
        """The folder of decoded readings."""
        return self.state / "parquet"

    @property
    def segments(self) -> Path:
        """The folder of sealed segments."""
        return self.state / "segments"

    @property
    def plan(self) -> Path:
        """What the plants are."""
        return self.state / "plan.toml"

    @property
    def receipt_key(self) -> Path:
        """The private key that signs receipts."""
        return self.state / "receipt.key"

    @property
    def log_key(self) -> Path:
        """The private key that signs checkpoints of the log."""
        return self.state / "log.key"

    @property
    def log_checkpoint(self) -> Path:
        """The newest checkpoint, outside the store that it vouches for."""
        return self.state / "log.checkpoint"


def load_settings(
    file: Path | None,
    *,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
) -> CentreSettings:
    """Return the settings.

    Args:
        file: TOML file; None = defaults. A file named and not there is an error.
        environ: environment variables.
        overrides: keys given as flags; None means not given.

    Raises:
        OperatorError: with every problem found, exit code 78.

    """
    given = {key: environ[name] for name, key in ENVIRONMENT.items() if environ.get(name)}
    if "log_level" in given:
        given["log_level"] = given["log_level"].lower()
    flags = {key: value for key, value in overrides.items() if value is not None}
    keys = _read(file) | given | flags
    from_environment = set(given.keys() - flags.keys())
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    converter.register_structure_hook(bool, _strict(bool, "true or false"))
    converter.register_structure_hook(int, _strict(int, "a whole number"))
    converter.register_structure_hook(float, _strict((int, float), "a number"))
    converter.register_structure_hook(str, _strict(str, "text"))
    converter.register_structure_hook_func(
        lambda kind: kind == tuple[str, ...], lambda value, _: _texts(value)
    )
    converter.register_structure_hook(Path, lambda value, _: _path(value, file))
    try:
        settings = converter.structure(keys, CentreSettings)
    except cattrs.ClassValidationError as errors:
        told = map(_told, cattrs.transform_error(errors, format_exception=_sentence))
        raise _refusal(list(told), file, from_environment) from errors
    problems = _problems(settings)
    if problems:
        raise _refusal(problems, file, from_environment)
    return settings


def is_loopback(host: str) -> bool:
    """Return whether an address cannot be reached from another machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _read(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as fault:
        raise OperatorError(
            f"{file}: cannot be read: {fault.strerror}", exit_code=ExitCode.CONFIGURATION
        ) from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise OperatorError(
            f"{file}: is not TOML: {fault}", exit_code=ExitCode.CONFIGURATION
        ) from fault


def _problems(settings: CentreSettings) -> list[str]:
    """Return what does not go together."""
    host, colon, port = settings.listen.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 65_536):
        return [f"listen: {settings.listen!r} must be host:port, for instance 127.0.0.1:8080"]
    problems = []
    if settings.log_level not in LOG_LEVELS:
        problems.append(f"log_level: {settings.log_level!r} must be one of {', '.join(LOG_LEVELS)}")
    if settings.tls is None and not is_loopback(settings.host):
        problems.append(
            f"tls: missing, and {settings.host} can be reached from other machines. Give"
            " tls.names, or tls.certificate and tls.key, or listen on 127.0.0.1 behind a proxy"
            " that has them"
        )
    return problems + ([] if settings.tls is None else tls_problems(settings.tls))


def _strict(kinds: type | tuple[type, ...], words: str):  # type: ignore[no-untyped-def] # noqa: ANN202 - cattrs' hook type is generic
    """Return a hook that takes a TOML value of the right kind and converts nothing."""

    def structure(value: object, kind: type) -> object:
        if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
            raise ValueError(f"{value!r} must be {words}")
        return value

    return structure


def _texts(value: object) -> tuple[str, ...]:
    """Return a list of texts; one text is not the list of its letters."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f"{value!r} must be a list of texts")
    return tuple(value)


def _path(value: object, file: Path | None) -> Path:
    """Return a path; relative ones in a file are relative to it."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} must be a path")
    return file.parent / value if file else Path(value)


def _sentence(fault: BaseException, _: type | None) -> str:
    if isinstance(fault, KeyError):
        return "missing"
    if isinstance(fault, cattrs.ForbiddenExtraKeysError):
        return "; ".join(_unknown(key, fault.cl) for key in sorted(fault.extra_fields))
    return str(fault)


def _unknown(key: str, kind: type) -> str:
    close = get_close_matches(key, [known.name for known in fields(kind)], n=1)
    hint = f". Did you mean {close[0]!r}?" if close else ""
    return f"{key}: unknown key{hint}"


def _refusal(problems: list[str], file: Path | None, from_environment: set[str]) -> OperatorError:
    places = (_placed(problem, file, from_environment) for problem in problems)
    return OperatorError(*places, exit_code=ExitCode.CONFIGURATION)


def _placed(problem: str, file: Path | None, from_environment: set[str]) -> str:
    """Return a problem with where its key was given."""
    key, _, sentence = problem.partition(": ")
    if key in from_environment:
        name = next(name for name, stands_for in ENVIRONMENT.items() if stands_for == key)
        return f"environment: {name}: {sentence}"
    return f"{file or 'settings'}: {problem}"


def _told(problem: str) -> str:
    """Return cattrs' "sentence @ $.a.b" as "a.b: sentence"."""
    sentence, _, place = problem.rpartition(" @ $")
    place = place.lstrip(".")
    return f"{place}: {sentence}" if place else sentence
