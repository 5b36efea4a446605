"""The link that approves: a secret of its own for each row, and what has become of what it is about."""

from typing import Any

import pytest

from daemon.domain.alert import Alert, AlertState
from daemon.domain.mitigation import Mitigation, MitigationState, Mode
from daemon.logic.approving import Standing, approval_link, find, standing, token_of, waiting
from tests.fakes.operations import NOW, a_mitigation, an_alert

KEY, OTHER_KEY = b"k" * 64, b"l" * 64
ALERT = an_alert()


def asked(name: str = "m-1", **changes: Any) -> Mitigation:
    facts = {
        "id": name,
        "mode": Mode.ASK,
        "state": MitigationState.NOT_NEEDED,
        "owners": (ALERT.fingerprint,),
        "approve_until": NOW + 1,
    }
    return a_mitigation(**facts | changes)


def test_a_link_has_the_secret_of_its_row_and_of_no_other() -> None:
    token = token_of("m-1", KEY)
    assert approval_link("http://nas:8319/", KEY)(asked()) == f"http://nas:8319/approve/{token}"
    assert len({token, token_of("m-2", KEY), token_of("m-1", OTHER_KEY)}) == 3
    assert len(token) == 32


def test_a_row_is_found_by_its_own_token() -> None:
    rows = [asked("m-1"), asked("m-2")]
    assert find(token_of("m-2", KEY), rows, KEY) is rows[1]
    assert find(token_of("m-1", KEY), rows, KEY) is rows[0]


@pytest.mark.parametrize("token", ["", "m-1", token_of("m-1", OTHER_KEY), token_of("m-1", KEY)[:-1], "ä" * 32])
def test_anything_else_finds_nothing(token: str) -> None:
    assert find(token, [asked()], KEY) is None


def test_only_what_was_asked_for_has_a_link() -> None:
    row = asked(mode=Mode.AUTO)
    assert find(token_of(row.id, KEY), [row], KEY) is None


ENDED = an_alert(state=AlertState.RESOLVED)
APPLIED = a_mitigation(id="m-9")
ELSEWHERE = a_mitigation(id="m-9", target="model_alias:other")


@pytest.mark.parametrize(
    ("row", "others", "alert", "is_so"),
    [
        (asked(), [], ALERT, Standing.OPEN),
        (asked(), [ELSEWHERE], ALERT, Standing.OPEN),
        (asked(), [a_mitigation(id="m-9", state=MitigationState.RESTORED)], ALERT, Standing.OPEN),
        (asked(), [], an_alert(state=AlertState.CLEARING), Standing.OPEN),
        (asked(approve_until=None), [APPLIED], ALERT, Standing.USED),
        (asked(approve_until=NOW), [], ALERT, Standing.EXPIRED),
        (asked(), [APPLIED], ALERT, Standing.OVERTAKEN),
        (asked(), [], ENDED, Standing.OVERTAKEN),
        (asked(), [], an_alert("Another"), Standing.OVERTAKEN),
    ],
)
def test_what_can_be_done_with_a_link(row: Mitigation, others: list[Mitigation], alert: Alert, is_so: Standing) -> None:
    assert standing(row, [row, *others], [alert], NOW) is is_so


def test_what_waits_is_what_was_asked_for_and_is_open_still() -> None:
    rows = [asked("m-1"), asked("m-2", target="x", approve_until=NOW), asked("m-3", target="y", mode=Mode.SHADOW)]
    assert list(waiting(rows, [ALERT], NOW)) == rows[:1]
