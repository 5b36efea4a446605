"""The probe of quotas: what the list of credentials, the kiro endpoint and vendors say, and what they do not."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.quota import QuotaReading
from daemon.logic.probe import Found, Sight
from daemon.logic.probes import quota

NOON = 1_795_521_600_000
TEN_AGO, IN_AN_HOUR = "2026-11-24T11:50:00Z", "2026-11-24T13:00:00Z"
A = CredentialFile(auth_index="a1", name="codex-a.json", provider_key="codex")
B = CredentialFile(auth_index="b1", name="claude-b.json", provider_key="claude")
K = CredentialFile(auth_index="k1", name="kiro-k.json", provider_key="kiro")
OPTIONS = quota.QuotaOptions()
VENDORS = quota.QuotaOptions(vendor=True)


def a_sight(*credentials: CredentialFile, **more: Any) -> Sight:
    known = Capabilities(management=True, version="6.8.38")
    return Sight(**{"now": NOON, "capabilities": known, "credentials": credentials} | more)


def a_reply(said: Any, status: int = 200) -> Reply:
    return Reply(status=status, body=json.dumps(said).encode())


def files(*those: dict[str, Any]) -> Reply:
    usual = {"auth_index": "a1", "name": "codex-a.json", "provider": "codex", "status": "active", "unavailable": False}
    return a_reply({"files": [usual | one for one in those]})


def paths(asks: Sequence[Ask]) -> list[str]:
    return [ask.path for ask in asks]


def look(*replies: Reply, sight: Sight | None = None, options: quota.QuotaOptions = OPTIONS) -> Found:
    return quota.verdict(options, sight or a_sight(A), replies)


def by_subject(found: Found) -> dict[str, tuple[str, str]]:
    return {one.subject: (one.outcome.value, one.reason) for one in found.results}


def the_top(found: Found) -> ProbeResult:
    (one,) = (one for one in found.results if one.subject == quota.TOP)
    return one


# ---- what is asked ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sight", "options", "asked"),
    [
        (a_sight(A, K), OPTIONS, ["auth-files", "kiro-quota?auth_index=k1"]),
        (
            a_sight(A, CredentialFile(auth_index="k", name="k", provider_key="kiro", disabled=True)),
            OPTIONS,
            ["auth-files"],
        ),
        (a_sight(K, memory={"no_kiro": "6.8.38"}), OPTIONS, ["auth-files"]),
        (a_sight(K, memory={"no_kiro": "6.9.2"}), OPTIONS, ["auth-files", "kiro-quota?auth_index=k1"]),
        (a_sight(A, B), VENDORS, ["auth-files", "api-call", "api-call"]),
        (a_sight(A, B, memory={"asked": {"a1": NOON - 299_000}}), VENDORS, ["auth-files", "api-call"]),
        (a_sight(A, memory={"asked": {"a1": NOON - 300_000}}), VENDORS, ["auth-files", "api-call"]),
        (a_sight(A, memory={"no_api_call": "6.8.38"}), VENDORS, ["auth-files"]),
        (a_sight(A, B, K, capabilities=Capabilities()), VENDORS, []),
    ],
)
def test_it_asks_what_this_upstream_can_answer(sight: Sight, options: quota.QuotaOptions, asked: list[str]) -> None:
    assert paths(quota.requests(options, sight)) == asked


def test_vendors_are_asked_with_a_token_that_we_never_see() -> None:
    _, ask = quota.requests(VENDORS, a_sight(A))
    body = dict(ask.body or {})
    assert (ask.method, body["auth_index"], body["header"]["Authorization"]) == ("POST", "a1", "Bearer $TOKEN$")


def test_vendors_are_not_asked_more_often_than_every_five_minutes() -> None:
    with pytest.raises(ValidationError, match="must not be below 5m"):
        quota.QuotaOptions(vendor=True, every=60.0)


# ---- the list of credentials -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "state"),
    [
        ({}, "active"),
        ({"status": "error"}, "error"),
        ({"status": "active", "disabled": True}, "disabled"),
        ({"expired": True}, "expired"),
        ({"last_refresh": "2026-11-01T00:00:00Z"}, "stale"),
        ({"last_refresh": TEN_AGO}, "active"),
        ({"last_refresh": "long ago"}, "active"),
        ({"status": 7}, None),
    ],
)
def test_the_state_of_a_credential_is_how_its_refreshing_goes(file: dict[str, Any], state: str | None) -> None:
    (reading,) = look(files(file)).quota
    assert (reading.refresh_state, reading.source, reading.observed_at) == (state, "auth_files", NOON)


OUT = {"unavailable": True, "status": "error", "next_retry_after": IN_AN_HOUR}
SPENT = {**OUT, "status_message": "quota exhausted"}


@pytest.mark.parametrize(
    ("file", "exhausted", "reset"),
    [
        ({}, [], None),
        ({"next_retry_after": IN_AN_HOUR}, [], 3600.0),
        ({"next_retry_after": TEN_AGO}, [], None),
        (SPENT, [True], 3600.0),
        ({**OUT, "status_message": '{"error":{"type":"usage_limit_reached"}}'}, [True], 3600.0),
        ({**OUT, "status_message": "unauthorized"}, [], 3600.0),
        ({**SPENT, "unavailable": False}, [], 3600.0),
        ({**SPENT, "next_retry_after": "2026-11-24T12:00:30Z"}, [], 30.0),
    ],
)
def test_that_the_upstream_leaves_it_alone_for_its_quota_is_told(
    file: dict[str, Any], exhausted: list[bool], reset: float | None
) -> None:
    own, *rough = look(files(file)).quota
    assert [one.quota_exhausted for one in rough] == exhausted
    assert {one.quota_reset_seconds for one in (own, *rough)} == {reset}
    assert (own.quota_exhausted, {one.source for one in rough}) == (None, {"cooldown"} if rough else set())


def test_it_says_so_from_when_it_was_first_seen_for_the_upstream_does_not_look_again() -> None:
    first = look(files(SPENT))
    again = look(files(SPENT), sight=a_sight(A, memory=first.memory, now=NOON + 600_000))
    _, rough = again.quota
    assert (rough.observed_at, rough.quota_reset_seconds) == (NOON, 3600.0)
    over = look(files(), sight=a_sight(A, memory=again.memory, now=NOON + 900_000))
    anew = look(files(SPENT), sight=a_sight(A, memory=over.memory, now=NOON + 1_200_000))
    assert anew.quota[1].observed_at == NOON + 1_200_000


@pytest.mark.parametrize(("file", "exhausted"), [({}, [False]), (OUT, []), ({"status": "error"}, [])])
def test_one_that_was_exhausted_and_serves_again_is_not(file: dict[str, Any], exhausted: list[bool]) -> None:
    before = QuotaReading(provider_key="codex", auth_index="a1", quota_exhausted=True, observed_at=NOON, source="s")
    _, *rough = look(files(file), sight=a_sight(A, quota=(before,))).quota
    assert [one.quota_exhausted for one in rough] == exhausted


def test_the_vendors_headers_are_read_at_the_time_at_which_they_came() -> None:
    codex = {"X-Codex-Primary-Used-Percent": "81", "X-Codex-Primary-Reset-After-Seconds": "900"}
    spark = {"X-Codex-Primary-Used-Percent": "100"}
    found = look(
        files(
            {
                "quota": {"observed_at": TEN_AGO, "signals": codex},
                "model_quotas": {"gpt-5.3-codex-spark": {"observed_at": TEN_AGO, "signals": spark}},
            }
        )
    ).quota
    told = [(one.model_id, one.usage_percentage, one.quota_exhausted, one.quota_reset_seconds) for one in found[1:]]
    assert told == [(None, 81.0, False, 900.0), ("gpt-5.3-codex-spark", 100.0, True, None)]
    assert {(one.observed_at, one.source) for one in found[1:]} == {(NOON - 600_000, "signals")}


@pytest.mark.parametrize(
    "heard",
    [
        {"signals": {"X-Codex-Primary-Used-Percent": "81"}},
        {"observed_at": TEN_AGO},
        {"observed_at": TEN_AGO, "signals": {"X-Codex-Primary-Used-Percent": 81}},
        [],
        "quota",
    ],
)
def test_headers_that_cannot_be_understood_say_nothing(heard: Any) -> None:
    assert len(look(files({"quota": heard, "model_quotas": {"m": heard}})).quota) == 1


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(error="auth-files: no answer from the upstream"), "auth-files: no answer from the upstream"),
        (Reply(status=500), "auth-files answers with status 500"),
        (Reply(status=200, body=b"[]"), "auth-files answers with status 200"),
    ],
)
def test_a_list_that_is_not_to_be_had_says_nothing_of_any_credential(reply: Reply, says: str) -> None:
    found = look(reply)
    assert found.quota == []
    assert by_subject(found)[""] == ("unknown", says)


@pytest.mark.parametrize("listed", [{}, {"files": None}, {"files": ["x", {"name": "a"}, {"auth_index": 7}]}])
def test_what_has_no_index_is_left_out(listed: Any) -> None:
    assert look(a_reply(listed)).quota == []


def test_without_a_management_key_it_says_so() -> None:
    found = quota.verdict(OPTIONS, a_sight(capabilities=Capabilities()), [])
    assert "RUNBOOKD_UPSTREAM_MANAGEMENT_KEY" in by_subject(found)[""][1]


# ---- kiro ------------------------------------------------------------------------------------------------------------


def kiro(**changes: Any) -> dict[str, Any]:
    usage = {"usageBreakdownList": [{"resourceType": "AGENTIC_REQUEST"}], "nextDateReset": NOON / 1000 + 3600}
    facts = {"auth_index": "k1", "remaining_quota": 12.5, "usage_percentage": 75.0, "quota_exhausted": False}
    return facts | {"profile_arn": "arn:aws:codewhisperer:1:2:profile/3", "usage": usage} | changes


def look_at_kiro(reply: Reply) -> tuple[Found, list[QuotaReading]]:
    found = look(files(), reply, sight=a_sight(K))
    return found, [one for one in found.quota if one.source == "kiro_quota"]


def test_the_kiro_endpoint_tells_of_one_credential() -> None:
    found, (reading,) = look_at_kiro(a_reply(kiro()))
    assert (reading.provider_key, reading.auth_index, reading.credential) == ("kiro", "k1", "kiro-k.json")
    assert (reading.quota_remaining, reading.usage_percentage, reading.quota_exhausted) == (12.5, 75.0, False)
    assert reading.quota_reset_seconds == 3600.0
    assert by_subject(found)["kiro-k.json"] == ("ok", "")
    assert "arn" not in repr(found)


def test_an_exhausted_one_is_bad() -> None:
    found, _ = look_at_kiro(a_reply(kiro(remaining_quota=0, usage_percentage=100, quota_exhausted=True)))
    assert by_subject(found)["kiro-k.json"] == ("bad", "kiro: nothing is left of kiro-k.json")


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (a_reply(kiro(auth_index="k0")), "kiro-quota answers for another credential"),
        (a_reply({name: value for name, value in kiro().items() if name != "auth_index"}), "for another credential"),
        (
            a_reply(kiro(usage={"usageBreakdownList": []}, quota_exhausted=True, usage_percentage=100)),
            "kiro-quota knows nothing of this credential's usage",
        ),
        (a_reply(kiro(usage=None, quota_exhausted=True)), "knows nothing of this credential's usage"),
        (a_reply({"error": "no kiro credential found"}, 400), "kiro-quota answers with status 400"),
        (a_reply({"error": "kiro quota request failed"}, 502), "kiro-quota answers with status 502"),
        (Reply(error="no answer"), "no answer"),
    ],
)
def test_what_the_kiro_endpoint_does_not_know_is_unknown_and_not_exhausted(reply: Reply, says: str) -> None:
    found, readings = look_at_kiro(reply)
    assert readings == []
    outcome, reason = by_subject(found)["kiro-k.json"]
    assert outcome == "unknown"
    assert says in reason


def test_a_build_without_the_endpoint_is_not_asked_again() -> None:
    found, _ = look_at_kiro(Reply(status=404))
    assert found.memory is not None
    assert paths(quota.requests(OPTIONS, a_sight(K, memory=found.memory))) == ["auth-files"]
    assert "kiro-k.json" not in by_subject(found)


# ---- vendors ---------------------------------------------------------------------------------------------------------


def window(used: Any, seconds: int = 18_000, after: int = 900) -> dict[str, Any]:
    return {"used_percent": used, "limit_window_seconds": seconds, "reset_after_seconds": after}


def look_at_vendor(provider_key: str, said: Any) -> list[tuple[Any, ...]]:
    one = CredentialFile(auth_index="v1", name="v.json", provider_key=provider_key)
    body = said if isinstance(said, str) else json.dumps(said)
    reply = a_reply({"status_code": 200, "header": {}, "body": body})
    found = look(files(), reply, sight=a_sight(one), options=VENDORS).quota
    return [
        (one.model_id, one.usage_percentage, one.quota_exhausted, one.quota_reset_seconds, one.window_seconds)
        for one in found
        if one.source == "vendor"
    ]


@pytest.mark.parametrize(
    ("provider_key", "said", "readings"),
    [
        (
            "codex",
            {
                "rate_limit": {
                    "primary_window": window(40),
                    "secondary_window": window(100, 604_800, 3600),
                    "allowed": False,
                },
                "additional_rate_limits": [
                    {"limit_name": "GPT-5.3-Codex-Spark", "rate_limit": {"primary_window": window(5), "allowed": True}}
                ],
            },
            [
                (None, 40.0, False, 900.0, 18_000.0),
                (None, 100.0, True, 3600.0, 604_800.0),
                ("gpt-5.3-codex-spark", 5.0, False, 900.0, 18_000.0),
            ],
        ),
        (
            "codex",
            {"rate_limit": {"primary_window": window(99), "limit_reached": True, "secondary_window": None}},
            [(None, 99.0, True, 900.0, 18_000.0)],
        ),
        (
            "claude",
            {
                "five_hour": {"utilization": 41.5, "resets_at": IN_AN_HOUR},
                "seven_day": {"utilization": 100, "resets_at": None},
                "seven_day_opus": {"utilization": 3},
                "seven_day_sonnet": None,
            },
            [
                (None, 41.5, False, 3600.0, 18_000.0),
                (None, 100.0, True, None, 604_800.0),
                ("claude-opus", 3.0, False, None, 604_800.0),
            ],
        ),
        (
            "claude",
            {"five_hour": {"utilization": 100}, "extra_usage": {"is_enabled": True}},
            [(None, 100.0, False, None, 18_000.0)],
        ),
        (
            "antigravity",
            {
                "groups": [
                    {
                        "buckets": [
                            {
                                "bucketId": "gemini-3-pro",
                                "window": "5h",
                                "remainingFraction": 0.25,
                                "resetTime": IN_AN_HOUR,
                            },
                            {"bucketId": "claude", "resetTime": IN_AN_HOUR},
                        ]
                    }
                ]
            },
            [("gemini-3-pro", 75.0, False, 3600.0, 18_000.0)],
        ),
        (
            "kimi",
            {
                "usage": {"limit": "200", "remaining": "50", "resetTime": IN_AN_HOUR},
                "limits": [{"detail": {"limit": 5, "remaining": 0}}],
            },
            [(None, 75.0, False, 3600.0, None), (None, 100.0, True, None, None)],
        ),
        ("xai", {"config": {"creditUsagePercent": 12}}, [(None, 12.0, False, None, None)]),
        ("xai", {"config": {}}, []),
        ("codex", {}, []),
        ("codex", "<html>", []),
        ("claude", {"five_hour": [], "seven_day": {"utilization": "much"}}, []),
        ("antigravity", {"groups": [{"buckets": ["x"]}, 7]}, []),
        ("kimi", {"usage": {"limit": 0, "remaining": 0}, "limits": {}}, []),
    ],
)
def test_each_vendor_tells_in_its_own_way(provider_key: str, said: Any, readings: list[tuple[Any, ...]]) -> None:
    assert look_at_vendor(provider_key, said) == readings


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (a_reply({"status_code": 401, "body": "{}"}), "the vendor could not be asked (status 401)"),
        (a_reply({"status_code": 200, "body": "{}"}), "the vendor's answer says nothing of a quota"),
        (a_reply({"error": "auth token refresh failed"}, 400), "the vendor could not be asked (status 400)"),
        (a_reply([]), "the vendor could not be asked (status 200)"),
        (Reply(error="no answer"), "no answer"),
    ],
)
def test_a_vendor_that_could_not_be_asked_says_nothing(reply: Reply, says: str) -> None:
    found = look(files(), reply, options=VENDORS)
    assert by_subject(found)["codex-a.json"] == ("unknown", says)


def test_a_vendor_that_was_asked_is_not_asked_again_at_once_whatever_came_of_it() -> None:
    found = look(files(), Reply(error="no answer"), options=VENDORS)
    assert found.memory is not None
    assert paths(quota.requests(VENDORS, a_sight(A, memory=found.memory))) == ["auth-files"]


def test_a_build_that_asks_no_vendor_is_not_asked_to() -> None:
    found = look(files(), Reply(status=404), options=VENDORS)
    assert found.memory is not None
    later = a_sight(A, memory=found.memory, now=NOON + 3_600_000)
    assert paths(quota.requests(VENDORS, later)) == ["auth-files"]


# ---- the top providers -----------------------------------------------------------------------------------------------


def stands(credential: CredentialFile, exhausted: bool | None, **more: Any) -> QuotaReading:
    facts = {"auth_index": credential.auth_index, "provider_key": credential.provider_key, "observed_at": NOON}
    return QuotaReading(**facts | {"quota_exhausted": exhausted, "source": "signals"} | more)


A2 = CredentialFile(auth_index="a2", name="codex-a2.json", provider_key="codex")
OFF = CredentialFile(auth_index="a3", name="codex-a3.json", provider_key="codex", disabled=True)
FIGURES = {"codex": {"request_count": 70}, "claude": {"request_count": 20}, "gemini": {"request_count": 5}}


@pytest.mark.parametrize(
    ("credentials", "quotas", "outcome"),
    [
        ([A, B], [stands(A, True), stands(B, True)], "bad"),
        ([A, B], [stands(A, True), stands(B, False)], "ok"),
        ([A, B], [stands(A, True), stands(B, None)], "ok"),
        ([A, B], [stands(A, None), stands(B, None)], "unknown"),
        ([A, A2, B], [stands(A, True), stands(A2, False), stands(B, True)], "ok"),
        ([A, A2, B], [stands(A, True), stands(B, True)], "ok"),
        ([A, A2, B], [stands(A, True), stands(A2, True), stands(B, True)], "bad"),
        ([A, OFF, B], [stands(A, True), stands(B, True)], "bad"),
        ([A, B], [stands(A, True), stands(OFF, False, refresh_state="disabled"), stands(B, True)], "bad"),
        ([A, B], [stands(A, True), stands(A, False, model_id="gpt-5.5"), stands(B, True)], "bad"),
        ([A, B], [stands(A, True, model_id="gpt-5.5"), stands(B, True)], "ok"),
        (None, [stands(A, True), stands(B, True)], "bad"),
    ],
)
def test_the_top_providers_are_out_of_quota_when_no_credential_of_either_has_any(
    credentials: Sequence[CredentialFile] | None, quotas: list[QuotaReading], outcome: str
) -> None:
    sight = a_sight(credentials=credentials, quota=quotas, figures=FIGURES)
    assert the_top(look(files(), sight=sight)).outcome == outcome


def test_its_reason_names_them() -> None:
    sight = a_sight(A, B, quota=[stands(A, True), stands(B, True)], figures=FIGURES)
    assert (
        the_top(look(files(), sight=sight)).reason
        == "codex and claude carry most of the traffic and have no quota left"
    )


@pytest.mark.parametrize(
    "figures", [{}, {"codex": {"request_count": 9}}, {"codex": {"request_count": 9}, "unknown": {"request_count": 9}}]
)
def test_fewer_than_two_are_no_top(figures: dict[str, Any]) -> None:
    sight = a_sight(A, quota=[stands(A, True)], figures=figures)
    assert the_top(look(files(), sight=sight)).outcome == "unknown"


def test_the_traffic_of_the_last_hours_says_which_are_the_top() -> None:
    """A burst of ten minutes does not outweigh hours; hours without traffic forget nothing."""
    memory: Any = {}
    for step in range(48):
        counts = {"codex": {"request_count": 50}, "claude": {"request_count": 20}}
        memory = look(files(), sight=a_sight(figures=counts, memory=memory, now=NOON + step * 300_000)).memory
    late = NOON + 8 * 3_600_000
    idle = look(files(), sight=a_sight(memory=memory, now=late)).memory
    assert idle == memory
    soon = NOON + 48 * 300_000
    burst = a_sight(
        A,
        B,
        figures={"gemini": {"request_count": 90}},
        memory=memory,
        now=soon,
        quota=[stands(A, True), stands(B, True)],
    )
    assert the_top(look(files(), sight=burst)).outcome == "bad"
