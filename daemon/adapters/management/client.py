"""The upstream's management API over HTTP: one strike and all calls end, for five would ban our address."""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn, TypeVar

import httpx

from daemon.domain.credential import CredentialFile
from daemon.domain.errors import ManagementFailure
from daemon.domain.mitigation import Call
from daemon.domain.probe import Ask, Reply
from daemon.ports import Clock

T = TypeVar("T")

BASE = "/v0/management/"
TIMEOUT_SECONDS = 5.0
BARRED_SECONDS = 1800.0
MOST_BYTES = 1 << 20
"""Of an answer that a probe gets."""
VERSION_HEADER = "x-cpa-version"


class ManagementClient:
    """A `ManagementApi`. The key goes out in a header and nowhere else."""

    def __init__(self, base_url: str, key: str, clock: Clock) -> None:
        self._key = key.encode()
        self._clock = clock
        self._barred_until = float("-inf")
        self._barred_by = ""
        self.version: str | None = None
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_SECONDS,
            trust_env=False,
        )

    async def read(self, path: str) -> Any:
        """GET, decoded. Raises `ManagementFailure`."""
        answer = await self._call("GET", path)
        try:
            return answer.json()
        except ValueError:
            raise ManagementFailure(f"{path}: the answer is not JSON", status=answer.status_code) from None

    async def send(self, call: Call) -> None:
        """Returning says only that the upstream said so. Raises `ManagementFailure`."""
        await self._call(call.method, call.path, call.body)

    @property
    def key(self) -> bytes:
        """For the one other door of the same upstream that takes it."""
        return self._key

    def check(self) -> None:
        """Raises `ManagementFailure` while the key must not be used."""
        if self._clock.monotonic() < self._barred_until:
            raise ManagementFailure(self._barred_by, barred=True)

    def bar(self, reason: str, status: int = 401) -> NoReturn:
        """The key was refused, here or at another door: it is not used for a while. Raises `ManagementFailure`."""
        self._barred_until, self._barred_by = self._clock.monotonic() + BARRED_SECONDS, f"{reason}; set another key"
        raise ManagementFailure(self._barred_by, status=status, barred=True)

    async def ask(self, ask: Ask) -> Reply:
        """What a probe asks. Never raises: what went wrong is in the reply."""
        began = self._clock.monotonic()
        try:
            answer = await self._call(
                ask.method, ask.path, ask.body, may_refuse=True, patience=ask.patience_seconds or TIMEOUT_SECONDS
            )
        except ManagementFailure as failure:
            return Reply(status=failure.status, error=str(failure))
        return reply_of(answer, answer.content[:MOST_BYTES], self._clock.monotonic() - began)

    async def config_fingerprints(self) -> Mapping[str, str]:
        """A hash of each top-level key of the config, keyed with our key so that no value can be guessed."""
        config = await self.read("config")
        if not isinstance(config, dict):
            raise ManagementFailure("config: the answer is not an object", status=200)
        return {name: self._hash(name, value) for name, value in config.items()}

    async def credential_files(self) -> Sequence[CredentialFile]:
        """The credentials that the upstream lists; those without an index are left out."""
        answer = await self.read("auth-files")
        files = answer.get("files") if isinstance(answer, dict) else None
        return [_credential(file) for file in files or () if isinstance(file, dict) and file.get("auth_index")]

    async def close(self) -> None:
        await self._http.aclose()

    async def _call(
        self, method: str, path: str, body: Any = None, *, may_refuse: bool = False, patience: float = TIMEOUT_SECONDS
    ) -> httpx.Response:
        self.check()
        try:
            answer = await self._http.request(method, BASE + path, json=body, timeout=patience)
        except httpx.HTTPError as error:
            raise ManagementFailure(f"{path}: no answer from the upstream ({type(error).__name__})") from None
        if answer.status_code in (401, 403):
            self.bar(f"the management key was refused ({answer.status_code}{_reason(answer)})", answer.status_code)
        if not (answer.is_success or may_refuse):
            raise ManagementFailure(f"{path}: {answer.status_code}{_reason(answer)}", status=answer.status_code)
        self.version = answer.headers.get(VERSION_HEADER) or self.version
        return answer

    def _hash(self, name: str, value: Any) -> str:
        text = json.dumps([name, value], sort_keys=True, separators=(",", ":"))
        return hmac.digest(self._key, text.encode(), "sha256").hex()[:16]


def reply_of(answer: httpx.Response, body: bytes, seconds: float, error: str = "") -> Reply:
    """An answer as a probe gets it, with as much of its body as came within so long."""
    headers = {name.lower(): value for name, value in answer.headers.items()}
    duration_ms = round(seconds * 1000)
    return Reply(status=answer.status_code, headers=headers, body=body, duration_ms=duration_ms, error=error)


def _credential(file: Mapping[str, Any]) -> CredentialFile:
    return CredentialFile(
        auth_index=str(file["auth_index"]),
        name=str(file.get("name", "")),
        provider_key=str(file.get("provider") or file.get("type") or "unknown"),
        disabled=_kind(file, "disabled", bool),
        unavailable=_kind(file, "unavailable", bool),
        status=_kind(file, "status", str),
        priority=_kind(file, "priority", int),
        runtime_only=_kind(file, "runtime_only", bool),
        last_refresh=_instant(file, "last_refresh"),
        next_retry_after=_instant(file, "next_retry_after"),
        plan_type=_plan(file),
        served=_served(file),
    )


def _kind(file: Mapping[str, Any], field: str, kind: type[T]) -> T | None:
    """What is of another kind is not told."""
    value = file.get(field)
    return value if type(value) is kind else None


def _plan(file: Mapping[str, Any]) -> str | None:
    """In lower case."""
    token = file.get("id_token")
    plan = _kind(token, "plan_type", str) if isinstance(token, dict) else None
    return (plan or "").strip().lower() or None


def _instant(file: Mapping[str, Any], field: str) -> int | None:
    """RFC 3339 as epoch ms; what no clock says, such as the year 1, is not told."""
    try:
        instant = datetime.fromisoformat(_kind(file, field, str) or "")
    except ValueError:
        return None
    return round(instant.timestamp() * 1000) if instant.tzinfo and instant.year > 1970 else None


def _served(file: Mapping[str, Any]) -> int | None:
    counts = [_kind(file, name, int) for name in ("success", "failed")]
    return None if None in counts else sum(filter(None, counts))


def _reason(answer: httpx.Response) -> str:
    """The upstream's own short word for it."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    error = body.get("error") if isinstance(body, dict) else None
    return f", {error[:120]}" if isinstance(error, str) else ""
