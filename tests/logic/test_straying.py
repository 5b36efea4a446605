"""Which turns are held against where they should have gone."""

import pytest

from daemon.domain.alerts_config import ProviderPattern
from daemon.domain.event import Source
from daemon.logic.attribution import Attribution, Credential
from daemon.logic.straying import MOST, Straying
from tests.logic.playing import T0, an_event

PATTERNS = [ProviderPattern(match={"requested_model": "gpt-5*"}, provider_key="codex")]
CREDENTIALS = {
    "a1": Credential(provider_key="codex", name="a.json"),
    "b2": Credential(provider_key="claude", name="b.json"),
}


@pytest.fixture
def attribution() -> Attribution:
    made = Attribution()
    made.configure(PATTERNS)
    made.know_credentials(CREDENTIALS)
    return made


def counted(attribution: Attribution) -> list[tuple[str, str, str, int]]:
    return [(one.model, one.expected, one.provider_key, one.turns) for one in attribution.routed]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"auth_index": "a1"}, [("gpt-5.4", "codex", "codex", 1)]),
        ({"auth_index": "b2"}, [("gpt-5.4", "codex", "claude", 1)]),
        ({"auth_index": "b2", "bad": True}, [("gpt-5.4", "codex", "claude", 1)]),
        (
            {"auth_index": "a1", "requested_model": "claude/opus", "prefix": "claude"},
            [("claude/opus", "claude", "codex", 1)],
        ),
        ({}, []),  # the upstream names no credential
        ({"auth_index": "a1", "requested_model": "glm-5"}, []),  # nobody says where it should go
        ({"auth_index": "a1", "requested_model": "team/glm-5", "prefix": "team"}, []),  # no provider's name
        ({"auth_index": "b2", "source": Source.CANARY}, []),
        ({"auth_index": "b2", "mitigation_ids": ("m1",)}, []),
    ],
)
def test_turns_count_where_the_upstream_names_the_provider_and_somebody_expects_one(
    attribution: Attribution, changes: dict[str, object], expected: list[tuple[str, str, str, int]]
) -> None:
    attribution.attribute(an_event(T0, **changes))  # type: ignore[arg-type]
    assert counted(attribution) == expected


def test_a_provider_without_a_credential_is_expected_by_nobody(attribution: Attribution) -> None:
    attribution.know_credentials({"b2": CREDENTIALS["b2"]})
    attribution.attribute(an_event(T0, auth_index="b2"))
    assert counted(attribution) == []


def test_other_patterns_begin_to_count_anew(attribution: Attribution) -> None:
    attribution.attribute(an_event(T0, auth_index="b2"))
    attribution.configure(PATTERNS)
    assert counted(attribution) == []


def test_no_more_is_remembered_than_there_is_room_for() -> None:
    straying = Straying()
    for number in range(MOST + 5):
        straying.note(f"m{number}", "codex", "codex")
    assert [len(straying.routed), straying.routed[0].model] == [MOST, "m5"]
