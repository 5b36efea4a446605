"""Errors as RFC 9457 problem documents, without a word about our insides."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from daemon.domain.errors import Conflict, Misuse, StoreFailure

log = logging.getLogger(__name__)


class BadParameter(Exception):
    """A query parameter that cannot be used; names it and says what would do."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: str) -> Response:
    """An `application/problem+json` response; `more` are extension members."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return Response(
        json.dumps(body, ensure_ascii=False), status, headers=headers, media_type="application/problem+json"
    )


def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = "There is nothing here." if error.status_code == 404 else error.detail
    return problem(error.status_code, detail, headers=error.headers)


def _bad_parameter(_: Request, error: Exception) -> Response:
    assert isinstance(error, BadParameter)
    return problem(400, str(error), parameter=error.name)


def _conflict(_: Request, error: Exception) -> Response:
    return problem(409, str(error))


def _misuse(_: Request, error: Exception) -> Response:
    return problem(400, str(error))


def _store_failure(_: Request, error: Exception) -> Response:
    log.warning("the store refused a reading door: %s", error)
    return problem(503, "The store does not answer; try again soon.", headers={"retry-after": "5"})


def _internal(_: Request, __: Exception) -> Response:
    return problem(500, "Something went wrong inside; the log says what.")


HANDLERS: dict[type[Exception], ExceptionHandler] = {
    HTTPException: _http,
    BadParameter: _bad_parameter,
    Conflict: _conflict,
    Misuse: _misuse,
    StoreFailure: _store_failure,
    Exception: _internal,
}
