"""References to secrets: resolved at use, switched off when they lead nowhere, and never shown."""

from pathlib import Path

import pytest

from daemon.adapters.config.secrets import mask, receiver_urls, resolver
from daemon.adapters.config.settings import load_settings
from daemon.domain.alerts_config import AlertsConfig, Receiver

ENVIRON = {"CHAT": "slack://a/b json://c", "WORDS": "no url", "EMPTY": ""}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    (tmp_path / "ops").write_text("json://ops\n")
    (tmp_path / "runbookd.team").write_text("json://one, json://two\n")
    (tmp_path / "binary").write_bytes(b"\xff")
    return tmp_path


@pytest.mark.parametrize(
    ("reference", "urls"),
    [
        ("env:CHAT", ["slack://a/b", "json://c"]),
        ("env:WORDS", []),
        ("env:EMPTY", []),
        ("env:NONE", []),
        ("secret:ops", ["json://ops"]),
        ("secret:team", ["json://one", "json://two"]),
        ("secret:binary", []),
        ("secret:none", []),
        ("secret:../outside", []),
        ("secret:.", []),
        ("secret:", []),
        ("secret:notify_urls", ["json://notify"]),
        ("json://itself", ["json://itself"]),
    ],
)
def test_a_reference_gives_the_urls_behind_it(reference: str, urls: list[str], secrets: Path) -> None:
    settings = load_settings(
        environ={"HOME": "/h", "RUNBOOKD_SECRETS_DIR": str(secrets), "RUNBOOKD_NOTIFY_URLS": "json://notify"}
    )
    assert resolver(settings, ENVIRON)(reference) == tuple(urls)


def test_a_secret_that_is_renewed_is_seen_at_the_next_use(secrets: Path) -> None:
    resolve = resolver(load_settings(environ={"HOME": "/h", "CREDENTIALS_DIRECTORY": str(secrets)}))
    (secrets / "ops").write_text("json://renewed")
    assert resolve("secret:ops") == ("json://renewed",)


def test_a_receiver_with_a_reference_that_leads_nowhere_is_off_and_no_other(secrets: Path) -> None:
    config = AlertsConfig(
        receivers=(
            Receiver(name="operators", urls=("secret:ops", "env:CHAT")),
            Receiver(name="off", urls=("secret:ops", "env:NONE")),
            Receiver(name="deaf"),
        )
    )
    settings = load_settings(environ={"HOME": "/h", "CREDENTIALS_DIRECTORY": str(secrets)})
    assert receiver_urls(config, settings, ENVIRON) == {
        "operators": ("json://ops", "slack://a/b", "json://c"),
        "off": (),
        "deaf": (),
    }


def test_without_a_directory_there_are_no_secrets() -> None:
    assert resolver(load_settings(environ={"HOME": "/h"}), {})("secret:ops") == ()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("json://user:pass@host.example:8080/path?key=1", "json://host.example"),
        ("https://host/hook/token", "https://host"),
        ("slack://TokenA/TokenB", "slack://***"),
        ("tgram://123:abc/456", "tgram://***"),
        ("json://[", "***"),
        ("nonsense", "***"),
    ],
)
def test_a_masked_url_shows_no_token(url: str, shown: str) -> None:
    assert mask(url) == shown
