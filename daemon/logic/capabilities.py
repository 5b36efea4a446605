"""Capabilities judged: what an upstream serves, shows and ignores, from its version and from what it answered."""

import re
from collections.abc import Iterable, Mapping

from daemon.domain.capabilities import INERT, Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.domain.probe import Reply
from daemon.logic.model_list import entries_of

STATUS, FIELDS, RESET_QUOTA = "auth-files/status", "auth-files/fields", "reset-quota"
PRIORITY = "priority"
EXCLUDED_MODELS, KIRO_QUOTA, KIRO = "oauth-excluded-models", "kiro-quota", "kiro"
SETTINGS = ("debug", "logging-to-file", "usage-statistics-enabled")
"""What we see depends on them."""
USAGE_QUEUE = "usage-queue"
"""Only builds that serve it have the newer half of the management API, whatever they call their version."""
SINCE = {STATUS: (6, 7, 18), FIELDS: (6, 8, 20), RESET_QUOTA: (7, 2, 22)}
"""No reading tells whether these are served: a wrong method and a missing path get the same answer."""
PRIORITY_SHOWN_SINCE = (6, 9, 4)
"""Of 6.9.0 to 6.9.3 there are two builds, and one of them takes a credential's priority and never shows it."""
NEWEST_READ = (7, 99)
"""Newer versions were not read: of them it is not known what they ignore."""

Version = tuple[int, ...]


COMPATIBLE = {
    Wire.OPENAI_CHAT: "OpenAI-compatible",
    Wire.ANTHROPIC_MESSAGES: "Anthropic-compatible",
    Wire.GEMINI_GENERATE_CONTENT: "Gemini-compatible",
}
METRICS = "/v1/metrics/providers"


def learned(
    version: str | None,
    routes: Mapping[str, bool],
    credentials: Iterable[CredentialFile],
    *,
    models: bool,
    settings: Mapping[str, bool] | None = None,
    front: Front | None = None,
) -> Capabilities:
    """What follows from a version, from which paths answered a GET, and from what the credentials show."""
    number = version_of(version)
    known = {path: told for path in SINCE if (told := _serves(path, number, routes)) is not None}
    return Capabilities(
        version=version,
        models=models,
        management=True,
        routes={**routes, **known},
        inert=frozenset() if number is not None and number > NEWEST_READ else INERT,
        hidden=frozenset() if _shows_priority(number, routes, credentials) else frozenset({PRIORITY}),
        settings=settings or {},
        front=front or Front(),
    )


def front_of(page: Reply, healthz: Reply, models: Reply, *, dialect: Wire | None = None) -> Front:
    """What the replies say: of the first page, of `/healthz`, and of the list of models without a key."""
    said = page.json() if page.ok else None
    endpoints = said.get("endpoints") if isinstance(said, dict) else None
    introduces = isinstance(endpoints, list)
    return Front(
        dialect=dialect,
        open_without_key=_is_open(models),
        healthz=None if healthz.status is None else healthz.ok,
        introduces=introduces,
        provider_metrics=any(METRICS in str(one) for one in endpoints or ()) if introduces else None,
    )


def flavour_of(known: Capabilities) -> str | None:
    """Which kind of upstream it is, in words for people; None where nobody knows."""
    if not (known.management or known.version or known.front.introduces):
        return COMPATIBLE.get(known.front.dialect) if known.front.dialect else None
    name = f"CLIProxyAPI {(known.version or '').removeprefix('v')}".strip()
    is_older = known.routes.get(USAGE_QUEUE) is False
    return f"{name} (older half of the management API)" if is_older else name


def _is_open(models: Reply) -> bool | None:
    if models.ok:
        return entries_of(models.json()) is not None or None
    return False if models.status in (400, 401, 403) else None


def version_of(text: str | None) -> Version | None:
    """The numbers at the head of `v7.2.142-0`; None where there are none."""
    found = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text or "")
    return tuple(int(part or 0) for part in found.groups()) if found else None


def obstacle(capabilities: Capabilities, method: str, path: str) -> str:
    """Why a writing call can do nothing here; empty where it can, or where nobody knows."""
    if capabilities.routes.get(path) is not False:
        return ""
    name = f" {capabilities.version}" if capabilities.version else ""
    return f"this upstream{name} does not serve {method} {path}"


def _serves(path: str, number: Version | None, routes: Mapping[str, bool]) -> bool | None:
    if number is not None and number >= SINCE[path]:
        return True
    if routes.get(USAGE_QUEUE):
        return None if path == RESET_QUOTA else True
    return None if number is None else False


def _shows_priority(number: Version | None, routes: Mapping[str, bool], credentials: Iterable[CredentialFile]) -> bool:
    if any(one.priority is not None for one in credentials) or routes.get(USAGE_QUEUE):
        return True
    return number is not None and number >= PRIORITY_SHOWN_SINCE
