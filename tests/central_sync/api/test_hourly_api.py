"""GET /v1/hourly: values as text, filters, pages, and what is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi import FastAPI

from central_sync.api import hourly, problem
from tests.central_sync.channels import NOX
from tests.central_sync.evaluate.signing_gateway import (
    GATEWAY,
    HOUR,
    MINUTE,
    TEN,
    Centre,
    SigningGateway,
    rows,
)
from tests.central_sync.pages.browser import Browser


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    """A centre with two hours of two channels."""
    made = Centre(tmp_path, now_ns=TEN + 2 * HOUR)
    gateway = SigningGateway(channels=(NOX, replace(NOX, channel=2, name="SO2")), simulated=True)
    made.register(gateway)
    for hour in range(2):
        readings = [
            (TEN + hour * HOUR + quarter * 15 * MINUTE, channel, 1000 * channel + hour)
            for quarter in range(4)
            for channel in (1, 2)
            if (hour, quarter, channel) != (1, 3, 2)
        ]
        made.take(gateway.batch(rows(readings), wall_ns=TEN + (hour + 1) * HOUR))
    made.take_bundle(gateway.bundle)
    made.compute()
    yield made
    made.close()


@pytest.fixture
def client(centre: Centre) -> Browser:
    """Somebody who asks."""
    app = FastAPI()
    problem.install(app)
    app.include_router(hourly.router(centre.store, centre.clock))
    return Browser(app)


def shown(client: Browser, **query: str | int) -> list[tuple[str, str, str | None]]:
    answer = client.get("/v1/hourly", params=query).json()
    return [(one["hour"], one["name"], one["value"]) for one in answer["values"]]


def test_the_last_day_is_shown_by_hour_and_channel(client: Browser) -> None:
    assert shown(client) == [
        ("2026-11-20T10:00:00Z", "NOX", "100.00"),
        ("2026-11-20T10:00:00Z", "SO2", "200.00"),
        ("2026-11-20T11:00:00Z", "NOX", "100.10"),
        ("2026-11-20T11:00:00Z", "SO2", None),
    ]


def test_a_value_comes_with_all_that_pins_it(client: Browser) -> None:
    one = client.get("/v1/hourly").json()["values"][0]
    assert one["gateway"] == str(GATEWAY)
    assert (one["is_valid"], one["is_provisional"], one["is_simulated"]) == (True, False, True)
    assert one["operating"] == {"source": "assumed", "minutes": [1, 1, 1, 1]}
    assert one["readings"]["used_by_quadrant"] == [1, 1, 1, 1]
    assert (one["sum"], one["resolution"], one["rounded_to"]) == ("4000", "1/10", "0.01")
    assert (one["revision"], one["kernel"], one["reason"]) == (1, "2", None)
    assert {len(value) for value in one["hashes"].values()} == {64}


def test_an_hour_without_a_value_says_why(client: Browser) -> None:
    one = client.get("/v1/hourly").json()["values"][3]
    assert one["value"] is None
    assert one["reason"].startswith("a quarter of the hour")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"channel": "NOX"}, 2),
        ({"channel": "2"}, 2),
        ({"channel": "CO"}, 0),
        ({"facility": "PLANT"}, 4),
        ({"facility": "OTHER"}, 0),
        ({"from": "2026-11-20T11Z"}, 2),
        ({"from": "2026-11-20T10Z", "to": "2026-11-20T11Z"}, 2),
        ({"from": "2026-11-20T10Z", "to": "2026-11-20T10Z"}, 0),
    ],
)
def test_filters_narrow_the_list(client: Browser, query: dict[str, str], count: int) -> None:
    assert len(shown(client, **query)) == count


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_pages_joined_are_the_whole_list(client: Browser, limit: int) -> None:
    whole = client.get("/v1/hourly").json()
    assert whole["next"] is None
    joined = []
    cursor = None
    while True:
        query = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/hourly", params=query).json()
        joined += page["values"]
        cursor = page["next"]
        if cursor is None:
            break
    assert joined == whole["values"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": "noon"}, "parameter"),
        ({"to": "2026-13-01"}, "parameter"),
        ({"from": "2026-10-01", "to": "2026-11-20"}, "range"),
        ({"from": "2026-11-21", "to": "2026-11-20"}, "range"),
        ({"cursor": "!"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"limit": 0}, "parameter"),
        ({"limit": 1001}, "parameter"),
    ],
)
def test_what_cannot_be_asked_is_a_problem_with_a_code(
    client: Browser, query: dict[str, str], code: str
) -> None:
    answer = client.get("/v1/hourly", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


@pytest.mark.parametrize(
    "query",
    [
        {"channel": "9" * 30},
        {"channel": "9" * 5000},
        {"from": "9999999-01-01", "to": "9999999-01-02"},
        {"from": "-9999999-01-01", "to": "-9999999-01-02"},
    ],
)
def test_numbers_that_no_database_has_find_nothing(client: Browser, query: dict[str, str]) -> None:
    answer = client.get("/v1/hourly", params=query)
    assert answer.status_code in {200, 422}
    assert not answer.json().get("values")


def test_a_store_that_cannot_be_read_asks_to_come_again(
    client: Browser, centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.store.close()
    answer = client.get("/v1/hourly")
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    assert int(answer.headers["retry-after"]) > 0
