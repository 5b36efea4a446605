"""References to secrets: resolved at use, switched off when they lead nowhere, and never shown."""

from functools import partial
from pathlib import Path

import pytest

from daemon.adapters.config.secrets import heartbeat_url, mask, probe_keys, receiver_channels, resolver
from daemon.adapters.config.settings import Settings, load_settings
from daemon.adapters.notify.own_address import leads_home
from daemon.domain.alerts_config import AlertsConfig, Heartbeat, Receiver, Route

IS_LOOP = partial(leads_home, proxy=("127.0.0.1", 8318))
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
    assert urls_of(config, settings) == {
        "operators": ["json://ops", "slack://a/b", "json://c"],
        "off": [],
        "deaf": [],
    }


def urls_of(config: AlertsConfig, settings: Settings) -> dict[str, list[str]]:
    found = receiver_channels(config, settings, IS_LOOP, ENVIRON)
    return {name: [channel.url for channel in channels] for name, channels in found.items()}


def test_a_webhook_has_its_headers_and_is_off_without_one_of_them(secrets: Path) -> None:
    headers = {"Authorization": "env:WORDS", "X-Team": "ops"}
    config = AlertsConfig(
        receivers=(
            Receiver(name="hook", kind="webhook", urls=("https://h/",), headers=headers),
            Receiver(name="off", kind="webhook", urls=("https://h/",), headers={"Authorization": "secret:none"}),
        )
    )
    settings = load_settings(environ={"HOME": "/h", "CREDENTIALS_DIRECTORY": str(secrets)})
    found = receiver_channels(config, settings, IS_LOOP, ENVIRON)
    (channel,) = found["hook"]
    assert (channel.kind, channel.headers) == ("webhook", {"Authorization": "no url", "X-Team": "ops"})
    assert found["off"] == ()
    assert "no url" not in repr(channel)
    assert "https" not in repr(channel)


def test_what_leads_to_our_own_proxy_is_left_out(secrets: Path) -> None:
    urls = ("json://127.1:8318/", "json://ops", "http://localhost:8318/hook")
    config = AlertsConfig(
        receivers=(Receiver(name="operators", urls=urls),),
        route=Route(heartbeat=Heartbeat(url="http://[::1]:8318/beat")),
    )
    settings = load_settings(environ={"HOME": "/h"})
    assert urls_of(config, settings) == {"operators": ["json://ops"]}
    assert heartbeat_url(config, settings, IS_LOOP, ENVIRON) is None


@pytest.mark.parametrize(
    ("reference", "url"), [("https://h/b", "https://h/b"), ("secret:beat", "https://h/s"), ("secret:none", None)]
)
def test_a_heartbeat_has_a_url_or_there_is_none(secrets: Path, reference: str, url: str | None) -> None:
    (secrets / "beat").write_text("https://h/s\n")
    settings = load_settings(environ={"HOME": "/h", "CREDENTIALS_DIRECTORY": str(secrets)})
    assert heartbeat_url(AlertsConfig(route=Route(heartbeat=Heartbeat(url=reference))), settings, IS_LOOP) == url
    assert heartbeat_url(AlertsConfig(), settings, IS_LOOP) is None


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


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("laptop = one\nci=two=2\n", {"laptop": "one", "ci": "two=2"}),
        ("# of the build\n\nci = two\nno key\n = x\ny =\n", {"ci": "two"}),
        ("", {}),
    ],
)
def test_client_keys_have_names(secrets: Path, text: str, keys: dict[str, str]) -> None:
    (secrets / "probe_keys").write_text(text)
    settings = load_settings(environ={"HOME": "/h", "RUNBOOKD_SECRETS_DIR": str(secrets)})
    assert probe_keys(settings) == keys
