"""Which provider an event belongs to: the evidence in its order, and the same label for failures as for successes."""

import pytest

from daemon.domain.alerts_config import ProviderPattern
from daemon.domain.event import Wire
from daemon.logic.attribution import MOST_MODELS, Attribution, Credential
from tests.logic.playing import T0, an_event


@pytest.fixture
def attribution() -> Attribution:
    made = Attribution()
    made.configure([ProviderPattern(match={"requested_model": "glm*"}, provider_key="zhipu")])
    made.know_credentials({"a1": Credential(provider_key="codex", name="me@example.org")})
    made.know_owners({"gpt-5.4": "openai", "glm-5": "other"})
    return made


@pytest.mark.parametrize(
    ("changes", "provider_key", "evidence"),
    [
        ({"auth_index": "a1"}, "codex", "trace"),
        ({"auth_index": "a1", "requested_model": "glm-5"}, "codex", "trace"),
        ({"auth_index": "unheard-of"}, "openai", "owned_by"),
        ({"requested_model": "glm-5"}, "zhipu", "pattern"),
        ({"requested_model": "team/x", "prefix": "team"}, "team", "prefix"),
        ({}, "openai", "owned_by"),
        ({"requested_model": "nobody's"}, "unknown", None),
        ({"requested_model": None}, "unknown", None),
    ],
)
def test_the_best_evidence_labels(
    attribution: Attribution, changes: dict[str, object], provider_key: str, evidence: str | None
) -> None:
    event = attribution.attribute(an_event(T0, **changes))
    assert (event.provider_key, event.provider_evidence) == (provider_key, evidence)


def test_a_traced_event_also_gets_its_credential(attribution: Attribution) -> None:
    assert attribution.attribute(an_event(T0, auth_index="a1")).credential == "me@example.org"


def test_what_traced_successes_teach_labels_the_failures_too(attribution: Attribution) -> None:
    failed = an_event(T0, bad=True)
    assert attribution.attribute(failed).provider_key == "openai"
    attribution.attribute(an_event(T0, auth_index="a1"))
    after = attribution.attribute(failed)
    assert (after.provider_key, after.provider_evidence) == ("codex", "learned")


def test_failures_teach_nothing(attribution: Attribution) -> None:
    attribution.attribute(an_event(T0, bad=True, auth_index="a1"))
    assert attribution.attribute(an_event(T0)).provider_key == "openai"


def test_it_learns_again_from_what_was_stored() -> None:
    fresh = Attribution()
    fresh.recall(an_event(T0, provider_key="codex", provider_evidence="trace"))
    assert fresh.attribute(an_event(T0, bad=True)).provider_key == "codex"
    assert fresh.models == {"gpt-5.4"}


def test_what_calls_no_model_is_nobodys(attribution: Attribution) -> None:
    event = an_event(T0, wire=Wire.OTHER, auth_index="a1")
    assert attribution.attribute(event) is event


def test_it_does_not_remember_without_end() -> None:
    fresh = Attribution()
    for number in range(MOST_MODELS + 100):
        fresh.attribute(an_event(T0, requested_model=f"m{number}"))
    assert len(fresh.models) == MOST_MODELS
