"""What the pages say, and what their plots are drawn from."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fastapi import FastAPI

from central_sync.pages import assets
from central_sync.pages.routes import Pages, router
from central_sync.programs.plan import Facility, Plan
from edge_agent.wire.frame import FrameFlag
from edge_agent.wire.vocabulary import NO_VALUE, Phase, QualityClass
from tests.central_sync.channels import FLAME, NOX
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    HOUR,
    MINUTE,
    SECOND,
    TEN,
    Centre,
    SigningGateway,
    rows,
)
from tests.central_sync.pages.browser import Browser

PAGES = Path(assets.__file__).parent
HERE = f"/gateways/{GATEWAY}"


@pytest.fixture
def client(centre: Centre) -> Browser:
    """A browser of the pages."""
    app = FastAPI()
    plan = Plan(facilities=(Facility(id="PLANT", utc_offset_minutes=-300),))
    pages = Pages(store=centre.store, plan=plan, parts=centre.settings.parts, now_ns=centre.clock)
    app.include_router(router(pages))
    return Browser(app)


def send(centre: Centre, gateway: SigningGateway) -> None:
    """Have the hour of 10:00 sent and computed: one reading a minute, some of them bad."""
    for first in range(0, 60, 10):
        made = rows(
            [(TEN + minute * MINUTE, 1, 1000 + minute) for minute in range(first, first + 10)]
        )
        if first == 20:
            made["quality"] = QualityClass.OUT_OF_SPECIFICATION
        if first == 30:
            made["quality"] = QualityClass.FUNCTION_CHECK | Phase.SPAN_CHECK << 4
        if first == 40:
            made["quality"] = QualityClass.FAILURE | NO_VALUE
        centre.take(gateway.batch(made, wall_ns=TEN + (first + 10) * MINUTE))
    centre.take_bundle(gateway.bundle)
    centre.compute()


def text_of(html: str) -> str:
    class Words(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.words: list[str] = []

        def handle_data(self, data: str) -> None:
            self.words += data.split()

    parser = Words()
    parser.feed(html)
    return " ".join(parser.words)


def test_a_fleet_without_gateways_says_what_to_do(tmp_path: Path) -> None:
    empty = Centre(tmp_path / "empty")
    app = FastAPI()
    app.include_router(
        router(Pages(store=empty.store, plan=Plan(), parts=tmp_path, now_ns=empty.clock))
    )
    assert "No gateway is registered yet" in text_of(Browser(app).get("/").text)
    empty.close()


def test_the_fleet_shows_every_gateway_the_worst_first(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    send(centre, gateway)
    other = SigningGateway(gateway_id=centre.store.gateways()[0].id)
    centre.store.add_gateway(
        other.position.chain_id, facility="<b>", name="kiln & mill", public_key=bytes(range(32))
    )
    html = client.get("/").text
    assert html.index("kiln &amp; mill") < html.index("stack 1")
    assert "&lt;b&gt;" in html
    words = text_of(html)
    assert "it has never sent anything" in words
    assert "Needs attention" in words
    assert "60" in words


def test_a_hole_is_shown_in_words(client: Browser, centre: Centre, gateway: SigningGateway) -> None:
    gateway.batch(rows([(TEN, 1, 1)]), wall_ns=TEN)
    late = gateway.batch(rows([(TEN + HOUR - SECOND, 1, 1)]), wall_ns=TEN + HOUR)
    centre.take(late, flags=FrameFlag.BEFORE_FOLLOWS_LATER)
    assert "1 hole in its chain: batches not received" in text_of(client.get("/").text)
    assert "1 hole in its chain" in text_of(client.get(HERE).text)


def test_a_gateway_shows_its_channels_on_the_facilitys_clock(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    gateway.channels, gateway.simulated = (NOX, FLAME), True
    send(centre, gateway)
    words = text_of(client.get(HERE).text)
    assert "stack 1" in words
    assert "local standard time, UTC\N{MINUS SIGN}05:00" in words
    assert "11-20 05:00\N{EN DASH}06:00" in words
    assert "simulated" in words
    assert "a quarter of the hour in which the unit operated has no usable reading" in words


def test_a_gateway_without_values_says_so(client: Browser) -> None:
    assert "No values in the last day" in text_of(client.get(HERE).text)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/gateways/00000000-0000-4000-8000-000000000009", 404),
        ("/gateways/stack-1", 422),
        (f"{HERE}/series.json", 422),
        (f"{HERE}/series.json?channel=4294967296", 422),
        (f"{HERE}/series.json?channel=1&hours=25", 422),
        (f"{HERE}/series.json?channel=1&width=1000000", 422),
        ("/static/0/style.css", 404),
        ("/static/0/passwd", 404),
    ],
)
def test_what_is_not_there_is_said(client: Browser, address: str, status: int) -> None:
    assert client.get(address).status_code == status


def test_the_plot_has_readings_bad_marks_and_hourly_values(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    send(centre, gateway)
    drawn = client.get(f"{HERE}/series.json", params={"channel": 1, "hours": 1}).json()
    good = [value for value in drawn["low"] if value is not None]
    assert good == [100 + minute / 10 for minute in [*range(20), *range(50, 60)]]
    assert drawn["low"] == drawn["high"]
    # Broken where nothing good came for half an hour.
    assert drawn["low"].count(None) == 1
    assert drawn["bad_low"] == [100 + minute / 10 for minute in range(20, 40)]
    assert drawn["bad_state"] == [3] * 10 + [2] * 10
    assert {state for *_, state in drawn["lane"]} == {2, 3, 4}
    (hour,) = drawn["hours"]
    # An hour with calibration: readings of two quarters, 15 minutes apart, are enough.
    assert (hour["start"], hour["value"], hour["used"]) == (TEN // 1_000_000, "102.45", 30)
    assert (hour["provisional"], hour["reason"]) == (False, None)


@pytest.mark.parametrize("width", [10, 37, 600, 2000])
def test_thinning_keeps_every_extreme(
    client: Browser, centre: Centre, gateway: SigningGateway, width: int
) -> None:
    readings = [(TEN + second * SECOND, 1, 1000) for second in range(0, 3600, 2)]
    readings[777] = (readings[777][0], 1, 60_000)
    readings[778] = (readings[778][0], 1, 0)
    centre.take(gateway.batch(rows(readings), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    query = {"channel": 1, "hours": 1, "width": width}
    drawn = client.get(f"{HERE}/series.json", params=query).json()
    assert len(drawn["time"]) <= width
    assert (min(drawn["low"]), max(drawn["high"])) == (0, 6000)
    assert drawn["to"] == (TEN + HOUR) // 1_000_000


def test_a_gateway_that_has_just_begun_fills_its_plot(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    began = TEN + HOUR - 10 * MINUTE
    centre.take(gateway.batch(rows([(began, 1, 5), (began + MINUTE, 1, 6)]), wall_ns=TEN + HOUR))
    centre.take_bundle(gateway.bundle)
    centre.compute()
    drawn = client.get(f"{HERE}/series.json", params={"channel": 1}).json()
    assert drawn["from"] == began // 1_000_000
    assert client.get(f"{HERE}/series.json", params={"channel": 7}).json()["time"] == []


def test_a_part_that_was_replaced_meanwhile_is_not_an_error(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    send(centre, gateway)
    for file in centre.settings.parts.iterdir():
        file.unlink()
    assert client.get(f"{HERE}/series.json", params={"channel": 1}).json()["time"] == []


@pytest.mark.parametrize("name", ["style.css", "live.js", "gateway.js", "plotly.min.js"])
def test_files_are_kept_by_their_hash(client: Browser, name: str) -> None:
    answer = client.get(assets.address(name))
    assert answer.status_code == 200
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    plain = client.get(assets.address(name), headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert "content-encoding" not in plain.headers


def test_an_asset_that_is_not_there_is_our_mistake() -> None:
    with pytest.raises(LookupError, match="no asset is called nothing"):
        assets.address("nothing")


def test_pages_hold_no_inline_script_or_style_and_load_nothing_from_elsewhere(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    send(centre, gateway)
    for address in ("/", HERE):
        html = client.get(address).text
        assert not re.search(r"<script(?![^>]*\ssrc=\"/static/)", html)
        assert not re.search(r"\son\w+=|<style|\sstyle=|javascript:", html)
        assert not re.search(r"(?:src|href)=\"(?!/|#|data:image/svg)", html)
    for script in PAGES.glob("static/*"):
        words = script.read_text()
        assert not re.search(r"https?://|\beval\(|new Function|innerHTML\s*=[^=]", words), script


def test_every_table_and_control_has_a_name_for_those_who_cannot_see(
    client: Browser, centre: Centre, gateway: SigningGateway
) -> None:
    send(centre, gateway)
    html = client.get(HERE).text
    assert html.startswith("<!doctype html>")
    assert '<html lang="en">' in html
    assert html.count("<h1>") == 1
    assert '<legend class="unseen">' in html
    for region in re.findall(r'<div class="scroll"[^>]*>', html):
        assert "aria-label=" in region
        assert "tabindex=" in region
