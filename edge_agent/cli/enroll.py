"""`edge-agent enroll URL`: become a gateway of a centre, with a one-time token from there.

Keys are made here and never leave. The centre is known by its pin before anything is sent to it,
the token included. Doing it again after a lost answer ends well: the keys stay the same.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from uuid import UUID

from edge_agent.cli.init import DEFAULT_SOCKET, DEFAULT_STATE, address
from edge_agent.clock import NS_PER_S, SystemClock
from edge_agent.config.model import DEFAULT_CONFIG, AgentFile
from edge_agent.config.settings import read_settings
from edge_agent.enrol.answers import Enrolled, Nonce, Refused
from edge_agent.enrol.centre import Centre
from edge_agent.enrol.code import Code, code_from
from edge_agent.enrol.first_config import FirstConfig
from edge_agent.enrol.remedies import refusal
from edge_agent.enrol.requests import ENROLMENTS, NONCES, enrolment
from edge_agent.errors import ExitCode, OperatorError
from edge_agent.identity import create_signing_key, credentials_folder, load_signing_key, wipe
from edge_agent.identity.key_file import PUBLIC, put_file
from edge_agent.identity.tls import TlsIdentity
from edge_agent.wire.signing import SigningKey

# A certificate is good from a day before it was made: a clock that is further off cannot use it.
CLOCK_OFF_S: Final = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the files of the gateway are; `gateway` is its UUID where it has one already."""

    config: Path
    key_file: Path
    tls_file: Path
    receipt_key_file: Path
    ca_file: Path
    gateway: UUID | None

    @property
    def waiting_tls_file(self) -> Path:
        """The TLS key until the centre has certified it: a second try brings the same."""
        return self.tls_file.with_name(f"{self.tls_file.name}.next")

    @classmethod
    def new(cls, config: Path, state: Path) -> Self:
        """Return the places of a gateway that is made now."""
        return cls(
            config=config,
            key_file=state / "gateway.key",
            tls_file=state / "tls.pem",
            receipt_key_file=config.parent / "centre-receipt.pem",
            ca_file=config.parent / "centre-ca.pem",
            gateway=None,
        )

    @classmethod
    def of(cls, config: Path, settings: AgentFile) -> Self:
        """Return the places that a configuration names."""
        gateway, centre = settings.gateway, settings.centre
        return cls(
            config=config,
            key_file=gateway.key_file,
            tls_file=centre.certificate_file or gateway.key_file.with_name("tls.pem"),
            receipt_key_file=centre.receipt_key_file,
            ca_file=centre.ca_file or config.parent / "centre-ca.pem",
            gateway=gateway.id,
        )


def main(arguments: Sequence[str]) -> int:
    """Enrol, write what came of it, say what comes next; return the exit code."""
    known = _parser().parse_args(arguments)
    places = _places(known)
    is_https = known.url.startswith("https:")
    code = code_from(known.token, known.pin, needs_pin=is_https and known.ca_file is None)
    if is_https and code.pin is None and known.ca_file is None:
        raise OperatorError(
            "no pin: it stands beside the token, or --ca-file says whom to believe",
            exit_code=ExitCode.USAGE,
        )
    centre = Centre(url=known.url, pin=code.pin, ca_file=known.ca_file)
    nonce = _nonce(centre)
    if known.dry_run:
        facts = {"centre": known.url, "config": str(places.config), "enrolled": False}
        print(json.dumps(facts) if known.json else _dry(places, known.url))
        return ExitCode.OK
    key, tls = _keys(places)
    enrolled = _enrolled(centre, code, nonce, (key, tls), places.gateway)
    facts = _written(known, places, enrolled, tls)
    facts["key_id"] = key.key_id.hex()
    print(json.dumps(facts) if known.json else _next_steps(facts, places))
    return ExitCode.OK


def _places(known: argparse.Namespace) -> Places:
    """Return where files are, or are going to be.

    Raises:
        OperatorError: there is a gateway already; or with --again there is none.

    """
    config: Path = known.config.absolute()
    if not config.exists():
        if known.again:
            raise OperatorError(f"{config}: is not there; leave out --again")
        return Places.new(config, known.state.absolute())
    settings = read_settings(config, environ={}, overrides={}).agent
    if settings is None:
        raise OperatorError(
            f"{config}: exists already, and cannot be read. edge-agent check says why",
            exit_code=ExitCode.CONFIGURATION,
        )
    if not known.again:
        raise OperatorError(
            f"{config}: exists already: this is gateway {settings.gateway.id}. --again enrols it"
            " anew with the keys it has; to make another gateway of it, move the file away",
            exit_code=ExitCode.CONFIGURATION,
        )
    return Places.of(config, settings)


def _nonce(centre: Centre) -> Nonce:
    """Return a nonce, if our clock agrees with the centre's within a day.

    Raises:
        OperatorError: it does not, or the centre cannot be asked.

    """
    nonce = centre.asked(NONCES, b"", Nonce.of)
    if isinstance(nonce, Refused):
        raise refusal(nonce)
    off_s = round((SystemClock().now().utc_ns - nonce.time_ns) / NS_PER_S)
    if abs(off_s) > CLOCK_OFF_S:
        words = "ahead of" if off_s > 0 else "behind"
        raise OperatorError(
            f"the clock of this machine is {abs(off_s)} s {words} the centre's. Set it (timedatectl"
            " set-time, or a time server), then do this again",
            exit_code=ExitCode.CONFIGURATION,
        )
    return nonce


def _keys(places: Places) -> tuple[SigningKey, TlsIdentity]:
    """Return the keys of this gateway; those that are missing are made and written."""
    credentials = credentials_folder()
    try:
        for path in (places.key_file, places.config):
            path.parent.mkdir(parents=True, exist_ok=True)
        (places.config.parent / "devices.d").mkdir(exist_ok=True)
    except OSError as fault:
        raise OperatorError(
            f"{fault.filename}: {fault.strerror}. --config and --state say where to write",
            exit_code=ExitCode.PERMISSION,
        ) from fault
    if places.key_file.exists():
        key = load_signing_key(places.key_file, credentials=credentials)
    else:
        key = create_signing_key(places.key_file)
    if places.waiting_tls_file.exists():
        return key, TlsIdentity.load(places.waiting_tls_file)
    tls = TlsIdentity.new()
    tls.save(places.waiting_tls_file)
    return key, tls


def _enrolled(
    centre: Centre,
    code: Code,
    nonce: Nonce,
    keys: tuple[SigningKey, TlsIdentity],
    gateway: UUID | None,
) -> Enrolled:
    body = enrolment(code.token, nonce.nonce, *keys, gateway)
    answer = centre.asked(ENROLMENTS, body, Enrolled.of)
    if isinstance(answer, Refused):
        raise refusal(answer)
    return answer


def _written(
    known: argparse.Namespace, places: Places, enrolled: Enrolled, tls: TlsIdentity
) -> dict[str, str | None]:
    """Write what the centre gave, the configuration last; return the facts."""
    is_https = known.url.startswith("https:")
    csr: Path | None = None
    if enrolled.certificate is not None:
        try:
            tls.certified(enrolled.certificate).save(places.tls_file)
        except ValueError as fault:
            raise OperatorError(
                f"{known.url}: what the centre sent is of no use: {fault}",
                exit_code=ExitCode.BAD_DATA,
            ) from fault
    elif is_https:
        csr = places.tls_file.with_suffix(".csr")
        put_file(csr, tls.csr.encode("ascii"), mode=PUBLIC)
        tls.save(places.tls_file)
    put_file(places.receipt_key_file, enrolled.receipt_keys.encode("ascii"), mode=PUBLIC)
    trust = enrolled.trust
    if trust is None and known.ca_file is not None:
        trust = known.ca_file.read_text(encoding="ascii")
    if trust is not None:
        put_file(places.ca_file, trust.encode("ascii"), mode=PUBLIC)
    elif is_https:
        raise OperatorError(
            "the centre's certificate is from elsewhere: bring the certificates to believe, and do"
            " this again with --ca-file",
            exit_code=ExitCode.CONFIGURATION,
        )
    if places.gateway is None:
        first = FirstConfig(
            gateway=enrolled.gateway,
            facility=enrolled.facility,
            url=known.url,
            simulated=known.simulated,
            key_file=places.key_file,
            buffer=places.key_file.with_name("buffer.db"),
            receipt_key_file=places.receipt_key_file,
            ca_file=places.ca_file if is_https else None,
            certificate_file=places.tls_file if is_https else None,
            socket=known.socket.absolute() if known.socket else DEFAULT_SOCKET,
        )
        put_file(places.config, first.text.encode(), mode=PUBLIC)
    wipe(places.waiting_tls_file)
    return {
        "gateway": str(enrolled.gateway),
        "name": enrolled.name,
        "facility": enrolled.facility,
        "config": str(places.config),
        "csr": None if csr is None else str(csr),
    }


def _next_steps(facts: dict[str, str | None], places: Places) -> str:
    lines = [
        f"enrolled: {facts['name']} of {facts['facility']} is gateway {facts['gateway']}",
        f"{facts['config']}: {'written' if places.gateway is None else 'left as it is'}",
    ]
    steps = ["edge-agent device add, for each device", "edge-agent check, then edge-agent run"]
    if places.gateway is not None:
        steps = ["systemctl restart edge-agent, if it runs: it holds the keys it began with"]
    if facts["csr"] is not None:
        add = f"have {facts['csr']} signed, with the name urn:uuid:{facts['gateway']}, and append"
        steps = [f"{add} the certificate to {places.tls_file}", *steps]
    lines += [f"{'next:' if not at else '':5} {at + 1}. {step}" for at, step in enumerate(steps)]
    return "\n".join(lines)


def _dry(places: Places, url: str) -> str:
    return (
        f"{url} is the centre of the pin, and its clock agrees\n"
        f"nothing was sent and nothing written; keys would be made in {places.key_file.parent}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-agent enroll", description=__doc__)
    parser.add_argument("url", type=address, help="https://... of the centre")
    parser.add_argument("--token", metavar="FILE", help="file with token and pin; - reads them")
    parser.add_argument("--pin", help="of the centre, as it stands beside the token")
    parser.add_argument("--ca-file", type=Path, help="believe the centre by these certificates")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help="agent.toml to write")
    parser.add_argument("--state", type=Path, default=DEFAULT_STATE, help="keys and buffer")
    parser.add_argument("--socket", type=Path, help="where `status` finds the running agent")
    parser.add_argument("--simulated", action="store_true", help="mark every reading as simulated")
    parser.add_argument("--again", action="store_true", help="enrol this gateway anew")
    parser.add_argument("--dry-run", action="store_true", help="look whether it would work")
    parser.add_argument("--json", action="store_true", help="print facts as JSON")
    return parser
