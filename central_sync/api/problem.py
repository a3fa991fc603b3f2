"""Errors as RFC 9457 problem details, with a `code` that does not change between releases."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from central_sync.store.port import StoreUnavailableError

MEDIA_TYPE = "application/problem+json"
STORE_RETRY_AFTER_S = 5


class ProblemError(Exception):
    """A request that cannot be answered as asked; becomes a problem document.

    `ends_connection`: what the sender still sends is not wanted.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        retry_after_s: int | None = None,
        ends_connection: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after_s = retry_after_s
        self.ends_connection = ends_connection

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        headers = {"Connection": "close"} if self.ends_connection else {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(self.retry_after_s)
        return headers


def problem(
    status: HTTPStatus, code: str, detail: str, *, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a problem document."""
    return JSONResponse(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": int(status),
            "code": code,
            "detail": detail,
        },
        status_code=status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def install(app: FastAPI) -> None:
    """Answer every error of the application as a problem document."""
    app.add_exception_handler(ProblemError, _of_ours)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_parameters)
    app.add_exception_handler(StoreUnavailableError, _of_store)


async def _of_ours(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, ProblemError)  # noqa: S101 - the handler is registered for it alone
    return problem(fault.status, fault.code, fault.detail, headers=fault.headers)


async def _of_http(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)  # noqa: S101 - the handler is registered for it alone
    status = HTTPStatus(fault.status_code)
    return problem(status, status.name.lower(), str(fault.detail), headers=fault.headers)


async def _of_store(_: Request, fault: Exception) -> Response:
    return problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "store",
        str(fault),
        headers={"Retry-After": str(STORE_RETRY_AFTER_S)},
    )


async def _of_parameters(_: Request, fault: Exception) -> Response:
    assert isinstance(fault, RequestValidationError)  # noqa: S101 - registered for it alone
    places = (
        f"{'.'.join(str(step) for step in error['loc'])}: {error['msg']}"
        for error in fault.errors()
    )
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "parameter", "; ".join(places))
