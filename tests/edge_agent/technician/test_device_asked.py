"""What a technician is asked about a new device, and what the answers come to."""

import asyncio
import os
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from edge_agent.clock import SystemClock
from edge_agent.errors import OperatorError
from edge_agent.technician.adding import Wish, wished
from edge_agent.technician.comparing import Panel, settled
from edge_agent.technician.placing import Site
from tests.edge_agent.technician.gateway import KNOWN, OPEN, cdab, gateway
from tests.edge_agent.technician.registers import holding

pytestmark = pytest.mark.asyncio


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return gateway(tmp_path, OPEN)


class Scripted:
    """A technician who answers by the first word of what is asked."""

    is_there = True

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.told: list[str] = []

    def tell(self, text: str) -> None:
        self.told.append(text)

    def ask(self, question: str) -> str:
        self.told.append(question)
        found = [said for start, said in self.answers.items() if start in question]
        assert len(found) <= 1, question
        return found[0] if found else ""


ASKED = {
    "profile": "acme/float",
    "answer": "",
    "called": "stack-1",
    "points": "v0 v1 v2",
    "panel": "v0=118.3",
    "Who": "A. Tech",
}
NOTHING = Wish(name=None, profile=None, endpoint=None, keys=(), channels=())


async def test_everything_can_be_asked(config: Path) -> None:
    site = Site.of(config, os.environ)
    async with holding(cdab) as port:
        person = Scripted(**{**ASKED, "answer": f"tcp://127.0.0.1:{port}"})
        new = await asyncio.to_thread(wished, NOTHING, site, person)
        nothing = Panel(values={}, units={})
        found = await asyncio.to_thread(
            lambda: settled(new.subject, nothing, person, who=None, clock=SystemClock())
        )
    assert [channel.point for channel in new.subject.settings.channels] == ["v0", "v1", "v2"]
    assert str(found.way) == "CDAB"
    assert {one.who for one in found.stated} == {"A. Tech"}


async def test_a_key_that_is_wrong_is_asked_again_with_what_is_wrong(config: Path) -> None:
    site = Site.of(config, os.environ)
    wish = Wish(name="d", profile="acme/float", endpoint="mqtt://h:1", keys=(), channels=("v0",))
    person = Scripted(**{"endpoint =": "tcp://10.0.0.1"})
    new = await asyncio.to_thread(wished, wish, site, person)
    assert new.subject.settings.endpoint == "tcp://10.0.0.1"
    assert any("does not say where the device answers" in text for text in person.told)


async def test_who_says_nothing_stops_it(config: Path) -> None:
    with pytest.raises(OperatorError, match="no answer to: Which profile"):
        await asyncio.to_thread(wished, NOTHING, Site.of(config, os.environ), Scripted())


async def test_what_a_profile_leaves_to_the_site_is_asked(tmp_path: Path) -> None:
    config = gateway(tmp_path, KNOWN)
    site = Site.of(config, os.environ)
    wish = Wish(
        name="gm32",
        profile="sick/gm32",
        endpoint="tcp://10.0.0.1",
        keys=('word_order="ABCD"', 'addressing="zero_based"'),
        channels=("component.3.value",),
    )
    person = Scripted(parameter="SO2", unit="mg/m3")
    new = await asyncio.to_thread(wished, wish, site, person)
    (channel,) = new.subject.settings.channels
    assert (channel.parameter, channel.unit_of_measure) == ("SO2", "mg/m3")


async def test_a_unit_that_people_can_change_is_asked_for(tmp_path: Path) -> None:
    text = KNOWN.replace('resolution = "0.01"', 'resolution = "0.01"\nunit_is_selectable = true')
    site = Site.of(gateway(tmp_path, text), os.environ)
    nothing = Panel(values={}, units={})
    async with holding(cdab) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        wish = Wish(name="d", profile="acme/float", endpoint=endpoint, keys=(), channels=("v0",))
        subject = (await asyncio.to_thread(wished, wish, site, Scripted())).subject
        yes = Scripted(**{"show ppm for v0": "yes", "Who": "A. Tech"})
        found = await asyncio.to_thread(
            lambda: settled(subject, nothing, yes, who=None, clock=SystemClock())
        )
        with pytest.raises(OperatorError, match="nobody has seen ppm on its front panel"):
            await asyncio.to_thread(
                lambda: settled(subject, nothing, Scripted(), who="A", clock=SystemClock())
            )
    assert [one.how for one in found.stated] == ["the front panel shows ppm"]


async def test_a_way_that_only_a_person_can_tell_is_asked_for(config: Path) -> None:
    site = Site.of(config, os.environ)
    async with holding(cdab) as port:
        endpoint = f"tcp://127.0.0.1:{port}"
        wish = Wish(name="d", profile="acme/float", endpoint=endpoint, keys=(), channels=("v0",))
        subject = (await asyncio.to_thread(wished, wish, site, Scripted())).subject
        same = Panel(values={1: Decimal("118.3")}, units={})
        found = await asyncio.to_thread(
            lambda: settled(subject, same, Scripted(), who="A", clock=SystemClock())
        )
        assert str(found.way) == "CDAB"
        other = Panel(values={1: Decimal(7)}, units={})
        for person, told in (
            (Scripted(Which="ABDC"), "'ABDC' is none of them"),
            (Scripted(Which="CDAB"), "the panel shows 7, the gateway reads 118.25"),
        ):
            with pytest.raises(OperatorError, match=told):
                await asyncio.to_thread(
                    partial(settled, subject, other, person, who="A", clock=SystemClock())
                )
