"""Noting: what was done, or was not done and why, as entries of the audit."""

from hashlib import sha256

from daemon.domain.audit import AuditEntry
from daemon.domain.mitigation import Mitigation, MitigationState

State = MitigationState


def entry(row: Mitigation, actor: str, action: str, now: int) -> AuditEntry:
    """What was done to a row, for the audit."""
    back = row.state in (State.RESTORING, State.RESTORED)
    return AuditEntry(
        id=_entry_id(row.id, action, now, row.attempts),
        at=now,
        actor=actor,
        subject=row.target,
        action=action,
        before=row.value_wanted if back else row.value_before,
        after=row.value_before if back else row.value_wanted,
        reason=row.evidence,
        outcome=row.outcome or row.state.value,
    )


def note(actor: str, subject: str, text: str, now: int, *episode: object) -> AuditEntry:
    """What was not done, and why. Its id is the same throughout an episode: it is said once."""
    name = _entry_id(actor, subject, text, *episode)
    return AuditEntry(id=name, at=now, actor=actor, subject=subject, action="noted", outcome=text)


def _entry_id(*parts: object) -> str:
    """Longer than what people type: there are many entries, and none may take another's place."""
    return "a" + _hash(*parts)[:16]


def short_hash(*parts: object) -> str:
    """10 hex characters, to be typed by people; the same for the same parts."""
    return _hash(*parts)[:10]


def _hash(*parts: object) -> str:
    return sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def remark(row: Mitigation, actor: str, action: str, comment: str, now: int) -> AuditEntry:
    """What a human said of what he did to a row."""
    name = _entry_id(row.id, actor, action, comment, now)
    return AuditEntry(
        id=name, at=now, actor=actor, subject=row.target, action="comment", reason=comment, outcome=f"on {action}"
    )
