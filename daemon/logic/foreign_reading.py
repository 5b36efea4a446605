"""Reading what others raise: the webhook of Alertmanager (version 4), and messages in the shape of Slack's."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from daemon.domain.alert import Severity
from daemon.domain.foreign import Told
from daemon.domain.labels import fingerprint, labels_of

ALERTMANAGER, SLACK = "alertmanager", "slack"
CRITICAL = frozenset({"critical", "page", "error"})
"""What others call it."""
MOST_ALERTS = 1000
"""Of one body."""
MOST_LABELS, LONGEST_NAME, LONGEST_VALUE, LONGEST_SUMMARY = 20, 64, 200, 500
RESOLVE_SECONDS = 300.0
"""Alertmanager's own `resolve_timeout`."""
UNTOLD_SECONDS = 86_400.0
"""Without `endsAt` it fires until it is said to be resolved; who repeats nothing for a day has forgotten it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def alertmanager(body: Any) -> list[Told]:
    """The alerts of a webhook's body. Raises ValueError, which says what is wrong with it."""
    if not isinstance(body, dict) or not isinstance(alerts := body.get("alerts"), list):
        raise ValueError("must be an object with a list of `alerts`, as Alertmanager's webhook sends it")
    if body.get("version", "4") != "4":
        raise ValueError(f"only version 4 is understood, not {body['version']!r}")
    if len(alerts) > MOST_ALERTS:
        raise ValueError(f"holds more than {MOST_ALERTS} alerts: set `max_alerts` of the webhook")
    return [_alert(alert, place) for place, alert in enumerate(alerts)]


def slack(body: Any) -> list[Told]:
    """The alert that a message is. Raises ValueError."""
    if not isinstance(body, dict) or not isinstance(text := body.get("text"), str) or not text.strip():
        raise ValueError("must be an object with a `text`")
    text, name = unescape(_storable(text)), "TrueNAS"
    return [
        Told(
            source=SLACK,
            fingerprint=fingerprint(f"{SLACK}:{name}", (("text", text),), Severity.WARNING),
            episode=fingerprint(f"{SLACK}:{name}", (("text", text),)),
            alert=name,
            severity=Severity.WARNING,
            labels=(),
            summary=_line(text, LONGEST_SUMMARY),
            stands_seconds=RESOLVE_SECONDS,
        )
    ]


def _alert(alert: Any, place: int) -> Told:
    where = f"alerts[{place}]"
    labels, notes = _strings(alert, "labels", where), _strings(alert, "annotations", where)
    if (status := alert.get("status")) not in ("firing", "resolved"):
        raise ValueError(f"{where}.status must be firing or resolved")
    name = _line(labels.pop("alertname", ""), LONGEST_VALUE) or "Alertmanager"
    said = labels.get("severity", "").lower()
    severity = Severity.CRITICAL if said in CRITICAL else Severity.WARNING
    if said == severity:
        del labels["severity"]  # both severities of it are one episode
    whole, ends_at = labels_of(labels), _instant(alert.get("endsAt"), where)
    return Told(
        source=ALERTMANAGER,
        fingerprint=fingerprint(f"{ALERTMANAGER}:{name}", whole, severity),
        episode=fingerprint(f"{ALERTMANAGER}:{name}", whole),
        alert=name,
        severity=severity,
        labels=tuple((_line(key, LONGEST_NAME), _line(value, LONGEST_VALUE)) for key, value in whole[:MOST_LABELS]),
        summary=_line(notes.get("summary") or notes.get("description") or notes.get("message") or "", LONGEST_SUMMARY),
        runbook=_address(notes.get("runbook_url", "")),
        is_firing=status == "firing",
        ends_at=ends_at,
        stands_seconds=UNTOLD_SECONDS if ends_at is None else RESOLVE_SECONDS,
    )


def _strings(alert: Any, name: str, where: str) -> dict[str, str]:
    found = alert.get(name, {}) if isinstance(alert, Mapping) else None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(f"{where}.{name} must be an object of texts")
    return {_storable(key): _storable(value) for key, value in found.items()}


def _storable(text: str) -> str:
    """JSON can say halves of characters, which no hash and no database takes."""
    return text.encode("utf-8", "replace").decode()


def _instant(text: Any, where: str) -> int | None:
    """Epoch ms; an alert that fires is sent with the year 1."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at - EPOCH) // timedelta(milliseconds=1) if at > EPOCH else None
    except (TypeError, ValueError):
        raise ValueError(f"{where}.endsAt must be an instant such as 2026-11-24T10:00:00Z") from None


def _address(text: str) -> str | None:
    """Only what a browser opens, and nothing that is so long that it is something else."""
    try:
        is_one = urlsplit(text).scheme in ("http", "https")
    except ValueError:
        return None
    return text if is_one and len(text) <= LONGEST_SUMMARY and text.isprintable() else None


def _line(text: str, longest: int) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
