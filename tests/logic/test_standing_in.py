"""Standing in: whose place a group's rows take, and that the same row stands in for the same one."""

from dataclasses import replace

import pytest

from daemon.domain.notification import Message, Notification, NotificationReason
from daemon.logic.standing_in import backup_key, marked, stand_in, stands_in_for

ROW = Notification(
    id="n-1",
    receiver="operators",
    group_key='{alert="A"}',
    reason=NotificationReason.OPENED,
    severity="warning",
    attempts=3,
    error="down",
    created_at=1,
    not_before=2,
)


@pytest.mark.parametrize("receiver", ["operators", "night: shift", "backup of b"])
def test_a_group_of_a_backup_says_whose_place_it_takes(receiver: str) -> None:
    assert stands_in_for(backup_key(receiver, ROW.group_key)) == receiver
    assert stands_in_for(ROW.group_key) is None


def test_the_newest_row_that_tells_of_an_alert_has_a_stand_in_and_always_the_same() -> None:
    notice = replace(ROW, id="n-2", reason=NotificationReason.MITIGATION)
    first, again = (stand_in([ROW, notice], "operators", "pager", now) for now in (10, 20))
    assert first is not None
    assert again is not None
    assert first.id == again.id
    assert (first.receiver, first.attempts, first.error, first.not_before) == ("pager", 0, None, 10)
    assert stand_in([notice], "operators", "pager", 10) is None


def test_only_the_backup_reads_who_is_absent() -> None:
    message = Message(title="t", body="b")
    assert marked(message, ROW.group_key) is message
    assert marked(message, backup_key("operators", ROW.group_key)).body == "operators cannot be reached.\n\nb"
