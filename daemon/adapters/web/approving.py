"""Approving: the page behind a one-time link, which shows what would be changed; only its button changes anything."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from daemon.adapters.web.page import Page
from daemon.domain.alert import Alert
from daemon.domain.errors import Conflict
from daemon.domain.mitigation import Mitigation
from daemon.logic.approving import PATH, Standing, find, standing
from daemon.logic.mitigation import kind_of
from daemon.ports import Clock, Operations

TOKEN = re.compile(r"[0-9a-f]{32}")
ACTOR = "human:approval-link"

TITLES = {
    Standing.USED: "This link was used already",
    Standing.EXPIRED: "The time to approve this is over",
    Standing.OVERTAKEN: "This is not needed any more",
}
REASONS = {
    Standing.USED: "It was approved once, and a link works only once. Nothing was changed now.",
    Standing.EXPIRED: "Nothing was changed. If it is still wanted, it can be applied on the dashboard.",
    Standing.OVERTAKEN: "Either the alert is over, or it is being done already. Nothing was changed now.",
}


class Approving:
    """Whoever has the link may approve this one change, without a login; previews of links only ever GET."""

    def __init__(self, operations: Operations, page: Page, key: bytes, clock: Clock) -> None:
        self._operations = operations
        self._page = page
        self._key = key
        self._clock = clock

    def routes(self) -> list[Route]:
        """None without a key."""
        return [Route(PATH + "{token}", self.answer, methods=["GET", "POST"])] if self._key else []

    async def answer(self, request: Request) -> Response:
        """`GET` shows what would be done, `POST` does it."""
        rows = await self._operations.mitigations()
        row = self._asked(request.path_params["token"], rows)
        if row is None:
            return self._page.told("There is nothing behind this link", "It may be an old one.", code=404)
        alerts = await self._operations.alerts()
        now_is = standing(row, rows, alerts, self._clock.now())
        if now_is is not Standing.OPEN:
            return self._page.told(TITLES[now_is], _change(row), REASONS[now_is], code=410)
        if request.method == "POST":
            return await self._approve(row)
        owners = [alert for alert in alerts if alert.fingerprint in row.owners and alert.is_firing]
        return self._page.render("approve.html", row=row, change=_change(row), reasons=_reasons(row, owners))

    def _asked(self, token: str, rows: Sequence[Mitigation]) -> Mitigation | None:
        return find(token, rows, self._key) if TOKEN.fullmatch(token) else None

    async def _approve(self, row: Mitigation) -> Response:
        try:
            done = await self._operations.act(row.id, "approve", ACTOR)
        except Conflict as conflict:
            return self._page.told("It could not be done", _change(row), str(conflict), code=409)
        state = done.state.value.replace("_", " ")
        return self._page.told("Approved", _change(row), f"It is {state} now, and is undone when the alert is over.")


def _change(row: Mitigation) -> str:
    words = kind_of(row.kind).say(row.target, row.value_wanted)
    return f"{row.name}: {words}"


def _reasons(row: Mitigation, owners: list[Alert]) -> list[str]:
    """Why it is asked for, as it is now."""
    told = [f"{alert.alert} ({alert.severity}): {alert.summary or alert.value_text}" for alert in owners]
    return told or [row.evidence]
