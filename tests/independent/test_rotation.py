"""One signing key after another: what is learned from a signed event, and what is not believed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from checker import main
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from ewcheck.faults import Kind
from forge import CHAIN, GATEWAY, Made, batch, event, key_id, private_key, signed
from world import World, faults, genesis_events, scan, served

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD, NEW, STRANGE = 1, 2, 3
# Above and below the first chain: the checker must not depend on the order in which it finds them.
NEXT_CHAINS = (b"n" * 16, bytes(16))


def rotated(new: int = NEW, **changes: object) -> object:
    """Return the last event of a chain: the key of seed `new` follows, and has signed that."""
    key = private_key(new)
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    message = GATEWAY + CHAIN + key_id(private_key(OLD)) + spki
    fields: dict[str, object] = {
        "key": key_id(key).hex(),
        "proof": key.sign(b"EmissionWatch key rotation v1\x00" + message).hex(),
        "public_key": spki[12:].hex(),
    }
    return event("key_rotated", **(fields | changes))


def begun(previous: Made, *, chain: bytes = NEXT_CHAINS[0], new: int = NEW) -> Made:
    """Return the first batch of the next key's chain, with poll 7."""
    named = {
        "chain": previous.head.chain_id.hex(),
        "batch_no": previous.head.batch_no,
        "batch_hash": previous.batch_hash.hex(),
    }
    events = genesis_events(named)
    events[0] = event("continue", reason="key_rotation", previous=named)
    made = batch(scan(0, 7), events)
    head = replace(made.head, chain_id=chain, key_id=key_id(private_key(new)))
    return signed(head, made, seed=new)


def rotation(world: World, told: object, *, chain: bytes = NEXT_CHAINS[0]) -> Made:
    """Let a gateway change its key, and go on under the new one; return its last word before."""
    last = batch([], [told], world.last())
    world.follow(last)
    world.plant.append(served(7))
    world.follow(begun(last, chain=chain))
    return last


@pytest.mark.parametrize("chain", NEXT_CHAINS, ids=["found behind", "found before"])
def test_a_key_that_a_signed_event_brings_is_believed(tmp_path: Path, chain: bytes) -> None:
    world = World.healthy(tmp_path)
    rotation(world, rotated(), chain=chain)
    world.centre.sort(key=lambda made: made.head.chain_id)
    report = world.judged()
    assert faults(report) == {}, report["first_faults"]
    assert (report["rotations"], report["chains"], report["polls_found"]) == (1, 2, 7)


def test_a_key_is_learned_from_the_buffer_too(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    rotation(world, rotated())
    world.buffer += [(made, False) for made in (world.centre.pop(), world.centre.pop())]
    assert faults(world.judged()) == {}


def test_without_its_public_half_the_key_must_be_given(tmp_path: Path) -> None:
    world = World.healthy(tmp_path)
    told = rotated()
    assert isinstance(told, dict)
    del told["public_key"]
    rotation(world, told)
    command = world.write()
    assert main(command) == 1
    pem = private_key(NEW).public_key()
    path = tmp_path / "next.pem"
    path.write_bytes(pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert main([*command, "--key", str(path)]) == 0


def go_on_under_the_old_key(world: World) -> None:
    last = rotation(world, rotated())
    world.plant.append(served(8))
    world.follow(batch(scan(0, 8), [], last))


def go_on_under_the_new_key_in_the_old_chain(world: World) -> None:
    last = rotation(world, rotated())
    world.plant.append(served(8))
    made = batch(scan(0, 8), [], last)
    world.follow(signed(replace(made.head, key_id=key_id(private_key(NEW))), made, seed=NEW))


def forge_the_proof(world: World) -> None:
    rotation(world, rotated(proof="00" * 64))


def prove_for_another_key(world: World) -> None:
    other = rotated(STRANGE)
    assert isinstance(other, dict)
    rotation(world, rotated(public_key=other["public_key"]))


def let_another_key_begin(world: World) -> None:
    last = batch([], [rotated(STRANGE)], world.last())
    world.follow(last)
    world.plant.append(served(7))
    # Known from elsewhere: no strange signature, but not the one that was to follow.
    world.follow(batch([], [rotated()], world.centre[0]).with_header(batch_no=1))
    world.follow(begun(last))


def begin_without_a_rotation(world: World) -> None:
    world.plant.append(served(7))
    world.follow(begun(world.last()))


FORGED = [
    (go_on_under_the_old_key, {Kind.INVALID: 1}, "goes on behind key_rotated"),
    (go_on_under_the_new_key_in_the_old_chain, {Kind.INVALID: 1}, "another key within a chain"),
    (
        forge_the_proof,
        {Kind.INVALID: 2, Kind.LOST: 1, Kind.UNCOVERED: 1},
        "has not signed that it follows",
    ),
    (
        prove_for_another_key,
        {Kind.INVALID: 2, Kind.LOST: 1, Kind.UNCOVERED: 1},
        "brings another key than it names",
    ),
    (let_another_key_begin, {Kind.INVALID: 1}, "names another key to follow"),
    (
        begin_without_a_rotation,
        {Kind.INVALID: 1, Kind.LOST: 1, Kind.UNCOVERED: 1},
        "none of the gateway's",
    ),
]


@pytest.mark.parametrize(
    ("forge", "found", "words"), FORGED, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_forged_change_of_keys_is_found(
    tmp_path: Path, forge: Callable[[World], None], found: dict[str, int], words: str
) -> None:
    world = World.healthy(tmp_path)
    forge(world)
    report = world.judged()
    assert faults(report) == found, report["first_faults"]
    assert words in json.dumps(report["first_faults"])


@pytest.mark.parametrize("key", ["", "zz" * 32, 7])
def test_a_rotation_to_what_is_no_key_is_invalid(tmp_path: Path, key: object) -> None:
    world = World.healthy(tmp_path)
    world.follow(batch([], [rotated(key=key)], world.last()))
    assert "the next key is" in json.dumps(world.judged()["first_faults"])
