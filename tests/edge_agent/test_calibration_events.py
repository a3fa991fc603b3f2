"""A check of an analyzer is in the portion of the readings that it began and ended with."""

from dataclasses import replace

import numpy as np

from edge_agent.config.device import Calibration, Device, Endpoint, Point, StatusRule, Table
from edge_agent.config.device_parts import Limits
from edge_agent.config.protocols.modbus import ModbusSpeech, Register
from edge_agent.pipeline import Intake
from edge_agent.quality.judge import Judge
from edge_agent.wire.bundle import ChannelRow
from edge_agent.wire.readings import Scan
from edge_agent.wire.vocabulary import Phase, QualityClass
from tests.edge_agent.line import S, SteppedClock

PLACE = Register(table=Table.INPUT, address=0)
DEVICE = Device(
    name="analyzer",
    endpoint=Endpoint(scheme="tcp", host="127.0.0.1", port=502),
    speech=ModbusSpeech(unit_id=1, max_registers_per_read=125, unreadable=()),
    period_s=1.0,
    timeout_s=0.5,
    points=(Point(channel=7, place=PLACE, raw_type="int16", status=PLACE),),
    channels=(
        ChannelRow(
            channel=7,
            name="NOx",
            facility="plant",
            device="analyzer",
            parameter="NOx",
            unit_of_measure="ppm",
            raw_type="int16",
            word_order="ABCD",
            scale="1",
            offset="0",
            resolution="1",
            status_source="input:0",
            profile="example/analyzer",
            profile_hash="00" * 32,
        ),
    ),
    limits=(Limits(),),
    status_rules=(
        (StatusRule(mask=1, value=1, quality=QualityClass.FUNCTION_CHECK | Phase.ZERO_CHECK << 4),),
    ),
    calibrations=(Calibration(index=0),),
)


def scan(status: int) -> Scan:
    return Scan(
        device="analyzer",
        at_ns=1,
        mono_ns=1,
        channel=np.array([7], np.uint32),
        raw=np.array([3], np.int64),
        status=np.array([status], np.uint32),
        transport=np.zeros(1, np.uint32),
    )


def test_a_check_is_stored_with_the_readings_that_it_began_and_ended_with() -> None:
    clock = SteppedClock()
    judges = {"analyzer": Judge(replace(DEVICE), simulated=False)}
    intake = Intake(judges, clock=clock, commit_interval_s=10)

    for status, states in ((0, []), (1, ["begun"]), (1, []), (0, ["ended"]), (0, [])):
        clock.mono_ns += S
        intake.hand_over(scan(status))
        assert intake.waiting.is_urgent is bool(states)
        portion = intake.take()
        assert [event.type for event in portion.events] == ["calibration"] * len(states)
        assert [event.fields["state"] for event in portion.events] == states
        assert [event.fields["channels"] for event in portion.events] == [[7]] * len(states)
