"""How long an auditor takes for the year of a gateway, against bare signature checks.

A gateway-year is 525,600 one-minute batches of 20 channels at 1 s, 631 million readings
(reliability goal: less than 15 minutes on two cores). The floor is what no auditor can leave out:
two Ed25519 verifications a batch, gateway's and centre's, with the same library and ready keys.
Times are of the processor: one process does it, and waits for nothing but the archive's files.
"""

import tempfile
from pathlib import Path
from time import process_time
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_sync.audit.source import FolderSource
from central_sync.audit.verify import Audit
from tests.bench.figure import Figure
from tests.bench.subject import workplace
from tests.central_sync.evaluate.signing_gateway import Centre
from tests.central_sync.furnished import chain_of, export, register
from tests.central_sync.ingest.signed_chain import TEN, S, rows_at

BATCHES: Final = 1500
SCANS: Final = 60
CHANNELS: Final = 20
A_YEAR: Final = 525_600
GOAL_MIN: Final = 15.0
HEADER: Final = bytes(345)


def measure() -> list[Figure]:
    """Return minutes for a year, with and without readings, and both against the floor."""
    with tempfile.TemporaryDirectory(dir=workplace()) as name:
        archive = _archive(Path(name))
        bare_s = _bare_s()
        signatures_s = _verified_s(archive, has_content=False)
        whole_s = _verified_s(archive, has_content=True)
    note = f"{BATCHES} batches of {SCANS * CHANNELS} readings, one process"
    return [
        Figure(
            name="a gateway-year, signatures, chains and log alone",
            measured=signatures_s * A_YEAR / 60,
            unit="min",
            bound=GOAL_MIN,
            note=f"{1 / signatures_s:.0f} batches/s; {note}",
        ),
        Figure(
            name="the same with every reading unpacked and hashed",
            measured=whole_s * A_YEAR / 60,
            unit="min",
            bound=GOAL_MIN,
            note=f"{1 / whole_s:.0f} batches/s; {note}",
        ),
        Figure(
            name="signatures alone / two bare Ed25519 verifications a batch",
            measured=signatures_s / bare_s,
            unit="x",
            note=f"bare {1 / bare_s:.0f} batches/s",
        ),
    ]


def _archive(folder: Path) -> Path:
    """Return an archive of a gateway."""
    centre = Centre(folder / "state")
    chain = chain_of(1)
    register(centre, chain)
    for number in range(BATCHES):
        at = [TEN + (number * SCANS + scan) * S for scan in range(SCANS)]
        centre.take(chain.batch(rows_at(at, channels=CHANNELS)))
    export(centre, folder / "archive")
    centre.close()
    return folder / "archive"


def _verified_s(archive: Path, *, has_content: bool) -> float:
    """Return the seconds that the auditor takes for a batch."""
    began_s = process_time()
    report = Audit(FolderSource(archive), has_content=has_content).run()
    taken_s = process_time() - began_s
    if not report.is_passed:
        raise RuntimeError(f"the archive does not hold: {report.findings}")
    return taken_s / report.counts.batches


def _bare_s() -> float:
    """Return the seconds of two bare verifications."""
    key = Ed25519PrivateKey.from_private_bytes(bytes(32))
    signature, public = key.sign(HEADER), key.public_key()
    began_s = process_time()
    for _ in range(2 * BATCHES):
        public.verify(signature, HEADER)
    return (process_time() - began_s) / BATCHES
