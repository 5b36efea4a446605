"""The page: what is going on, in one look, whatever is broken behind it."""

import re
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from daemon.adapters.web.app import STATIC
from daemon.domain.alert import Severity
from daemon.domain.event import Source
from daemon.domain.mitigation import Mode
from daemon.domain.probe import ProbeOutcome, ProbeResult
from daemon.domain.upstream_past import Holder, Tally
from tests.fakes.operations import NOW, FakeOperations, a_mitigation, a_probe, an_alert

VOID = {"meta", "link", "input", "br", "rect"}


class Page(HTMLParser):
    """Its text, and whether it is well formed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


async def page(client: httpx.AsyncClient) -> Page:
    response = await client.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return Page(response.text)


async def test_an_incident_is_told(client: httpx.AsyncClient) -> None:
    text = (await page(client)).text
    for words in (
        "2 alerts firing",
        "1 pending",
        "2 mitigations in force",
        "codex: 153 of 1240 turns were rate limited (12.3%, at least 10.6%)",
        "for 4m10s, since 09:55:50",
        "quota-fallback applied",
        "model_alias:gpt-5.3-codex-spark: gpt-5.3-codex-spark → gpt-5.3-codex",
        "at the latest in 26m51s",
        "stays until it is released",
        "no effect known",
        "ntfy: timed out",
        "ZeroUsageUnderLoad",
        "lasted 20m",
        "provider rate limited",
        "gpt-5.3-codex-spark → gpt-5.3-codex",
        "http://127.0.0.1:8317",
        "3 waiting, 0 dropped",
        "loaded 2026-11-24 08:00:00",
    ):
        assert words in text


async def test_a_critical_mutes_its_warning(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.alert_rows = [an_alert(severity=Severity.WARNING), an_alert()]
    text = (await page(client)).text
    assert "1 alert firing" in text
    assert "ProviderRateLimited critical" in text
    assert "ProviderRateLimited warning" not in text.partition("Providers")[0]


async def test_a_value_is_shown_in_the_words_of_its_rule(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    figures = {"value": 5400.0, "value_text": "1h30m", "bad": 0, "samples": 0, "lower_bound": None}
    operations.alert_rows = [an_alert("AmpBypass", Severity.WARNING, labels={}, **figures)]
    assert "1h30m · over 10m" in (await page(client)).text


async def test_a_quiet_day_is_quiet(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.alert_rows, operations.mitigation_rows, operations.notification_rows = [], [], []
    text = (await page(client)).text
    assert "All quiet" in text
    assert "Alerts" not in text
    assert "Messages" not in text


async def test_an_empty_day_says_what_to_do(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.alert_rows, operations.event_rows, operations.figures = [], [], {}
    text = (await page(client)).text
    assert "0 requests in the last 10m" in text
    assert "Point your clients at the proxy port" in text


@pytest.mark.parametrize(
    ("part", "change", "says"),
    [
        ("upstream", {"reachable": False}, "the upstream does not answer"),
        ("store", {"ok": False}, "the store does not answer"),
        ("config", {"ok": False, "errors": ["alerts.yaml:8:5: no"]}, "broken: alerts.yaml:8:5: no"),
        ("spool", {"dropped_total": 7}, "7 events were dropped"),
    ],
)
async def test_what_is_wrong_with_us_is_on_top(
    client: httpx.AsyncClient, operations: FakeOperations, part: str, change: dict[str, Any], says: str
) -> None:
    operations.alert_rows = []
    operations.status_now[part] |= change
    text = (await page(client)).text
    assert "No alert is firing, but look at this" in text
    assert says in text


async def test_it_renders_while_the_store_is_down(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.down = True
    text = (await page(client)).text
    assert "codex" in text
    assert "The store does not answer now." in text


async def test_it_renders_before_anything_is_known(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.status_now, operations.missing = {}, ["rules loaded"]
    assert "not ready yet: rules loaded" in (await page(client)).text


async def test_a_shadow_is_called_one(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    operations.mitigation_rows = [a_mitigation(mode=Mode.SHADOW, owners=("gone",))]
    assert "fallback applied shadow" in (await page(client)).text


async def test_names_from_clients_are_only_names(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=1>'
    operations.event_rows = [replace(operations.event_rows[0], requested_model=hostile, endpoint=hostile)]
    operations.alert_rows = [an_alert(labels={"model_id": hostile}, summary=hostile)]
    operations.figures = {hostile: operations.figures["codex"]}
    html = (await client.get("/")).text
    assert "<script" not in html
    assert "<img" not in html
    assert hostile in Page(html).text


@pytest.mark.parametrize("path", ["/", "/login"])
async def test_nothing_breaks_the_content_security_policy(client: httpx.AsyncClient, path: str) -> None:
    html = (await client.get(path)).text
    found = Page(html)
    assert "<style" not in html
    assert not [name for name, _ in found.attributes if name == "style" or name.startswith("on")]
    links = [value or "" for name, value in found.attributes if name in ("href", "src", "action")]
    assert links
    assert all(link.startswith("/") and not link.startswith("//") for link in links)


async def test_the_style_knows_light_dark_and_phones(client: httpx.AsyncClient) -> None:
    css = (await client.get("/static/runbookd.css")).text
    assert "prefers-color-scheme: dark" in css
    assert "max-width: 640px" in css
    assert "url(" not in css
    assert sorted(path.name for path in STATIC.iterdir()) == ["icon.svg", "runbookd.css"]


async def test_it_comes_again_by_itself(client: httpx.AsyncClient) -> None:
    assert re.search(r'<meta http-equiv="refresh" content="\d+">', (await client.get("/")).text)


async def test_an_alert_leads_to_why(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    assert ("href", "/explain?alert=SparkErrorRatio") in (await page(client)).attributes
    response = await client.get("/explain?alert=SparkErrorRatio")
    text = Page(response.text).text
    for words in ("firing", "10 of 50 in 10m", "silenced by jo until 11:00: <planned>", "something is done about it"):
        assert words in text
    assert operations.explained == [("SparkErrorRatio", None)]
    operations.down = True
    response = await client.get("/explain?alert=<b>")
    assert response.status_code == 503
    assert "<b> The store does not answer now." in Page(response.text).text


def a_verdict(probe: str, outcome: ProbeOutcome, subject: str = "", reason: str = "") -> ProbeResult:
    return ProbeResult(probe=probe, subject=subject, outcome=outcome, reason=reason, emitted_at=NOW)


async def test_bad_probes_come_first_and_say_why(client: httpx.AsyncClient, operations: FakeOperations) -> None:
    good = a_verdict("iflow", ProbeOutcome.OK, "glm-4.6", "answered")
    bad = a_verdict("iflow", ProbeOutcome.BAD, "<glm-5>", "no answer")
    unknown = a_verdict("amp", ProbeOutcome.UNKNOWN, reason="nothing is set")
    operations.probe_rows = [
        a_probe("amp", results=(unknown,)),
        a_probe("health", results=()),
        a_probe("iflow", costs=True, results=(good, bad)),
        a_probe("models"),
        a_probe("spark", enabled=False, results=(a_verdict("spark", ProbeOutcome.BAD),)),
    ]
    text = (await page(client)).text
    assert "bad iflow 1m ago, every 1m · 2 looked at · 0 of 300 requests today <glm-5> no answer" in text
    told = [
        text.index(words)
        for words in ("bad iflow", "unknown amp", "nothing is set", "models ok 1m ago", "health not yet")
    ]
    assert told == sorted(told)
    assert "spark" not in text[text.index("Probes") : text.index("Mitigations")]


async def test_before_the_first_request_the_upstreams_own_counts_are_shown(
    client: httpx.AsyncClient, operations: FakeOperations
) -> None:
    holder = Holder(provider_key="codex", auth_index="c0de", name="codex.json")
    operations.past_rows = [Tally(since=NOW, until=NOW, holder=holder, succeeded=37, failed=3)]
    assert "Before us" not in (await page(client)).text
    operations.figures = {}
    assert "Before us" not in (await page(client)).text
    operations.event_rows = [row for row in operations.event_rows if row.source is Source.CANARY]
    assert "codex codex.json 40 7.5%" in (await page(client)).text
