"""The running fake upstream and the running control plane, as objects to ask and to tell."""

from collections.abc import Callable, Mapping
from typing import Any

import httpx


class RemoteFake:
    """The control endpoints of a fake upstream, and its management API under `management_key`."""

    def __init__(self, client: httpx.AsyncClient, url: str, management_key: str = "") -> None:
        self._client = client
        self._url = url
        self._key = {"X-Management-Key": management_key}

    async def play(self, scenario: str | Mapping[str, Any]) -> None:
        """Starts a scenario: a built-in name, or a scenario as data."""
        _checked(await self._client.put(f"{self._url}/_fake/scenario", json=scenario))

    async def requests(self, **query: str | int) -> dict[str, Any]:
        """`{"total","counts":{model:{status:n}},"requests":[…]}`; `model=`, `after=` and `limit=` narrow it."""
        return _object(await self._client.get(f"{self._url}/_fake/requests", params=query))

    async def setting(self, path: str) -> Any:
        """The value of a management setting, such as `quota-exceeded/switch-project`."""
        answer = _object(await self._client.get(f"{self._url}/v0/management/{path}", headers=self._key))
        return answer[path.rpartition("/")[2]]

    async def set(self, path: str, value: Any) -> None:
        """Changes a management setting, as a human would."""
        url = f"{self._url}/v0/management/{path}"
        _checked(await self._client.put(url, json={"value": value}, headers=self._key))

    async def reset(self) -> None:
        """Back to how it was started: scenario, records, settings, bans."""
        _checked(await self._client.post(f"{self._url}/_fake/reset"))


class RemoteControl:
    """The API of a control plane. The token is read at each call: it is made at the first start."""

    def __init__(self, client: httpx.AsyncClient, url: str, token: Callable[[], str]) -> None:
        self._client = client
        self._url = url
        self._token = token

    async def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """`GET /api/v1/{path}`, decoded."""
        return _object(await self._client.get(f"{self._url}/api/v1/{path}", params=query, headers=self._headers()))

    async def post(self, path: str) -> dict[str, Any]:
        """`POST /api/v1/{path}`, decoded."""
        return _object(await self._client.post(f"{self._url}/api/v1/{path}", headers=self._headers()))

    async def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Alerts whose own fields or labels have these values: `alert=`, `severity=`, `state=`, `provider_key=`."""
        rows = (await self.get("alerts"))["alerts"]
        return [row for row in rows if all({**row["labels"], **row}.get(name) == want for name, want in labels.items())]

    async def mitigations(self, **fields: str) -> list[dict[str, Any]]:
        """Mitigations whose fields have these values: `name=`, `kind=`, `state=`, `target=`."""
        rows = (await self.get("mitigations"))["mitigations"]
        return [row for row in rows if all(row.get(name) == want for name, want in fields.items())]

    async def events(self, **query: str | int) -> list[dict[str, Any]]:
        """Events, newest first; any field of the event narrows, `limit=` bounds."""
        events: list[dict[str, Any]] = (await self.get("events", **query))["events"]
        return events

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token()}"}


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        raise httpx.HTTPStatusError(
            f"{response.status_code} from {response.url.path}: {response.text[:500]}",
            request=response.request,
            response=response,
        )
    return response


def _object(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = _checked(response).json()
    return body
