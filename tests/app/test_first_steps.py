"""The files of a new installation, and the upstream that is found for it."""

import stat
from pathlib import Path

import pytest

from daemon import cli
from daemon.adapters.config.settings import Settings, load_settings
from daemon.app import first_steps
from daemon.app.first_steps import Home, find_upstream, write
from daemon.logic.flavour import answers
from tests.cli.test_healthcheck import answering

ITSELF = b'{"message": "CLI Proxy API Server"}'


def settings(tmp_path: Path, upstream_port: int, **more: str) -> Settings:
    environ = {"HOME": str(tmp_path), "RUNBOOKD_UPSTREAM_URL": f"http://127.0.0.1:{upstream_port}"}
    return load_settings(environ=environ | more)


def test_files_are_for_us_alone_and_are_read_as_they_were_meant(tmp_path: Path) -> None:
    home = Home(settings=tmp_path / "etc" / "runbookd" / "runbookd.toml", is_usual=False)
    secrets = {"notify_urls": "json://127.0.0.1:1/ä", "upstream_api_key": "k-1"}
    assert all(is_new for _, is_new in write(home, 'http://u"\\', secrets))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.settings.parent.rglob("*")}
    files = dict.fromkeys(["notify_urls", "upstream_api_key", "alerts.yaml", "runbookd.toml"], 0o600)
    assert modes == {"secrets": 0o700, **files}
    assert stat.S_IMODE(home.settings.parent.stat().st_mode) == 0o700
    assert cli.main(["check", str(home.alerts)]) == 0

    home.settings.unlink()
    assert [path.name for path, is_new in write(home, "http://127.0.0.1:9", {}) if is_new] == ["runbookd.toml"]
    read = load_settings(home.settings, {"HOME": str(tmp_path)})
    assert (read.upstream_url, read.alerts_path) == ("http://127.0.0.1:9", home.alerts)
    assert read.notify_url_list == ("json://127.0.0.1:1/ä",)
    assert read.upstream_api_key is not None
    assert read.upstream_api_key.get_secret_value() == "k-1"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    home = Home(settings=tmp_path / "runbookd.toml", is_usual=True)
    home.secrets.mkdir()
    for path in (home.settings, home.alerts, home.secrets / "notify_urls"):
        path.write_text("mine")
    found = list(write(home, "http://u", {"notify_urls": "json://x"}))
    assert [is_new for _, is_new in found] == [False] * 3
    assert {path.read_text() for path, _ in found} == {"mine"}


def test_the_address_of_the_settings_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(404) as mine, answering(200, ITSELF) as other:
        monkeypatch.setattr(first_steps, "USUAL_PORTS", (other,))
        assert find_upstream(settings(tmp_path, mine)).url.endswith(f":{mine}")


def test_else_the_first_usual_port_where_an_ai_proxy_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(200, b"<html>") as page, answering(200, ITSELF) as own, answering(200, ITSELF) as other:
        monkeypatch.setattr(first_steps, "USUAL_PORTS", (2, page, own, other))
        found = find_upstream(settings(tmp_path, 1, RUNBOOKD_PROXY_PORT=str(own)))
        assert found.url.endswith(f":{other}")


@pytest.mark.parametrize(("body", "is_one"), [(b'{"data": []}', True), (b'{"data": 1}', False), (b"[]", False)])
def test_a_list_of_models_makes_an_ai_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: bytes, is_one: bool
) -> None:
    with answering(200, body) as port:
        monkeypatch.setattr(first_steps, "USUAL_PORTS", (port,))
        assert answers(find_upstream(settings(tmp_path, 1))) is is_one


def test_where_none_answers_it_is_that_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_steps, "USUAL_PORTS", (2,))
    found = find_upstream(settings(tmp_path, 1))
    assert (found.url, answers(found)) == ("http://127.0.0.1:1", False)


def test_an_address_that_is_certain_is_the_only_one_that_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(200, ITSELF) as port:
        monkeypatch.setattr(first_steps, "USUAL_PORTS", (port,))
        assert not answers(find_upstream(settings(tmp_path, 1), is_certain=True))
