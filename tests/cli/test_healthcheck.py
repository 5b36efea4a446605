"""The container's health check: alive or not, by the ports of the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from daemon import cli


@contextmanager
def answering(status: int, body: bytes = b"", *, date: bool = False) -> Iterator[int]:
    """A server that knows the paths of health, and `/`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(status if self.path in ("/health", "/healthz", "/") else 404)
            if date:
                self.send_header("Date", self.date_time_string())
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("proxy", "control", "argv", "code"),
    [
        (200, 200, (), 0),
        (503, 200, (), 1),
        (200, 503, (), 1),
        (503, 200, ("--only", "control"), 0),
        (503, 200, ("--only", "proxy"), 1),
    ],
)
def test_both_must_be_alive(
    proxy: int, control: int, argv: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(proxy) as proxy_port, answering(control) as control_port:
        monkeypatch.setenv("RUNBOOKD_PROXY_PORT", str(proxy_port))
        monkeypatch.setenv("RUNBOOKD_CONTROL_PORT", str(control_port))
        monkeypatch.setenv("RUNBOOKD_PROXY_HOST", "0.0.0.0")
        assert cli.main(["healthcheck", *argv]) == code


def test_the_file_says_where_the_environment_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNBOOKD_PROXY_PORT", raising=False)
    with answering(200) as port:
        (tmp_path / "runbookd.toml").write_text(f"proxy_port = {port}\n")
        assert cli.main(["--config", str(tmp_path / "runbookd.toml"), "healthcheck", "--only", "proxy"]) == 0


def test_a_file_that_lies_where_files_of_settings_lie_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "runbookd").mkdir()
    with answering(200) as port:
        (tmp_path / "runbookd" / "runbookd.toml").write_text(f"proxy_port = {port}\n")
        assert cli.main(["healthcheck", "--only", "proxy"]) == 0


def test_nobody_there_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "1")
    assert cli.main(["healthcheck", "--only", "proxy"]) == 1
    assert capsys.readouterr().err == "proxy: no answer from 127.0.0.1:1 ([Errno 111] Connection refused)\n"
