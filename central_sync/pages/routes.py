"""The addresses of the pages: `/`, `/gateways/{id}`, its data, and the static files."""

from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, JSONResponse

from central_sync.calc.clock_hours import DAY_NS, HOUR_NS
from central_sync.model import GatewayState, HourlyRevision
from central_sync.pages import assets
from central_sync.pages.channel_view import channel_views
from central_sync.pages.fleet_view import fleet_view, gateway_view
from central_sync.pages.gateway_view import channel_series, hour_marks
from central_sync.pages.parts import ThinnedParts
from central_sync.programs.plan import Plan
from central_sync.store.port import NowNs, Store
from edge_agent.wire.bundle import MAX_CHANNEL

HOURS_SHOWN: Final = (1, 6, 24)
WIDEST: Final = 2000
"""Buckets of one plot at most: more than a screen has pixels for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """What the pages are made of."""

    store: Store
    plan: Plan
    parts: Path
    now_ns: NowNs


def router(pages: Pages) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(include_in_schema=False)
    thinned = ThinnedParts(store=pages.store, folder=pages.parts)
    templates = Environment(
        loader=PackageLoader("central_sync.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.globals["asset"] = assets.address

    @routes.get("/")
    def fleet() -> Response:
        """Show all gateways."""
        view = fleet_view(pages.store.fleet(), now_ns=pages.now_ns())
        return _page(templates, "fleet.html", fleet=view)

    @routes.get("/gateways/{gateway_id}")
    def gateway(gateway_id: UUID) -> Response:
        """Show one gateway and its channels."""
        state = _state(pages.store, gateway_id)
        now_ns = pages.now_ns()
        day = (now_ns - DAY_NS, now_ns)
        channels = channel_views(_latest(pages, gateway_id, span=day), pages.plan)
        return _page(
            templates,
            "gateway.html",
            gateway=gateway_view(state, now_ns=now_ns),
            channels=channels,
            hours=HOURS_SHOWN,
            clocks=sorted({one.clock for one in channels}),
        )

    @routes.get("/gateways/{gateway_id}/series.json")
    def series(
        gateway_id: UUID,
        channel: Annotated[int, Query(ge=1, le=MAX_CHANNEL)],
        hours: Annotated[int, Query(ge=1, le=24)] = 24,
        width: Annotated[int, Query(ge=10, le=WIDEST)] = 600,
    ) -> Response:
        """Return the last hours of a channel, for its plot."""
        now_ns = pages.now_ns()
        span = (now_ns - hours * HOUR_NS, now_ns)
        drawn = channel_series(thinned, gateway_id, channel, span=span, width=width)
        latest = _latest(pages, gateway_id, span=span, channel=channel)
        return JSONResponse(
            {**drawn, "hours": hour_marks(latest)}, headers={"Cache-Control": "no-store"}
        )

    @routes.get("/static/{version}/{name}")
    def static(request: Request, version: str, name: str) -> Response:
        """Return a script or a stylesheet."""
        found = assets.answer(request, version, name)
        if found is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such file")
        return found

    return routes


def _page(templates: Environment, name: str, **shown: object) -> Response:
    html = templates.get_template(name).render(**shown)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


def _state(store: Store, gateway_id: UUID) -> GatewayState:
    for state in store.fleet():
        if state.gateway_id == gateway_id:
            return state
    raise HTTPException(HTTPStatus.NOT_FOUND, "no gateway of that id is registered")


def _latest(
    pages: Pages, gateway_id: UUID, *, span: tuple[int, int], channel: int | None = None
) -> list[HourlyRevision]:
    """Return the current values of a gateway's hours that share time with [from, to)."""
    found = pages.store.hourly(
        facility=None, channel=channel, from_ns=span[0] - HOUR_NS + 1, to_ns=span[1]
    )
    return [one for one in found if one.value.gateway_id == gateway_id]
