"""The guard of the control port: who may come in, by which name, from where; and the headers on every answer."""

import hmac
import re
from collections.abc import Iterable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daemon.adapters.web.problems import problem
from daemon.logic.approving import PATH
from daemon.ports import Clock

COOKIE = "runbookd_session"
SESSION_SECONDS = 12 * 3600
PAGES = frozenset({"/", "/explain", "/docs/runbook.md"})
OPEN_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/login"})
HOOKS = "/api/v1/hooks/slack/"
"""What follows is the key: who posts here can send nothing but an address."""
READING = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",  # with no-referrer a browser would send `Origin: null` with our own form
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def hook_key(token: str) -> str:
    """The key in the address of the hook: it is good for this door alone, and leads to no token."""
    return hmac.new(token.encode(), b"runbookd slack hook", sha256).hexdigest()[:32]


class Sessions:
    """Knows the token, and makes cookies that prove that their holder knew it; no list of sessions is kept."""

    def __init__(self, token: str, clock: Clock) -> None:
        if not token:
            raise ValueError("the control port needs a token")
        self._token = token.encode()
        self._clock = clock

    def is_token(self, text: str) -> bool:
        """Compares in constant time."""
        return hmac.compare_digest(text.encode(), self._token)

    def is_hook(self, path: str) -> bool:
        """Whether a path is the hook's, with its key; compares in constant time."""
        return hmac.compare_digest(path.encode(), (HOOKS + hook_key(self._token.decode())).encode())

    def issue(self) -> str:
        """A cookie value that is good for `SESSION_SECONDS`."""
        expiry = str(self._clock.now() + SESSION_SECONDS * 1000)
        return f"{expiry}.{self._sign(expiry)}"

    def accepts(self, cookie: str) -> bool:
        """Whether we issued it, under the present token, and it has not expired."""
        expiry, _, signature = cookie.partition(".")
        genuine = hmac.compare_digest(signature.encode(), self._sign(expiry).encode())
        return genuine and int(expiry) > self._clock.now()

    def _sign(self, expiry: str) -> str:
        return hmac.new(self._token, b"runbookd session " + expiry.encode(), sha256).hexdigest()


class Guard:
    """Pure ASGI. Refuses foreign host names (DNS rebinding), foreign origins (CSRF) and callers without the token."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions, allowed_hosts: Iterable[str]) -> None:
        self._app = app
        self._sessions = sessions
        self._allowed = frozenset(host.lower() for host in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["cache-control"] = "no-cache" if scope["path"].startswith("/static/") else "no-store"
                headers.update(HEADERS)
            await send(message)

        answer = self._refusal(scope) or self._app
        await answer(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers, path, reading = Headers(scope=scope), str(scope["path"]), scope["method"] in READING
        if not self._is_our_host(headers.getlist("host")):
            return problem(421, "This host name is not ours: open the page by its address, or set RUNBOOKD_PUBLIC_URL.")
        if path.startswith(PATH):
            return None  # its token is its own secret, good for one thing, once: no page can post it unless it was told
        if not reading and not self._is_our_origin(headers):
            return problem(403, "A page of another origin may not do this.")
        if path in OPEN_PATHS or path.startswith("/static/"):
            return None
        if scope["method"] == "POST" and self._sessions.is_hook(path):
            scope.setdefault("state", {})["door"] = "hook"
        elif self._has_token(headers):
            scope.setdefault("state", {})["door"] = "token"
        elif self._has_session(headers):
            if not reading and "origin" not in headers:
                return problem(403, "A session may act only from its own page.")
            scope.setdefault("state", {})["door"] = "session"
        elif path in PAGES and reading:
            return RedirectResponse("/login", 303)
        else:
            challenge = {"www-authenticate": 'Bearer realm="runbookd"'}
            return problem(401, "Send the control token: Authorization: Bearer <token>.", headers=challenge)
        return None

    def _is_our_host(self, hosts: list[str]) -> bool:
        if len(hosts) != 1:
            return False
        host = hosts[0].lower()
        name = re.sub(r":\d*$", "", host)
        return host in self._allowed or name in self._allowed or name == "localhost" or _is_address(name)

    def _is_our_origin(self, headers: Headers) -> bool:
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        authority = urlsplit(origin).netloc.lower()
        return bool(authority) and (authority == headers["host"].lower() or authority in self._allowed)

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._sessions.is_token(token.strip())

    def _has_session(self, headers: Headers) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and self._sessions.accepts(cookie.value)


def _is_address(name: str) -> bool:
    """An IP address cannot be rebound: only a name can be made to point at us."""
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
