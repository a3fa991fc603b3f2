"""Scripts and stylesheets: ours from this package, plotly's from its own, each under its hash.

An address with the hash of its content may be kept by a browser for ever.
"""

import gzip
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

_OURS: Final = MappingProxyType(
    {
        "style.css": "text/css; charset=utf-8",
        "live.js": "text/javascript; charset=utf-8",
        "gateway.js": "text/javascript; charset=utf-8",
    }
)
_PLOTLY: Final = "plotly.min.js"
_KEEP: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is sent."""

    content: bytes
    packed: bytes
    media_type: str
    version: str


@cache
def asset(name: str) -> Asset | None:
    """Return a file by its name; None when there is none of that name."""
    if name == _PLOTLY:
        content = (files("plotly") / "package_data" / _PLOTLY).read_bytes()
        media_type = "text/javascript; charset=utf-8"
    elif name in _OURS:
        content = (files("central_sync.pages") / "static" / name).read_bytes()
        media_type = _OURS[name]
    else:
        return None
    return Asset(
        content=content,
        packed=gzip.compress(content, compresslevel=6, mtime=0),
        media_type=media_type,
        version=sha256(content).hexdigest()[:16],
    )


def address(name: str) -> str:
    """Return where a page finds a file.

    Raises:
        LookupError: there is no such file.

    """
    found = asset(name)
    if found is None:
        raise LookupError(f"no asset is called {name}")
    return f"/static/{found.version}/{name}"


def answer(request: Request, version: str, name: str) -> Response | None:
    """Return a file as an answer; None when there is none under that version."""
    found = asset(name)
    if found is None or found.version != version:
        return None
    headers = {"Cache-Control": _KEEP, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, media_type=found.media_type, headers=headers)
    return Response(found.content, media_type=found.media_type, headers=headers)
