"""What a subscription tells, as scans: each sample once, in order, at a time one can stand for."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clock import NS_PER_S, Instant
from edge_agent.config.device import Device, Endpoint, Point
from edge_agent.config.protocols.opcua import Node, OpcuaSpeech, SourceTime
from edge_agent.drivers.base import Loss
from edge_agent.drivers.opcua_samples import LOST, NOT_BELIEVED, OLD, Known, Samples
from edge_agent.drivers.opcua_values import BAD_NODE_ID_UNKNOWN, Word, is_overflow, words_of
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import NO_VALUE, QualityClass, Reason

CHANNELS = (3, 5, 8)
NOW = Instant(utc_ns=1_800_000_000 * NS_PER_S, mono_ns=500 * NS_PER_S)
LATER = Instant(utc_ns=NOW.utc_ns + NS_PER_S, mono_ns=NOW.mono_ns + NS_PER_S)
TIME = SourceTime(ahead_s=2, behind_s=3600)
OVERFLOW = 0x480
DEVICE = Device(
    name="server",
    protocol="opcua",
    endpoint=Endpoint(scheme="opc.tcp", host="127.0.0.1", port=4840),
    speech=OpcuaSpeech(certificates=None, user=None, password_file=None),
    period_s=1,
    timeout_s=0.5,
    points=tuple(
        Point(
            channel=channel,
            place=Node(namespace="", identifier=f"i={channel}"),
            raw_type="int64",
            status=None,
        )
        for channel in CHANNELS
    ),
    channels=(),
    limits=(),
    status_rules=(),
)


class Sample(NamedTuple):
    """One value of a variable: its place, and when it was taken."""

    place: int
    word: Word
    source_ns: int | None


def heard(
    known: Known, samples: Sequence[Sample], arrival: Instant
) -> tuple[list[Scan], list[Loss]]:
    """Let a device hear samples of one message."""
    place = np.array([sample.place for sample in samples], np.intp)
    source_ns = np.array([sample.source_ns or 0 for sample in samples], np.int64)
    words = words_of([sample.word for sample in samples])
    return known.hear(Samples(place, words, source_ns), arrival)


def word(raw: int, *, status: int = 0) -> Word:
    return Word(raw, status, 0)


def begun(time: SourceTime | None) -> Known:
    """Return a device whose variables have all spoken, and whose last words have been polled."""
    known = Known(DEVICE, time)
    heard(known, [Sample(place, word(0), None) for place in range(len(CHANNELS))], NOW)
    assert known.standing(NOW) is None
    return known


def rows(scans: Sequence[Scan], channel: int) -> list[tuple[int, int, int]]:
    """Return time, raw and transport of what is told of one channel."""
    return [
        (scan.at_ns, int(raw), int(transport))
        for scan in scans
        for number, raw, transport in zip(scan.channel, scan.raw, scan.transport, strict=True)
        if number == channel
    ]


@given(
    samples=st.lists(
        st.builds(
            Sample,
            st.integers(0, len(CHANNELS) - 1),
            st.builds(word, st.integers(-5, 5)),
            st.none() | st.integers(NOW.utc_ns - 5, NOW.utc_ns),
        ),
        max_size=20,
    ),
    time=st.sampled_from([None, TIME]),
)
def test_every_sample_is_told_once_and_in_its_order(
    samples: list[Sample], time: SourceTime | None
) -> None:
    scans, losses = heard(begun(time), samples, LATER)
    assert not losses
    for scan in scans:
        assert all(one < other for one, other in pairwise(scan.channel.tolist()))
    assert all(one.at_ns <= other.at_ns for one, other in pairwise(scans))
    for place, channel in enumerate(CHANNELS):
        said = [sample for sample in samples if sample.place == place]
        if time is not None:
            said.sort(key=lambda one: LATER.utc_ns if one.source_ns is None else one.source_ns)
        assert [raw for _, raw, _ in rows(scans, channel)] == [one.word.raw for one in said]


def test_a_sample_without_a_time_is_not_believed_where_times_are_trusted() -> None:
    scans, _ = heard(begun(TIME), [Sample(0, word(1), None)], LATER)
    assert rows(scans, 3) == [(LATER.utc_ns, 1, NOT_BELIEVED)]


def test_the_first_of_two_samples_is_old_where_its_time_cannot_be_believed() -> None:
    scans, _ = heard(begun(None), [Sample(0, word(1), 7), Sample(0, word(2), 8)], LATER)
    assert rows(scans, 3) == [(LATER.utc_ns, 1, OLD), (LATER.utc_ns, 2, 0)]


def test_the_limits_of_what_is_believed_belong_to_it() -> None:
    for away_ns, is_believed in (
        (2 * NS_PER_S, True),
        (2 * NS_PER_S + 1, False),
        (-3600 * NS_PER_S, True),
        (-3600 * NS_PER_S - 1, False),
    ):
        at_ns = LATER.utc_ns + away_ns
        scans, _ = heard(begun(TIME), [Sample(0, word(1), at_ns)], LATER)
        told = (at_ns, 1, 0) if is_believed else (LATER.utc_ns, 1, NOT_BELIEVED)
        assert rows(scans, 3) == [told]


def test_what_stands_when_a_subscription_begins_is_of_its_arrival_however_old_it_is() -> None:
    known = Known(DEVICE, TIME)
    scans, _ = heard(known, [Sample(1, word(4), 1)], NOW)
    assert rows(scans, 5) == [(NOW.utc_ns, 4, LOST)]


def test_a_variable_that_has_not_spoken_yet_has_no_value() -> None:
    known = Known(DEVICE, None)
    heard(known, [Sample(1, word(4), None)], NOW)
    assert not known.is_complete
    scan = known.standing(LATER)
    assert scan is not None
    nothing = int(QualityClass.FAILURE | NO_VALUE | Reason.COMMUNICATION)
    assert rows([scan], 3) == [(LATER.utc_ns, 0, nothing | LOST)]


def test_a_loss_is_told_with_the_next_word_of_each_variable_and_only_once() -> None:
    known = begun(None)
    known.lose()
    scans, _ = heard(known, [Sample(0, word(1), None)], LATER)
    assert rows(scans, 3) == [(LATER.utc_ns, 1, LOST)]
    first, second = known.standing(LATER), known.standing(LATER)
    assert first is not None
    assert second is not None
    assert first.transport.tolist() == [LOST, LOST]
    assert second.transport.tolist() == [0, 0, 0]


def test_an_overflow_is_a_loss_between_the_last_word_and_the_value_that_tells_it() -> None:
    known = begun(TIME)
    sample = Sample(2, word(1, status=OVERFLOW), LATER.utc_ns - 5)
    scans, (loss,) = heard(known, [sample], LATER)
    assert (loss.channels, loss.from_ns, loss.to_ns) == ((8,), NOW.utc_ns, LATER.utc_ns - 5)
    assert rows(scans, 8) == [(LATER.utc_ns - 5, 1, LOST)]


def test_only_the_bits_of_a_data_value_say_overflow() -> None:
    # OPC 10000-4 section 7.39.1: the info bits mean a DataValue only where bits 10 and 11 are 01.
    codes = np.array([0x480, 0x40900480, 0x80, 0x400, 0x880, 0xC80], np.uint32)
    assert is_overflow(codes).tolist() == [True, True, False, False, False, False]


def test_a_refused_variable_is_told_at_every_poll() -> None:
    known = begun(None)
    known.refuse(0, BAD_NODE_ID_UNKNOWN)
    heard(known, [Sample(1, word(1), None), Sample(2, word(2), None)], LATER)
    for _ in range(2):
        scan = known.standing(LATER)
        assert scan is not None
        assert 3 in scan.channel
        assert scan.status.tolist()[0] == BAD_NODE_ID_UNKNOWN
