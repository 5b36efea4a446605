"""Labelled incidents: a person's file of what was one, to compare a backtest with."""

from datetime import UTC, datetime
from pathlib import Path

from daemon.adapters.config.yaml_tree import Node, read_tree
from daemon.domain.backtest import Incident
from daemon.domain.errors import ConfigError, Mistake
from daemon.domain.labels import labels_of
from daemon.logic.tally import label_of

ASIDE = frozenset({"from", "to", "alert"})
"""What is no label."""


def read_incidents(path: Path) -> tuple[Incident, ...]:
    """`incidents:`, a list of maps with `from`, `to`, and perhaps `alert` and labels. Raises `ConfigError` with every
    mistake."""
    try:
        tree, mistakes = read_tree(path.read_text(encoding="utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake(source=str(path), message=f"cannot be read: {error}")]) from None
    listed = tree.child("incidents")
    if not listed.list:
        mistakes.append(listed.mistake("should be a list of incidents, each with `from` and `to`"))
    found = [_incident(node, mistakes) for node in listed.list]
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(incident for incident in found if incident is not None)


def _incident(node: Node, mistakes: list[Mistake]) -> Incident | None:
    since, until = (_instant(node.child(name), mistakes) for name in ("from", "to"))
    if since is None or until is None:
        return None
    if until < since:
        mistakes.append(node.child("to").mistake("is before `from`"))
    labels = {name: label_of(child.plain) for name, child in node.map.items() if name not in ASIDE}
    return Incident(since=since, until=until, alert=node.child("alert").text, labels=labels_of(labels))


def _instant(node: Node, mistakes: list[Mistake]) -> int | None:
    """Epoch ms; UTC unless another zone is said."""
    try:
        at = datetime.fromisoformat(node.text or "")
        return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except ValueError:
        mistakes.append(node.mistake("should be an instant such as 2026-11-24T03:10Z"))
        return None
