"""`quota`: what every credential has left: from the upstream's list of them, the kiro endpoint, and vendors if wanted.

It also says whether the providers that carry most of the traffic are all out of quota (`top-providers`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, model_validator

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.credential import CredentialFile
from daemon.domain.probe import Ask, Door, ProbeResult, Reply
from daemon.domain.quota import QuotaReading
from daemon.domain.units import Duration
from daemon.logic import quota_kiro, quota_vendors, top_providers
from daemon.logic.probe import Found, Sight, told
from daemon.logic.quota_files import COOLDOWN, readings_from_files
from daemon.logic.quota_ruling import ruling

EXAMPLE = """\
quota: {every: 5m}
"""
COSTS = False
NAME, TOP = "quota", "top-providers"
FILES = "auth-files"
VENDOR_SECONDS = 300.0
"""No vendor is asked about a credential more often than this."""


class QuotaOptions(ProbeOptions):
    """Reads what the upstream knows. With `vendor`, the vendors are asked too, through the upstream and with its
    credentials, at addresses that they do not document."""

    every: Duration = Field(300.0, ge=60.0)
    vendor: bool = False
    """Ask the vendors too."""
    stale_refresh: Duration = Field(14 * 86_400.0, gt=0)
    """An active credential that was not refreshed for so long is told as `stale`."""

    @model_validator(mode="after")
    def _spares_vendors(self) -> "QuotaOptions":
        if self.vendor and self.every < VENDOR_SECONDS:
            raise ValueError("with `vendor`, every must not be below 5m")
        return self


@dataclass(slots=True)
class _Look:
    """What one run has read so far."""

    readings: list[QuotaReading] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    """Why something could not be read, by the name of the credential; all of it under no name."""


def requests(options: QuotaOptions, sight: Sight) -> Sequence[Ask]:
    """The list, and whatever has to be asked of one credential at a time."""
    if not sight.capabilities.management:
        return []
    kiro = [quota_kiro.ask(one.auth_index) for one in _kiro(sight)]
    vendors = [quota_vendors.ask(one.provider_key, one.auth_index) for one in _vendors(options, sight)]
    return [Ask(door=Door.MANAGEMENT, path=FILES), *kiro, *vendors]


def verdict(options: QuotaOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """One for each credential, and one for the top providers; what could not be read is not known."""
    look, memory = _Look(), dict(sight.memory)
    rest = iter(replies)
    if (files := next(rest, None)) is None:
        look.troubles[""] = "the management API is not to be had (RUNBOOKD_UPSTREAM_MANAGEMENT_KEY)"
    else:
        _read_files(options, sight, files, look, memory)
    for one in _kiro(sight):
        if (reply := next(rest, None)) is not None:
            _read_kiro(sight, one, reply, look, memory)
    for one in _vendors(options, sight):
        if (reply := next(rest, None)) is not None:
            _read_vendor(sight, one, reply, look, memory)
    memory["traffic"] = top_providers.traffic(memory.get("traffic", {}), sight.figures, sight.now)
    results = [*_of_credentials(sight, look), _of_the_top(sight, memory["traffic"])]
    return Found(results=results, quota=look.readings, memory=memory)


# ---- whom to ask -----------------------------------------------------------------------------------------------------


def _used(sight: Sight) -> list[CredentialFile]:
    return [one for one in sight.credentials or () if not one.disabled]


def _kiro(sight: Sight) -> list[CredentialFile]:
    """Those of kiro, unless this build is known to have no endpoint for them."""
    if sight.capabilities.routes.get(quota_kiro.PATH) is False or sight.memory.get("no_kiro") == _build(sight):
        return []
    return [one for one in _used(sight) if one.provider_key == quota_kiro.PROVIDER]


def _vendors(options: QuotaOptions, sight: Sight) -> list[CredentialFile]:
    if not options.vendor or sight.memory.get("no_api_call") == _build(sight):
        return []
    asked = sight.memory.get("asked", {})
    due = sight.now - VENDOR_SECONDS * 1000
    return [
        one for one in _used(sight) if one.provider_key in quota_vendors.VENDORS and asked.get(one.auth_index, 0) <= due
    ]


def _build(sight: Sight) -> str:
    return sight.capabilities.version or "unknown"


# ---- what they say ---------------------------------------------------------------------------------------------------


def _read_files(options: QuotaOptions, sight: Sight, reply: Reply, look: _Look, memory: dict[str, Any]) -> None:
    if not reply.ok or not isinstance(reply.json(), dict):
        look.troubles[""] = reply.error or f"{FILES} answers with status {reply.status}"
        return
    exhausted = {one.auth_index for one in sight.quota if one.quota_exhausted and one.auth_index}
    look.readings += readings_from_files(
        reply.json(), sight.now, options.stale_refresh, resting=memory.get("resting", {}), exhausted=exhausted
    )
    rests = (one for one in look.readings if one.source == COOLDOWN and one.quota_exhausted)
    memory["resting"] = {one.auth_index: one.observed_at for one in rests}


def _read_kiro(sight: Sight, one: CredentialFile, reply: Reply, look: _Look, memory: dict[str, Any]) -> None:
    if reply.status == 404:
        memory["no_kiro"] = _build(sight)
        return
    reading, trouble = quota_kiro.read(reply, one.auth_index, one.name or None, sight.now)
    if reading is None:
        look.troubles[one.name] = trouble
    else:
        look.readings.append(reading)


def _read_vendor(sight: Sight, one: CredentialFile, reply: Reply, look: _Look, memory: dict[str, Any]) -> None:
    if reply.status == 404:
        memory["no_api_call"] = _build(sight)
        return
    memory["asked"] = {**memory.get("asked", {}), one.auth_index: sight.now}
    found, trouble = quota_vendors.read(reply, one.provider_key, one.auth_index, one.name or None, sight.now)
    look.readings += found
    if trouble:
        look.troubles[one.name] = trouble


# ---- verdicts --------------------------------------------------------------------------------------------------------


def _of_credentials(sight: Sight, look: _Look) -> list[ProbeResult]:
    by_name: dict[str, list[QuotaReading]] = {}
    for reading in look.readings:
        if reading.credential and reading.tells and reading.model_id is None:
            by_name.setdefault(reading.credential, []).append(reading)
    known = [one for name, those in sorted(by_name.items()) if (one := _of_one(sight, name, those))]
    troubles = {name: why for name, why in look.troubles.items() if name not in by_name}
    return [*known, *(told(NAME, sight, None, why, subject=name) for name, why in sorted(troubles.items()))]


def _of_one(sight: Sight, name: str, those: Sequence[QuotaReading]) -> ProbeResult | None:
    looks = [[one for one in those if one.source == source] for source in sorted({one.source for one in those})]
    truth = ruling(looks, sight.now)
    if truth is None:
        return None
    value = None if truth.usage_percentage is None else float(round(truth.usage_percentage))
    said = f"{truth.provider_key}: nothing is left of {name}" if truth.quota_exhausted else ""
    return told(NAME, sight, not truth.quota_exhausted, said, subject=name, value=value)


def _of_the_top(sight: Sight, traffic: Mapping[str, Any]) -> ProbeResult:
    """By what the quota book knew before this run; the alert wants it steady in any case."""
    top = top_providers.top(traffic)
    if len(top) < top_providers.HOW_MANY:
        return told(NAME, sight, None, "fewer than two providers have had traffic", subject=TOP)
    exhausted = {key: top_providers.is_exhausted(key, sight.quota, sight.credentials) for key in top}
    names = " and ".join(top)
    if all(exhausted.values()):
        return told(NAME, sight, False, f"{names} carry most of the traffic and have no quota left", subject=TOP)
    known = any(one is not None for one in exhausted.values())
    return told(NAME, sight, True if known else None, "" if known else f"no quota of {names} is known", subject=TOP)


OPTIONS = QuotaOptions
