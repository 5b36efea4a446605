"""The small request that shows whether a client would come through, and what its answer says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.domain.event import Wire
from daemon.domain.probe import Reply
from daemon.logic.client_env import ClientSetup

REFUSED_KEY = (401, 403)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRequest:
    """It costs no tokens: a list of models, or for Amp who it is."""

    method: str = "GET"
    url: str
    headers: Mapping[str, str]


def first_request(setup: ClientSetup, key: str) -> FirstRequest:
    """With the base URL and in the way in which this family sends its key."""
    base = setup.base_url.rstrip("/")
    match setup.wire:
        case Wire.ANTHROPIC_MESSAGES:
            return FirstRequest(url=f"{base}/v1/models", headers={"X-Api-Key": key, "Anthropic-Version": "2023-06-01"})
        case Wire.GEMINI_GENERATE_CONTENT:
            return FirstRequest(url=f"{base}/v1beta/models", headers={"X-Goog-Api-Key": key})
        case Wire.OTHER:
            held = {"Authorization": f"Bearer {key}"}
            return FirstRequest(method="POST", url=f"{base}/api/internal?getUserInfo", headers=held)
        case _:
            return FirstRequest(url=f"{base}/models", headers={"Authorization": f"Bearer {key}"})


def is_our_proxy(health: Reply) -> bool:
    """Whether what answered `/health` is runbookd's proxy."""
    said = health.json()
    return health.ok and isinstance(said, dict) and {"version", "control", "upstream"} <= said.keys()


def trouble(setup: ClientSetup, reply: Reply, key_place: str) -> str:
    """Why the client would not work, with what to do; empty where it would. `key_place` says where its key stands."""
    if reply.status is None:
        return f"{setup.base_url} gives no answer ({reply.error})"
    if reply.status in REFUSED_KEY:
        return f"the key in {key_place} is refused ({_said(reply)}): name another variable with --key-from"
    if setup.wire is Wire.OTHER and reply.status == 404:
        return "the upstream serves nothing of Amp's (404 for /api/internal): Amp cannot work through it"
    if reply.status >= 500:
        return f"the upstream is down ({_said(reply)}): see runbookd doctor"
    return ""


def _said(reply: Reply) -> str:
    """The status and the first words of the reason; nothing of a body that is not an error's."""
    try:
        error = json.loads(reply.body)["error"]
        words = error if isinstance(error, str) else error["message"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"status {reply.status}"
    return f"status {reply.status}, {str(words)[:120]}"
