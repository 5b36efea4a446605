"""The way in: the environment that a client gets, and whether a request made with it reaches our proxy."""

import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException

from daemon import __version__
from daemon.adapters.config.settings import Settings
from daemon.domain.errors import Misuse, RunbookdError
from daemon.domain.probe import Reply
from daemon.logic.client_check import FirstRequest, first_request, is_our_proxy, trouble
from daemon.logic.client_env import KEY_VARIABLE, ClientSetup

AGENT = "runbookd-exec"
"""The name that events have of the small request."""
TIMEOUT_SECONDS = 10.0
LARGEST_BODY = 1 << 20
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
SEEN_SECONDS, POLL_SECONDS = 5.0, 0.1


class NoWayIn(RunbookdError):
    """A client that was started now would not come through our proxy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A client's key, and where it was found."""

    value: str
    place: str


def proxy_address(settings: Settings) -> str:
    """Where clients on this machine find our proxy, without a path."""
    host = settings.proxy_host
    return f"http://{EVERYWHERE.get(host, f'[{host}]' if ':' in host else host)}:{settings.proxy_port}"


def find_key(setup: ClientSetup, settings: Settings, named: str | None, environ: Mapping[str, str]) -> Key:
    """From the variable that was named, else from one that the client reads, else the daemon's own. Raises `Misuse`."""
    if named is not None:
        if not environ.get(named):
            raise Misuse(f"{named} is not set: it has to hold the client's key")
        return Key(value=environ[named], place=named)
    for name in (KEY_VARIABLE, *setup.keys):
        if environ.get(name):
            return Key(value=environ[name], place=name)
    if settings.upstream_api_key is None:
        raise Misuse(f"there is no key: set {KEY_VARIABLE}, or name the variable that holds it with --key-from")
    return Key(value=settings.upstream_api_key.get_secret_value(), place="RUNBOOKD_UPSTREAM_API_KEY")


def environment(setup: ClientSetup, key: Key, environ: Mapping[str, str]) -> dict[str, str]:
    """What the client is started with: its base URL, and the key in every variable that might be read for it."""
    alike = setup.keys if setup.family == "any" else setup.keys[:1]
    kept = {name: value for name, value in environ.items() if name not in setup.keys}
    return {**kept, **setup.environment, **dict.fromkeys((KEY_VARIABLE, *alike), key.value)}


def verify(setup: ClientSetup, url: str, key: Key) -> None:
    """Asks as the client would, by whichever way the environment sends it. Raises `NoWayIn`."""
    if not is_our_proxy(health := _ask(FirstRequest(url=f"{url}/health", headers={}))):
        why = health.error or f"status {health.status}, and not ours"
        raise NoWayIn(f"runbookd's proxy does not answer at {url} ({why}): start it with `runbookd run`{_detour()}")
    reply = _ask(first_request(setup, key.value))
    if wrong := trouble(setup, reply, key.place):
        raise NoWayIn(wrong)


def is_seen(latest: Callable[[], str | None], before: str | None) -> bool:
    """Whether the control plane tells of a newer event than before, within a few seconds."""
    end = time.monotonic() + SEEN_SECONDS
    while time.monotonic() < end:
        if latest() != before:
            return True
        time.sleep(POLL_SECONDS)
    return False


def _ask(request: FirstRequest) -> Reply:
    headers = {**request.headers, "User-Agent": f"{AGENT}/{__version__}", "Accept-Encoding": "identity"}
    body = b"{}" if request.method == "POST" else None
    asked = urllib.request.Request(request.url, data=body, headers=headers, method=request.method)
    try:
        with urllib.request.urlopen(asked, timeout=TIMEOUT_SECONDS) as answer:
            return Reply(status=answer.status, body=answer.read(LARGEST_BODY))
    except urllib.error.HTTPError as refused:
        with refused:
            return Reply(status=refused.code, body=refused.read(LARGEST_BODY))
    except (OSError, HTTPException) as error:
        return Reply(error=str(getattr(error, "reason", error)) or type(error).__name__)


def _detour() -> str:
    """A proxy of the environment's own is what mostly stands in the way of an address of this machine."""
    names = [name for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY") if os.environ.get(name)]
    return f"; {names[0]} is set: does NO_PROXY name this address?" if names else ""
