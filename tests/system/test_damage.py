"""Damaged buffers: in-process by the dozen, and once with the whole agent and a centre.

DAMAGE_IMAGES raises the count, DAMAGE_SEED repeats a run.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from tests.system.campaign import budgets, seed_in_test
from tests.system.damage import campaign, verdict
from tests.system.evidence import Witness, rows
from tests.system.installation import Installation, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUDGETS = {budget.name: budget for budget in budgets()}
LIMIT_S = 90.0


@pytest.mark.timeout(300)
def test_starts_on_damaged_images_bring_back_what_is_intact(tmp_path: Path) -> None:
    count = int(os.environ.get("DAMAGE_IMAGES", BUDGETS["damage"].test))
    seed = seed_in_test("damage", "DAMAGE_SEED")
    print(f"damage: {count} images, seed {seed}")
    report = campaign(count, seed=seed, folder=tmp_path)
    print(json.dumps(report))
    assert report["is_good"], json.dumps(report, indent=1)
    assert report["images"] == count


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a campaign of one image."""
    folder = tmp_path_factory.mktemp("judged")
    assert campaign(1, seed=1, folder=folder)["is_good"]
    return folder


def _without(frames: bytes, index: int) -> bytes:
    """Return frames without one of them."""
    each: list[bytes] = []
    while frames:
        size = 4 + int.from_bytes(frames[:4], "little")
        each.append(frames[:size])
        frames = frames[size:]
    del each[index]
    return b"".join(each)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        pytest.param(lambda frames: frames[:-1] + bytes([frames[-1] ^ 1]), "invalid", id="a bit"),
        pytest.param(lambda frames: frames[: len(frames) // 2], "invalid", id="half a frame"),
        # Behind it are only the two batches that the start and the salvage made.
        pytest.param(lambda frames: _without(frames, -3), "silently_lost", id="all but one"),
        pytest.param(lambda _: b"", "salvaged_share", id="nothing"),
    ],
)
def test_the_judge_sees_what_is_wrong_and_what_is_missing(
    judged: Path, change: Callable[[bytes], bytes], found: str
) -> None:
    uploaded = judged / "uploaded0"
    frames = uploaded.read_bytes()
    uploaded.write_bytes(change(frames))
    report = verdict(judged / "images.jsonl")
    uploaded.write_bytes(frames)
    assert report["exit_code"] == 1
    assert report[found] == 0 if found == "salvaged_share" else report[found]


@pytest.mark.system
@pytest.mark.timeout(300)
def test_an_agent_whose_buffer_is_damaged_delivers_what_is_left_and_tells_what_is_not(
    tmp_path: Path,
) -> None:
    with Installation(tmp_path / "installation", seed=7) as one:
        one.install(one.centre_port)
        witness = Witness(one)
        one.start_agent()
        wait_until("batches wait", lambda: witness.look() >= 9, limit_s=LIMIT_S)
        one.kill("agent")
        witness.look()
        _harm(one.buffer)
        one.start_centre()
        one.start_agent()
        aside = one.buffer.parent / "quarantine"
        wait_until(
            "it is set aside", lambda: aside.exists() and one.buffer.exists(), limit_s=LIMIT_S
        )

        def is_told() -> bool:
            one.check_running()
            witness.look()
            return witness.unreceipted() <= 1 and _count(one.centre_file, TOLD) > 0

        wait_until("the loss is told and nothing waits", is_told, limit_s=LIMIT_S)
        assert one.stop("agent") == 0
        witness.look()
        report = witness.verdict()
        assert report["lost_committed"] == report["invalid"] == report["duplicates"] == 0, report
        chains = rows(one.centre_file, "SELECT count(*) FROM batch GROUP BY chain_id")
        assert len(chains) == 2
        assert _count(one.centre_file, HELD) <= 1  # of the new chain: that of the old is lost


# Batch 7 is harmed.
TOLD = "SELECT count(*) FROM loss WHERE 7 BETWEEN first_batch AND last_batch"
HELD = "SELECT count(*) FROM batch WHERE batch_no = 7"
HARMED = "SELECT header FROM batch WHERE batch_no = 7"


def _harm(buffer: Path) -> None:
    """Change a header in every copy of a batch, and let the beginning of the files be noise."""
    ((header,),) = rows(buffer, HARMED)
    assert isinstance(header, bytes)
    part = header[160:176]  # of payload_sha256
    for suffix in ("", "-wal"):
        file = buffer.with_name(buffer.name + suffix)
        if file.exists():
            content = file.read_bytes().replace(part, bytes(len(part)))
            file.write_bytes(b"\xa5" * 64 + content[64:])


def _count(path: Path, query: str) -> int:
    counted = rows(path, query)
    return int(str(counted[0][0])) if counted else 0
