"""What the doctor looks at in the traffic: probes, quotas, streams without usage, models without an alternative."""

from collections import Counter
from collections.abc import Callable, Sequence

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.check_up import Finding, Health, Inside
from daemon.domain.event import Event, Outcome, Wire
from daemon.domain.probe import ProbeOutcome, ProbeResult, ProbeRow
from daemon.domain.quota import QuotaReading
from daemon.domain.units import say_duration

MOST_NAMED = 5
SOON_PERCENT = 90.0
SOON_SECONDS = 3600.0
FEW_STREAMS = 5
"""Fewer say nothing of a client."""


def probes(inside: Inside) -> Sequence[Finding]:
    """The latest verdicts of each that is on; one that the alerts file names must be able to look."""
    return [_probe(row, row.probe in inside.config.probes) for row in inside.probes if row.enabled]


def _probe(row: ProbeRow, is_named: bool) -> Finding:
    area, advice = f"probe {row.probe}", f"`runbookd probe run {row.probe}` looks again"
    bad = [one for one in row.results if one.outcome is ProbeOutcome.BAD]
    unknown = [one for one in row.results if one.outcome is ProbeOutcome.UNKNOWN]
    if bad:
        return Finding.warning(area, f"{len(bad)} of {len(row.results)} bad: {_named(list(map(_why, bad)))}", advice)
    if unknown:
        return Finding.unknown(area, _named(list(map(_why, unknown))), advice if is_named else "", essential=is_named)
    if not row.results:
        return Finding.unknown(area, "it has told nothing yet", "", essential=False)
    return Finding.ok(area, f"{len(row.results)} looked at" if len(row.results) > 1 else row.results[0].reason or "ok")


def _why(one: ProbeResult) -> str:
    return ": ".join(filter(None, (one.subject, one.reason))) or one.outcome.value


def quota(inside: Inside) -> Sequence[Finding]:
    """One row for each provider of which something was read."""
    return [
        _quota(key, [one for one in inside.quota if one.provider_key == key])
        for key in sorted({one.provider_key for one in inside.quota})
    ]


def _quota(provider_key: str, readings: Sequence[QuotaReading]) -> Finding:
    area, advice = f"quota {provider_key}", "let another credential or provider take the traffic until it comes back"
    told = [one for one in readings if one.tells]
    spent = [one for one in told if one.quota_exhausted]
    if not told:
        return Finding.unknown(area, "what is left is not said yet", "", essential=False)
    if spent:
        verdict = Health.CRITICAL if len(spent) == len(told) else Health.WARNING
        return Finding(
            area=area, verdict=verdict, evidence=f"used up: {_named(list(map(_spent, spent)))}", advice=advice
        )
    if soon := list(filter(_is_soon_empty, told)):
        return Finding.warning(area, f"soon used up: {_named(list(map(_spent, soon)))}", advice)
    count = len(set(map(_whose, told)))
    return Finding.ok(area, f"{count} credential{'s' if count != 1 else ''} with something left")


def _is_soon_empty(one: QuotaReading) -> bool:
    """What comes back before it is empty is not."""
    back, empty = one.quota_reset_seconds, one.empty_in_seconds
    if empty is not None and empty <= SOON_SECONDS and (back is None or empty < back):
        return True
    return (one.usage_percentage or 0) >= SOON_PERCENT


def _whose(one: QuotaReading) -> str:
    return one.credential or one.auth_index or one.provider_key


def _spent(one: QuotaReading) -> str:
    what = f"{_whose(one)} {one.model_id or ''}".strip()
    share = f" at {one.usage_percentage:.0f}%" if one.usage_percentage is not None else ""
    empty = (
        f", empty in {say_duration(one.empty_in_seconds)}" if one.empty_in_seconds and not one.quota_exhausted else ""
    )
    back = f", back in {say_duration(one.quota_reset_seconds)}" if one.quota_reset_seconds else ""
    return f"{what}{share}{empty}{back}"


def usage(inside: Inside) -> Sequence[Finding]:
    """Clients that stream without asking for the usage at the end: nobody can count their tokens on the way."""
    if inside.events is None:
        return []
    streams = [
        one for one in inside.events if one.stream and one.wire is Wire.OPENAI_CHAT and one.outcome is Outcome.OK
    ]
    asked, silent = Counter(map(_client, streams)), Counter(_client(one) for one in streams if one.usage is None)
    told = [f"{name}: {silent[name]} of {count}" for name, count in asked.most_common() if silent[name] >= FEW_STREAMS]
    if told:
        evidence = f"streams without usage: {_named(told)}"
        advice = "let these clients send `stream_options: {include_usage: true}`"
        return [Finding.warning("usage", evidence, advice)]
    evidence = f"{len(streams)} streams of chat completions, {silent.total()} without usage"
    return [Finding.ok("usage", evidence)] if streams else []


def _client(event: Event) -> str:
    return event.client or "unnamed"


def alternatives(inside: Inside) -> Sequence[Finding]:
    """Models in use without a line in `fallbacks`: when they fail, nothing can stand in. An empty line says that none
    is wanted."""
    if not inside.events:
        return []
    used = Counter((one.workload, one.requested_model) for one in inside.events if one.requested_model)
    alone = [_used_by(*use) for use, _ in used.most_common() if not _has_line(inside.config, *use)]
    if not alone:
        return [Finding.ok("fallbacks", f"every model in use has a line ({len(used)})")]
    advice = "add a line to `fallbacks` in the alerts file; `MODEL: []` says that none is wanted"
    return [Finding.warning("fallbacks", f"nothing can stand in for {_named(alone)}", advice)]


def _used_by(workload: str | None, model: str | None) -> str:
    return f"{model} (workload {workload})" if workload else str(model)


def _has_line(config: AlertsConfig, workload: str | None, model: str | None) -> bool:
    own = next((one.fallbacks for one in config.workloads if one.name == workload), {})
    return model in own or model in config.fallbacks


def _named(texts: Sequence[str]) -> str:
    more = len(texts) - MOST_NAMED
    return ", ".join(texts[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


CHECKS: tuple[Callable[[Inside], Sequence[Finding]], ...] = (probes, quota, usage, alternatives)
