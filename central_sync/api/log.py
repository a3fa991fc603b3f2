"""GET /v1/log/...: the log for whoever watches it; everything is signed or proven, nothing secret.

Hashes and entries are base64 (RFC 4648 section 4), as in checkpoints.
"""

from base64 import b64encode
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from central_sync.api.problem import ProblemError
from central_sync.proofs.note import NoteKey
from central_sync.store.port import Store

MOST_ENTRIES: Final = 1000
LARGEST: Final = 2**63 - 1
NOTE_TYPE: Final = "text/plain; charset=utf-8"

Place = Annotated[int, Query(ge=0, le=LARGEST)]


class InclusionDocument(BaseModel):
    """The audit path of an entry, from its sibling upwards (RFC 6962 section 2.1.1)."""

    index: int
    size: int
    path: list[str]


class ConsistencyDocument(BaseModel):
    """The proof that one tree begins another (RFC 6962 section 2.1.2)."""

    old: int
    new: int
    path: list[str]


class EntriesDocument(BaseModel):
    """Entries in their order, from `start` on."""

    start: int
    entries: list[str]


def router(store: Store, key: NoteKey) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/v1/log")

    @routes.get("/key", response_class=Response)
    def public_key() -> Response:
        """Return the key that checkpoints are signed with, as tools for signed notes take it."""
        return Response(f"{key}\n", media_type=NOTE_TYPE)

    @routes.get("/checkpoint", response_class=Response)
    def checkpoint() -> Response:
        """Return the newest checkpoint, a signed note."""
        note = store.checkpoint()
        if note is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, "checkpoint", "none was signed yet")
        return Response(note, media_type=NOTE_TYPE)

    @routes.get("/entries")
    def entries(
        start: Place, count: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100
    ) -> EntriesDocument:
        """Return entries; fewer than asked for at the end of the log."""
        return EntriesDocument(start=start, entries=_texts(store.log_entries(start, count)))

    _add_proofs(routes, store)
    return routes


def _add_proofs(routes: APIRouter, store: Store) -> None:
    """Add the routes of proofs."""

    @routes.get("/proof/inclusion")
    def inclusion(index: Place, size: Place) -> InclusionDocument:
        """Return the proof that an entry stands in the tree of `size` entries."""
        try:
            path = store.inclusion_proof(index, size)
        except ValueError as fault:
            raise _no_such_tree(fault) from fault
        return InclusionDocument(index=index, size=size, path=_texts(path))

    @routes.get("/proof/consistency")
    def consistency(
        old: Annotated[int, Query(alias="from", ge=1, le=LARGEST)],
        new: Annotated[int, Query(alias="to", ge=1, le=LARGEST)],
    ) -> ConsistencyDocument:
        """Return the proof that the tree of `from` entries begins the tree of `to`."""
        try:
            path = store.consistency_proof(old, new)
        except ValueError as fault:
            raise _no_such_tree(fault) from fault
        return ConsistencyDocument(old=old, new=new, path=_texts(path))


def _no_such_tree(fault: ValueError) -> ProblemError:
    return ProblemError(HTTPStatus.NOT_FOUND, "log", str(fault))


def _texts(octets: Sequence[bytes]) -> list[str]:
    return [b64encode(one).decode() for one in octets]
