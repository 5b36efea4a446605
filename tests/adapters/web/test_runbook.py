"""The runbook as a page: every link that a message makes leads to one of its sections."""

from pathlib import Path

import httpx
import pytest

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.adapters.web.runbook import anchor, sections
from daemon.app.shelf import scan


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Repeated 429", "repeated-429"),
        ("Alerts about runbookd itself", "alerts-about-runbookd-itself"),
        ("What's `up`?", "whats-up"),
    ],
)
def test_a_heading_has_the_anchor_that_viewers_give_it(title: str, name: str) -> None:
    assert anchor(title) == name


def test_every_shipped_and_built_in_rule_links_to_a_section() -> None:
    shelves = scan()
    config = load(packaged("alerts.yaml"), shelves).config
    anchors = {section.anchor for section in sections(packaged("docs/runbook.md"))}
    for rule in config.rules:
        path, _, name = (rule.runbook or "").partition("#")
        assert path == "docs/runbook.md", rule.alert
        assert name in anchors, rule.alert


async def test_the_page_is_at_the_address_that_messages_name(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs/runbook.md")
    assert answer.status_code == 200
    assert 'id="repeated-429"' in answer.text


async def test_who_is_not_logged_in_is_asked_to(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/docs/runbook.md")).status_code in (303, 401)


def test_without_the_file_there_are_no_sections(tmp_path: Path) -> None:
    assert list(sections(tmp_path / "runbook.md")) == []
