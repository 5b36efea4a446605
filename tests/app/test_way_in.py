"""The key that a client gets, where it comes from, and the rest of its environment."""

from pathlib import Path

import pytest

from daemon.adapters.config.settings import Settings
from daemon.app.rig import free_ports
from daemon.app.way_in import NoWayIn, environment, find_key, is_seen, proxy_address, verify
from daemon.domain.errors import Misuse
from daemon.logic.client_env import KEY_VARIABLE, client_setup

CLAUDE = client_setup("claude-code", "http://h:1")
OWN = "RUNBOOKD_UPSTREAM_API_KEY"


def settings(**said: object) -> Settings:
    return Settings.model_validate({"state_dir": Path("/tmp"), "runtime_dir": Path("/tmp"), **said})


@pytest.mark.parametrize(
    ("named", "environ", "own", "place"),
    [
        ("MINE", {"MINE": "k", KEY_VARIABLE: "x"}, "x", "MINE"),
        (None, {KEY_VARIABLE: "k", "ANTHROPIC_API_KEY": "x"}, "x", KEY_VARIABLE),
        (None, {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_AUTH_TOKEN": "x"}, "x", "ANTHROPIC_API_KEY"),
        (None, {"ANTHROPIC_API_KEY": "", "ANTHROPIC_AUTH_TOKEN": "k"}, "x", "ANTHROPIC_AUTH_TOKEN"),
        (None, {"OPENAI_API_KEY": "x"}, "k", OWN),
    ],
)
def test_a_key_is_looked_for_where_the_client_looks(
    named: str | None, environ: dict[str, str], own: str, place: str
) -> None:
    key = find_key(CLAUDE, settings(upstream_api_key=own), named, environ)
    assert (key.value, key.place) == ("k", place)


@pytest.mark.parametrize(("named", "said"), [("MINE", "MINE is not set"), (None, "there is no key")])
def test_without_a_key_nothing_is_started(named: str | None, said: str) -> None:
    with pytest.raises(Misuse, match=said):
        find_key(CLAUDE, settings(), named, {"OPENAI_API_KEY": "x"})


def test_a_client_gets_its_base_url_and_one_key_and_keeps_the_rest() -> None:
    key = find_key(CLAUDE, settings(), "MINE", {"MINE": "k"})
    before = {"PATH": "/bin", "ANTHROPIC_AUTH_TOKEN": "of another server", "ANTHROPIC_BASE_URL": "https://elsewhere"}
    assert environment(CLAUDE, key, before) == {
        "PATH": "/bin",
        "ANTHROPIC_BASE_URL": "http://h:1",
        "ANTHROPIC_API_KEY": "k",
        KEY_VARIABLE: "k",
    }


def test_a_program_that_nobody_knows_gets_the_key_in_every_variable() -> None:
    setup = client_setup("any", "http://h:1")
    found = environment(setup, find_key(setup, settings(), "MINE", {"MINE": "k"}), {"OPENAI_API_KEY": "x"})
    assert {found[name] for name in setup.keys} == {"k"}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("::1", "http://[::1]:1"),
        ("10.0.0.5", "http://10.0.0.5:1"),
    ],
)
def test_a_proxy_that_listens_everywhere_is_found_on_this_machine(host: str, address: str) -> None:
    assert proxy_address(settings(proxy_host=host, proxy_port=1)) == address


def test_a_proxy_that_is_not_there_is_told_with_what_may_stand_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    key = find_key(CLAUDE, settings(), "MINE", {"MINE": "k"})
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(NoWayIn, match=r"does not answer .* http_proxy is set: does NO_PROXY name"):
        verify(CLAUDE, f"http://127.0.0.1:{port}", key)


def test_an_event_is_seen_when_there_is_a_newer_one() -> None:
    told = iter(["1", "1", "2"])
    assert is_seen(lambda: next(told), "1")
