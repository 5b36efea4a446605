"""The commands' way to the control plane: its HTTP API, with the token of this installation."""

import json
import re
from argparse import Namespace
from collections.abc import Mapping
from getpass import getuser
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from daemon.domain.errors import Conflict, Misuse, RunbookdError

if TYPE_CHECKING:
    from daemon.adapters.config.settings import Settings

TIMEOUT_SECONDS = 15.0
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to find a server that listens everywhere."""


class Unreachable(RunbookdError):
    """The control plane does not answer."""


class Refused(RunbookdError):
    """The control plane answered, but not with what was asked for."""


class ControlClient:
    """Calls the API. Raises `Unreachable`, `Misuse` (400), `Conflict` (409) and `Refused`, each with one line."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host = LOOPBACK.get(host, host)
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "X-Runbookd-Actor": _user()}

    def get(self, path: str, parameters: Mapping[str, str] | None = None) -> Any:
        """The answer to `GET /api/v1/{path}`, decoded; a path with a leading slash is taken as it is."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self._call("GET", path if path.startswith("/") else f"/api/v1/{path}", query)

    def act(self, mitigation: str, action: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The mitigation's row after the action; the body may say for how long, why, and who wants it."""
        path = f"mitigations/{quote(mitigation, safe='')}/{action}"
        row: dict[str, Any] = self.post(path, body or {})
        return row

    def post(self, path: str, body: Mapping[str, Any], *, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
        """The answer to `POST /api/v1/{path}` with a JSON object, decoded."""
        return self._call("POST", f"/api/v1/{path}", "", json.dumps(body), timeout_seconds)

    def delete(self, path: str) -> Any:
        """The answer to `DELETE /api/v1/{path}`, decoded."""
        return self._call("DELETE", f"/api/v1/{path}", "")

    def _call(
        self, method: str, path: str, query: str, body: str | None = None, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> Any:
        connection = HTTPConnection(self._host, self._port, timeout=timeout_seconds)
        try:
            connection.request(method, path + query, body, self._headers)
            response = connection.getresponse()
            status, answer = response.status, response.read()
        except (OSError, HTTPException) as error:
            where = f"{self._host}:{self._port}"
            raise Unreachable(
                f"the control plane does not answer at {where} ({_reason(error)}): is it running?"
            ) from None
        finally:
            connection.close()
        return _decoded(status, answer)


def connect(args: Namespace) -> ControlClient:
    """A client for the control plane that the settings describe."""
    from daemon.adapters.config.settings import load_settings

    return client_for(load_settings(args.config))


def client_for(settings: "Settings") -> ControlClient:
    """As `connect`, for settings that are loaded already."""
    return ControlClient(settings.control_host, settings.control_port, token_of(settings))


def token_of(settings: "Settings") -> str:
    """The token of this installation. Raises `Unreachable` where it cannot be read."""
    token = settings.control_token
    return token.get_secret_value() if token is not None else _token_file(settings)


def _token_file(settings: "Settings") -> str:
    from daemon.app.places import Places

    path = Places(settings.state_dir, settings.runtime_dir).token
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        raise Unreachable(f"there is no token in {path}: the control plane makes it at its first start") from None
    except OSError as error:
        raise Unreachable(f"the token in {path} cannot be read ({_reason(error)}): use the daemon's user") from None


def _decoded(status: int, body: bytes) -> Any:
    try:
        answer = json.loads(body)
    except ValueError:
        raise Refused(
            f"the control port answered {status} with something that is not ours: is the port right?"
        ) from None
    if status < 300 or (status == 503 and "ready" in answer):
        return answer
    if status == 401:
        raise Refused("the control plane refused the token: is it of this installation?")
    detail = str(answer.get("detail", f"status {status}")) if isinstance(answer, dict) else f"status {status}"
    raise {400: Misuse, 409: Conflict}.get(status, Refused)(detail)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def _user() -> str:
    """Who asks, for the audit."""
    try:
        return re.sub(r"[^\w.@-]", "_", getuser(), flags=re.ASCII)[:64]
    except (KeyError, OSError):
        return "cli"
