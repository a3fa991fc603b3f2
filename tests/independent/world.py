"""A small healthy world for the checker's tests: plant, gateway and centre that agree.

One device with three channels, six polls in three batches; a test breaks one thing and writes it.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ewcheck.faults import Kind
from ewcheck.judge import Evidence, judged
from ewcheck.receipt import key_id
from forge import CONFIG, SECOND_NS, START_NS, Made, Row, batch, event, private_key, receipt

if TYPE_CHECKING:
    from pathlib import Path

    from forge import HeadFields

CHANNEL_MAP = {
    "devices": [
        {
            "device": "stack-1",
            "poll_channel": 3,
            "channels": {
                "1": {
                    "table": "input",
                    "address": 0,
                    "words": 2,
                    "status": {"table": "input", "address": 4},
                },
                "2": {"table": "input", "address": 4, "bit": 3},
                "3": {"table": "input", "address": 5, "words": 2},
                "4": {"table": "input", "address": 7, "words": 4},
            },
        }
    ]
}


KILL = ("from_ns", "at_ns", "to_ns")


def served(poll: int) -> dict[str, object]:
    """Return the plant's record of a poll: registers of a float, a status, a counter, a double."""
    words = struct.unpack(">2H", struct.pack(">f", poll * 1.5))
    wide = struct.unpack(">4H", struct.pack(">q", -poll))
    at_ns = START_NS + poll * SECOND_NS
    registers = [*words, 0, 0, 8 * (poll % 2), poll >> 16, poll & 0xFFFF, *wide]
    return {"device": "stack-1", "unit": 1, "poll": poll, "at_ns": at_ns, "registers": registers}


def scan(index: int, poll: int) -> list[Row]:
    """Return the rows that a gateway makes of a poll."""
    at_ns = START_NS + poll * SECOND_NS + 1_000
    float_bits = struct.unpack(">I", struct.pack(">f", poll * 1.5))[0]
    raws = (float_bits, poll % 2, poll, -poll)
    return [
        Row(index, channel, at_ns, poll, raw, 8 * (poll % 2) if channel == 1 else 0, 1 << 31)
        for channel, raw in enumerate(raws, 1)
    ]


def genesis_events(previous: object = None) -> list[object]:
    """Return the events with which a chain begins."""
    reason = "enrol" if previous is None else "fork"
    applied = event("config_applied", config_hash=CONFIG.hex())
    return [event("continue", reason=reason, previous=previous), applied]


@dataclass
class World:
    """The files of one judgement, as lists to be broken before they are written."""

    folder: Path
    centre: list[Made] = field(default_factory=list)
    buffer: list[tuple[Made, bool]] = field(default_factory=list)
    committed: list[dict[str, object]] = field(default_factory=list)
    plant: list[dict[str, object]] = field(default_factory=list)
    kills: list[tuple[int, int, int]] = field(default_factory=list)
    columns: dict[int, dict[str, object]] = field(default_factory=dict)
    receipts: dict[int, bytes] = field(default_factory=dict)
    at_tolerance_ns: int | None = SECOND_NS
    utc_minus_boottime_ns: int | None = None

    @classmethod
    def healthy(cls, folder: Path) -> World:
        """Return a world in which nothing is wrong."""
        first = batch([*scan(0, 1), *scan(1, 2)], genesis_events())
        second = batch([*scan(0, 3), *scan(1, 4)], [event("note", who="ä", text="\n")], first)
        third = batch([*scan(0, 5), *scan(1, 6)], [], second)
        world = cls(folder, centre=[first, second, third], plant=[served(p) for p in range(1, 7)])
        world.buffer = [(third, True)]
        world.commit(first, second, third)
        return world

    def commit(self, *made: Made) -> None:
        """Note batches as seen committed."""
        for each in made:
            self.committed.append(
                {
                    "chain": each.head.chain_id.hex(),
                    "batch_no": each.head.batch_no,
                    "batch_hash": each.batch_hash.hex(),
                }
            )

    def follow(self, made: Made) -> None:
        """Put a batch behind the centre's last, committed and gone from the buffer."""
        self.centre.append(made)
        self.commit(made)

    def last(self) -> Made:
        """Return the centre's last batch."""
        return self.centre[-1]

    def write(self) -> list[str]:
        """Write all files; return the command line that judges them."""
        folder = self.folder
        _write_centre(folder / "centre.db", self)
        _write_buffer(folder / "buffer.db", self.buffer)
        _write_lines(folder / "served.jsonl", self.plant)
        _write_lines(folder / "committed.jsonl", self.committed)
        _write_lines(
            folder / "kills.jsonl", [dict(zip(KILL, kill, strict=True)) for kill in self.kills]
        )
        (folder / "map.json").write_text(json.dumps(CHANNEL_MAP))
        for name, seed in (("gateway", 1), ("server", 9)):
            pem = private_key(seed).public_key()
            content = pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (folder / f"{name}.pem").write_bytes(content)
        options = {
            "--key": "gateway.pem",
            "--server-key": "server.pem",
            "--buffer": "buffer.db",
            "--committed": "committed.jsonl",
            "--served": "served.jsonl",
            "--map": "map.json",
            "--kills": "kills.jsonl",
        }
        words = [w for option, name in options.items() for w in (option, str(folder / name))]
        return [str(folder / "centre.db"), *words]

    def judged(self) -> dict[str, object]:
        """Write all files and return the report over them."""
        self.write()
        key, folder = private_key(1).public_key(), self.folder
        return judged(
            Evidence(
                centre=folder / "centre.db",
                keys={key_id(key): key},
                server_key=private_key(9).public_key(),
                buffers=[folder / "buffer.db"],
                journals=[folder / "committed.jsonl"],
                served=[folder / "served.jsonl"],
                channel_map=folder / "map.json",
                kills=folder / "kills.jsonl",
                at_tolerance_ns=self.at_tolerance_ns,
                utc_minus_boottime_ns=self.utc_minus_boottime_ns,
            )
        )


def faults(report: dict[str, object]) -> dict[str, object]:
    """Return the counts of a report that are not zero."""
    return {kind.value: report[kind.value] for kind in Kind if report[kind.value]}


def follow(
    world: World,
    rows: list[Row],
    *,
    poll: int | None = 7,
    header: HeadFields | None = None,
) -> None:
    """Let the centre have one more batch of these rows, and the plant have served `poll`."""
    if poll:
        world.plant.append(served(poll))
    made = batch(rows, [], world.last())
    world.follow(made.with_header(**header) if header else made)


def leave_a_poll_out(world: World) -> None:
    """Let the plant have served poll 7, which nobody has."""
    world.plant.append(served(7))


def gap(state: str, first: int, last: int | None, *, channel: int = 3) -> object:
    """Return a gap event from one poll's time to another's."""
    times = [None if p is None else str(START_NS + p * SECOND_NS) for p in (first, last)]
    fields = {"from_ns": times[0], "to_ns": times[1], "missed": 1, "reason": "no_answer"}
    return event("gap", state=state, channels=[channel], **fields)


def _write_lines(path: Path, lines: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))


def _insert(connection: sqlite3.Connection, row: dict[str, object]) -> None:
    marks = ", ".join("?" * len(row))
    names = ", ".join(row)
    statement = f"INSERT INTO batch ({names}) VALUES ({marks})"  # noqa: S608 - names of ours
    connection.execute(statement, tuple(row.values()))


def _write_centre(path: Path, world: World) -> None:
    """Write table batch as a centre keeps it, without the key that would refuse a second copy."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE batch (gateway_id BLOB, chain_id BLOB, batch_no INTEGER,"
            " batch_hash BLOB, verdict INTEGER, header BLOB, signature BLOB, body BLOB,"
            " receipt BLOB, received_ns INTEGER, at_min INTEGER, at_max INTEGER,"
            " record_count INTEGER)"
        )
        for index, made in enumerate(world.centre):
            times = [row.at for row in made.rows]
            row: dict[str, object] = {
                "gateway_id": made.head.gateway_id,
                **_common(made),
                "verdict": made.verdict,
                "receipt": world.receipts.get(index, receipt(made)),
                "received_ns": START_NS,
                "at_min": min(times, default=None),
                "at_max": max(times, default=None),
                "record_count": made.head.record_count,
            }
            _insert(connection, row | world.columns.get(index, {}))


def _common(made: Made) -> dict[str, object]:
    return {
        "chain_id": made.head.chain_id,
        "batch_no": made.head.batch_no,
        "batch_hash": made.batch_hash,
        "header": made.header,
        "signature": made.signature,
        "body": made.body,
    }


def _write_buffer(path: Path, held: list[tuple[Made, bool]]) -> None:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE batch (chain_id BLOB, batch_no INTEGER, batch_hash BLOB, header BLOB,"
            " signature BLOB, body BLOB, receipted INTEGER)"
        )
        for made, is_receipted in held:
            _insert(connection, _common(made) | {"receipted": int(is_receipted)})
