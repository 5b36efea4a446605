"""Judges how a request ended and who is at fault, by the status, by what the response said, and by who went away.

The status comes first, then words: the same status has several meanings, and some builds say one thing under several
statuses. An error inside a 200 is judged by its own words too; only what they leave open is `error_in_stream`.
"""

import re

from daemon.domain.event import Fault, Outcome
from daemon.domain.facts import ErrorFacts, ResponseFacts

Verdict = tuple[Outcome, Fault | None]

_CLIENT_CLOSED = 499
_CALLERS_REASONS = frozenset({"max_output_tokens", "steered", "interrupted"})
_WAITING = re.compile("All credentials for model ")
_NO_CREDENTIAL = re.compile("auth_(?:unavailable|not_found)")
_KIRO_QUOTA = re.compile("kiro: token is in cooldown")
_NO_CREDIT = re.compile("credit balance is too low", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"unknown provider for model |model is not supported"
    r"|model [`'\"]?[\w./:()-]+[`'\"]? (?:is not supported|does not exist|(?:is )?not found)",
    re.IGNORECASE,
)
_QUOTA_WORDS = frozenset({"insufficient_quota", "usage_limit_reached", "quota_exhausted"})
_STATUS_OF_WORD = {
    "model_cooldown": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    **dict.fromkeys(_QUOTA_WORDS, 429),
    "authentication_error": 401,
    "unauthenticated": 401,
    "billing_error": 402,
    "permission_error": 403,
    "permission_denied": 403,
    "model_not_found": 404,
    "not_found_error": 404,
    "not_found": 404,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "context_length_exceeded": 400,
    "context_too_large": 400,
    "request_too_large": 413,
}
"""What a word says where no status does: inside a stream that has begun."""


def classify(
    *,
    status: int | None,
    facts: ResponseFacts | None,
    upstream_fault: Fault | None = None,
    client_gone: bool = False,
    drained: bool = False,
    well_formed: bool = False,
) -> Verdict:
    """The outcome of a finished request and its fault. Ours (`denied`, `rejected_framing`) are not judged here.

    `status` is None when no response came; `facts` None when nothing could be read (another wire, an unknown coding);
    `upstream_fault` is what the upstream client raised, before or inside the response; `client_gone` says that the
    client went away first, `drained` that we cut it at the end of a drain; `well_formed` that the payload is known to
    be good, as a canary's.
    """
    if status == _CLIENT_CLOSED:
        return Outcome.CLIENT_ABORT, None
    if status is not None and status >= 400:
        return Outcome.FAILED, _fault_of(status, facts.error if facts else None, well_formed=well_formed)
    if facts is not None and facts.error is not None:
        return Outcome.FAILED, _fault_in_band(facts.error, well_formed=well_formed)
    if status is not None and facts is not None and facts.terminal:
        return _finished(facts)
    if drained:
        return Outcome.CUT_BY_DRAIN, None
    if client_gone:
        return Outcome.CLIENT_ABORT, None
    if upstream_fault is not None:
        return Outcome.FAILED, upstream_fault
    if status is None:
        return Outcome.FAILED, Fault.UPSTREAM_PROTOCOL
    is_unfinished = facts is not None and 200 <= status < 300
    return (Outcome.FAILED, Fault.TRUNCATED) if is_unfinished else (Outcome.OK, None)


def _finished(facts: ResponseFacts) -> Verdict:
    """A cut answer is truncated, unless the caller's own limit or word ended it."""
    if facts.incomplete and facts.finish_reason not in _CALLERS_REASONS:
        return Outcome.FAILED, Fault.TRUNCATED
    return Outcome.OK, None


def _fault_in_band(error: ErrorFacts, *, well_formed: bool) -> Fault:
    said = (_STATUS_OF_WORD.get(word) for word in _words(error))
    status = error.status or next((status for status in said if status), 500)
    fault = _fault_of(status, error, well_formed=well_formed)
    return Fault.ERROR_IN_STREAM if fault is Fault.PROVIDER_ERROR else fault


def _fault_of(status: int, error: ErrorFacts | None, *, well_formed: bool) -> Fault:
    error = error or ErrorFacts()
    match status:
        case 401:
            return Fault.CLIENT_UNAUTHORIZED if error.flat else Fault.PROVIDER_AUTH
        case 402:
            return Fault.PROVIDER_QUOTA
        case 403:
            return Fault.PROVIDER_AUTH
        case 406:  # iFlow, to an account that it does not serve any more
            return Fault.PROVIDER_ERROR
        case 408:
            return Fault.TRUNCATED if "stream closed before" in error.message else Fault.UPSTREAM_TIMEOUT
        case 429:
            return _fault_of_429(error)
    if status >= 500:
        return _fault_of_5xx(status, error)
    return _fault_of_4xx(error) or (Fault.TRANSLATION if well_formed else Fault.CLIENT_ERROR)


def _fault_of_429(error: ErrorFacts) -> Fault:
    words = _words(error)
    if "model_cooldown" in words or _WAITING.match(error.message):
        return Fault.LOCAL_COOLDOWN
    if _is_overloaded(error):
        return Fault.OVERLOADED
    return Fault.PROVIDER_QUOTA if _QUOTA_WORDS.intersection(words) else Fault.PROVIDER_RATE_LIMITED


def _fault_of_5xx(status: int, error: ErrorFacts) -> Fault:
    if _NO_CREDENTIAL.match(error.message):
        return Fault.NO_CREDENTIAL
    if _KIRO_QUOTA.match(error.message):
        return Fault.PROVIDER_QUOTA
    if _NO_MODEL.search(error.message):
        return Fault.MODEL_NOT_FOUND
    return Fault.OVERLOADED if status == 529 or _is_overloaded(error) else Fault.PROVIDER_ERROR


def _fault_of_4xx(error: ErrorFacts) -> Fault | None:
    """None where it is the payload's fault."""
    words = _words(error)
    if "api_key_invalid" in words:
        return Fault.PROVIDER_AUTH
    if _NO_CREDIT.search(error.message):
        return Fault.PROVIDER_QUOTA
    is_missing = {"model_not_found", "not_found_error", "not_found"}.intersection(words)
    return Fault.MODEL_NOT_FOUND if is_missing or _NO_MODEL.search(error.message) else None


def _is_overloaded(error: ErrorFacts) -> bool:
    return any("overloaded" in word for word in (*_words(error), error.message.lower()))


def _words(error: ErrorFacts) -> tuple[str, str]:
    return error.code.lower(), error.type.lower()
