"""The page: one server-rendered answer to "what is going on?", and the form that lets a person in."""

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from glob import escape
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from daemon.adapters.web import shapes
from daemon.adapters.web.guard import COOKIE, SESSION_SECONDS, Sessions
from daemon.adapters.web.runbook import sections
from daemon.domain.alert import Alert
from daemon.domain.errors import StoreFailure
from daemon.domain.event import Source
from daemon.domain.probe import ProbeOutcome, ProbeResult, ProbeRow
from daemon.domain.units import say_duration, say_ratio
from daemon.logic.approving import waiting
from daemon.ports import Clock, EventQuery, Operations

WINDOW_SECONDS = 600.0
LONGEST_NAME = 200
TAIL, RESOLVED, MESSAGES, ENDED = 30, 5, 5, 3

GRAVITY = (None, ProbeOutcome.OK, ProbeOutcome.UNKNOWN, ProbeOutcome.BAD)
ABSENT = "\N{EN DASH}"

T = TypeVar("T")


class Page:
    """Renders `/` and `/login`. What the store cannot say now is left out and named; the rest is shown."""

    def __init__(self, operations: Operations, sessions: Sessions, clock: Clock, version: str, runbook: Path) -> None:
        self._operations = operations
        self._sessions = sessions
        self._clock = clock
        self._runbook = runbook
        self._templates = _environment(clock, version)

    async def overview(self, _: Request) -> Response:
        """`GET /`."""
        return self.render("overview.html", **await self._read())

    async def explain(self, request: Request) -> Response:
        """`GET /explain?alert=`: why it fired or not, was sent or not, acted or not, at this moment."""
        name = request.query_params.get("alert", "")[:LONGEST_NAME]
        told = await _or(self._operations.explain(name, None), None)
        return self.render("explain.html", alert=name, told=told, code=200 if told else 503)

    async def runbook(self, _: Request) -> Response:
        """`GET /docs/runbook.md`: what to do when an alert fires."""
        return self.render("runbook.html", sections=list(sections(self._runbook)))

    async def login(self, request: Request) -> Response:
        """`GET /login`: the form; `POST /login`: a session cookie for the right token."""
        if request.method != "POST":
            return self.render("login.html")
        form = parse_qs((await request.body()).decode("latin-1"))
        if not self._sessions.is_token(form.get("token", [""])[0].strip()):
            return self.render("login.html", code=401, refused=True)
        response = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(
            COOKIE, self._sessions.issue(), SESSION_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return response

    async def _read(self) -> dict[str, Any]:
        operations = self._operations
        alerts = [row for row in await _or(operations.alerts(), ()) if shapes.is_shown(row)]
        mitigations = await _or(operations.mitigations(), ())
        status = shapes.status(await _or(operations.status(), {}))
        providers = await _or(operations.providers(WINDOW_SECONDS), {})
        firing = _loudest(row for row in alerts if row.is_firing)
        asked = list(waiting(mitigations, alerts, self._clock.now()))
        pending = _loudest(row for row in alerts if row.state.shown == "pending")
        missing = await _or(operations.ready(), ("store",))
        events = await _or(operations.events(EventQuery(limit=TAIL)), None)
        quota = await _or(operations.quota(), ())
        return {
            "status": status,
            "notices": [*(f"not ready yet: {what}" for what in missing), *_troubles(status)],
            "firing": firing,
            "pending": [row for row in pending if row.episode not in {other.episode for other in firing}],
            "resolved": sorted(
                _loudest(row for row in alerts if row.state.shown == "resolved"), key=lambda row: -row.since
            )[:RESOLVED],
            "providers": dict(sorted(providers.items(), key=lambda item: -item[1].get("request_count", 0))),
            "requests": sum(figures.get("request_count") or 0 for figures in providers.values()),
            "failures": sum(figures.get("failure_count") or 0 for figures in providers.values()),
            "window": WINDOW_SECONDS,
            "open_mitigations": [row for row in mitigations if row.state.is_open],
            "asked_mitigations": asked,
            "ended_mitigations": [row for row in mitigations if not row.state.is_open and row not in asked][:ENDED],
            "alert_names": {row.fingerprint: row.alert for row in alerts},
            "wanted_by": lambda alert: shapes.wanted_by(alert, mitigations),
            "silences": await _or(operations.silences(), ()),
            "messages": (await _or(operations.notifications(), ()))[:MESSAGES],
            "events": events,
            "past": ()
            if providers or any(event.source is Source.CLIENT for event in events or ())
            else await _or(operations.past(), ()),
            "quota": [one for one in quota if one.tells or one.quota_reset_seconds is not None],
            "untold": [one for one in quota if not one.tells and one.quota_reset_seconds is None],
            "probes": _probes(await _or(operations.probes(), ())),
        }

    def refused(self, why: str) -> Response:
        """After a button that did nothing."""
        return self.told("Nothing was done", why, code=409)

    def told(self, title: str, *lines: str, code: int = 200) -> Response:
        """A page that says how something went, or why it did not."""
        return self.render("told.html", code=code, title=title, lines=lines)

    def render(self, name: str, *, code: int = 200, **context: Any) -> Response:
        """A page from its template."""
        return HTMLResponse(self._templates.get_template(name).render(now=self._clock.now(), **context), code)


async def _or(reading: Awaitable[T], instead: Any) -> T:
    try:
        return await reading
    except StoreFailure:
        return instead  # type: ignore[no-any-return]


def _loudest(alerts: Iterable[Alert]) -> list[Alert]:
    """One alert for each episode, its most severe, the worst first: a critical mutes its warning."""
    by_episode = sorted(alerts, key=lambda row: (row.episode, -row.severity.rank))
    first = [next(rows) for _, rows in groupby(by_episode, key=lambda row: row.episode)]
    return sorted(first, key=lambda row: (-row.severity.rank, shapes.since(row)))


def _probes(rows: Iterable[ProbeRow]) -> list[tuple[ProbeRow, ProbeOutcome | None, list[ProbeResult]]]:
    """Those that are on, what is bad first: each with its worst verdict, and those that say so unless all is well."""
    told = [(row, _worst(row)) for row in rows if row.enabled]
    return [
        (row, worst, [one for one in row.results if one.outcome is worst and worst is not ProbeOutcome.OK])
        for row, worst in sorted(told, key=lambda pair: (-GRAVITY.index(pair[1]), pair[0].probe))
    ]


def _worst(row: ProbeRow) -> ProbeOutcome | None:
    return max((one.outcome for one in row.results), key=GRAVITY.index, default=None)


def _troubles(status: Mapping[str, Any]) -> Sequence[str]:
    """What is wrong with ourselves, in words."""
    upstream, store, config = (status.get(part) or {} for part in ("upstream", "store", "config"))
    dropped = (status.get("spool") or {}).get("dropped_total") or 0
    cut_off = (status.get("receivers") or {}).get("cut_off") or ()
    said = (
        (upstream.get("reachable") is False, "the upstream does not answer"),
        (store.get("ok") is False, "the store does not answer: what is shown may be old"),
        (config.get("ok") is False, "the alerts file is broken: the last good rules are in force"),
        (bool(cut_off), f"messages do not arrive: {', '.join(cut_off)} cannot be reached"),
        (dropped > 0, f"{dropped} events were dropped: figures are too low"),
    )
    return [text for wrong, text in said if wrong]


def _environment(clock: Clock, version: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("daemon.adapters.web"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["version"] = version
    environment.filters |= {
        "ago": lambda at: say_duration(max(0, clock.now() - at) // 1000),
        "left": lambda at: say_duration(max(0, at - clock.now()) // 1000),
        "time": _time,
        "since": shapes.since,
        "ratio": lambda ratio: ABSENT if ratio is None else say_ratio(ratio),
        "ms": _ms,
        "count": _count,
        "duration": say_duration,
        "plain": _plain,
        "exactly": escape,
    }
    return environment


def _time(at: int) -> Markup:
    written = shapes.instant(at) or ""
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(written, written[11:19])


def _ms(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def _count(value: float | None) -> str:
    if value is None:
        return ABSENT
    for size, unit in ((1e9, "G"), (1e6, "M")):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def _plain(value: Any) -> str:
    """A value before or after a mitigation, as its file would write it."""
    if value is None:
        return ABSENT
    return str(value).lower() if isinstance(value, bool) else str(value)
