"""Flavours: in what the builds of the upstream differ that the fake one can be, by their names and versions."""

from dataclasses import dataclass, replace

from daemon.domain.event import Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """What a build serves, and what it shows."""

    name: str
    version: str = ""
    """In `X-CPA-VERSION` of every answer of the management API."""
    plain: Wire | None = None
    """It is none of the builds of CLIProxyAPI: it serves this wire, its list of models, and nothing else."""
    is_newer: bool = True
    """It counts per credential and has a usage queue; an older one keeps statistics instead."""
    healthz: bool = True
    traces: bool = True
    """It says the credential in `X-CPA-TRACE-ID`."""
    provider_metrics: bool = False
    """At `/v1/metrics/providers`, to whoever asks, and listed on its front page."""
    kiro_quota: bool = False
    api_call: bool = True
    """It asks a provider with one of its credentials for whoever has the management key."""
    log_cursor: bool = True
    """Its log can be read on from where one was, and not only from a second on."""
    ampcode: bool = False
    routes_models: bool = True
    """It has a routing strategy and model aliases."""
    resets_quota: bool = True
    patches_credentials: bool = True
    shows_priority: bool = True
    """In the list of credentials; it heeds one in any case."""
    shows_retry: bool = True
    """`next_retry_after` in the list of credentials."""
    quota_signals: bool = False
    """`quota` and `model_quotas` in the list of credentials: what providers said of themselves."""


_MAINLINE = Flavour(name="mainline", version="7.2.142", quota_signals=True)
_PLUSPLUS = Flavour(name="PP-HEAD", version="7.2.0-pp", traces=False, log_cursor=False)
_OLDER = Flavour(
    name="PLUS-692",
    version="6.9.2",
    is_newer=False,
    healthz=False,
    traces=False,
    log_cursor=False,
    ampcode=True,
    resets_quota=False,
)
_PP38 = replace(
    _OLDER,
    name="PP-38",
    version="6.8.38",
    provider_metrics=True,
    kiro_quota=True,
    shows_priority=False,
    shows_retry=False,
)
_PLUS669 = replace(
    _OLDER,
    name="PLUS-669",
    version="6.6.9",
    api_call=False,
    routes_models=False,
    patches_credentials=False,
    shows_priority=False,
    shows_retry=False,
)
_PLAIN = (
    Flavour(name="openai", plain=Wire.OPENAI_CHAT, traces=False),
    Flavour(name="anthropic", plain=Wire.ANTHROPIC_MESSAGES, traces=False),
    Flavour(name="gemini", plain=Wire.GEMINI_GENERATE_CONTENT, traces=False),
)
_BUILDS = (_MAINLINE, _PLUSPLUS, _OLDER, _PP38, _PLUS669)

BUILDS = {flavour.name: flavour for flavour in (*_BUILDS, *_PLAIN)}
"""By their names."""
FLAVOURS = BUILDS | {flavour.version: flavour for flavour in _BUILDS}
"""By their names, and by their versions."""
NEWEST, LEGACY = _MAINLINE.version, _OLDER.version
