"""A webhook: one POST of JSON by httpx, from the notifier's process."""

import ssl
from collections.abc import Mapping
from typing import Any

import httpx

from daemon.adapters.notify.outcome import LOOP, Outcome, noted, retry_after
from daemon.logic.addresses import is_http

TIMEOUT_SECONDS = 5.0
"""To connect, to write, and to wait for the next byte; the whole send has the deadline of the process."""
NO_ADDRESS = "is not an http(s) address"
REDIRECTED = "answered with a redirect, which is not followed"
TLS_FAILED = "TLS failed"
NO_ANSWER = "did not answer"
NOT_REACHED = "could not be reached"


def post(url: str, headers: Mapping[str, str], payload: Any) -> Outcome:
    """Without a payload nothing is sent. Never raises what httpx raises: its texts hold the URL. No body of an answer
    is read."""
    if not is_http(url):
        return Outcome(error=NO_ADDRESS)
    if payload is None:
        return Outcome()
    try:
        with (
            httpx.Client(trust_env=False, timeout=TIMEOUT_SECONDS, verify=httpx.create_ssl_context()) as client,
            client.stream("POST", url, headers=headers, json=payload) as answer,
        ):
            return _said(answer)
    except httpx.TimeoutException:
        return Outcome(error=NO_ANSWER, again=True)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as failure:
        return _failed(failure)


def _said(answer: httpx.Response) -> Outcome:
    if answer.is_success:
        return Outcome()
    if answer.is_redirect:
        return Outcome(error=REDIRECTED)
    seconds = retry_after(answer.status_code, answer.headers)
    is_passing = answer.status_code >= 500 and seconds is None
    return Outcome(error=f"answered {answer.status_code}", retry_after=seconds, again=is_passing)


def _failed(failure: Exception) -> Outcome:
    if noted.loop:
        return Outcome(error=LOOP)
    if isinstance(failure, httpx.InvalidURL | ValueError):
        return Outcome(error=NO_ADDRESS)
    cause: BaseException | None = failure
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Outcome(error=TLS_FAILED)
        cause = cause.__cause__ or cause.__context__
    return Outcome(error=NOT_REACHED, again=True)
