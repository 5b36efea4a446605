"""What only a caller on the upstream's own host may see is not seen through us: no disguised path, no claimed address.

The whole corpus goes over real sockets to an upstream that records whatever reaches it.
"""

import asyncio
import re
from collections.abc import Iterable

import pytest

from tests.fakes.proxy import RunningProxy, running_proxy
from tests.fakes.raw_server import always, raw_server, response
from tests.logic.disguises import CORPUS, COUNT, can_be_sent

AT_ONCE = 8
REACHED = always(response(b"reached", b"Connection: close"))


async def answers(proxy: RunningProxy, requests: Iterable[bytes]) -> list[bytes]:
    """What each request is answered with; a few connections at a time."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def ask(request: bytes) -> bytes:
        async with turn:
            return await proxy.exchange(request)

    return await asyncio.gather(*map(ask, requests))


def get(target: bytes, *headers: bytes) -> bytes:
    """With `Connection: close` before the other headers, unless they begin with a `Connection` of their own."""
    first = [] if headers[:1] and headers[0].startswith(b"Connection") else [b"Connection: close"]
    return b"\r\n".join((b"GET " + target + b" HTTP/1.1", b"Host: x", *first, *headers, b"", b""))


# ---- paths -----------------------------------------------------------------------------------------------------------


def test_the_corpus_is_large() -> None:
    assert COUNT >= 1500


@pytest.mark.parametrize(
    "place", CORPUS, ids=[f"{place.decode()} in {len(targets)} disguises" for place, targets in CORPUS.items()]
)
async def test_in_no_disguise_does_a_denied_path_reach_the_upstream(place: bytes) -> None:
    """It is denied; what may not stand in a request at all may also be rejected for that."""
    async with raw_server(REACHED) as upstream, running_proxy(upstream.url) as proxy:
        said = zip(CORPUS[place], await answers(proxy, map(get, CORPUS[place])), strict=True)
        statuses = {target: int(answer.split()[1]) for target, answer in said}
        assert {
            target: one for target, one in statuses.items() if one != 403 and (one != 400 or can_be_sent(target))
        } == {}
        assert upstream.peers == []


USED = b"""
/ /healthz /v1/models /v1/chat/completions /v1/completions /v1/messages /v1/messages?beta=true /v1/messages/count_tokens
/v1/responses /v1/responses/compact /v1/images/generations /v1/images/edits /v1/videos/abc /v1/videos/generations
/openai/v1/videos/abc/content /v1/alpha/search /backend-api/codex/responses /backend-api/codex/responses/compact
/backend-api/codex/alpha/search /v1/live /v1/live/call_1 /v1/realtime/calls/call_1/hangup /v1/realtime/client_secrets
/v1beta/models /v1beta/models/gemini-2.5 /v1beta/models/m:streamGenerateContent?alt=sse /v1beta/models/m%3AcountTokens
/v1beta/models/m(high):generateContent /v1beta/interactions /v1/routing/select /api/event_logging/batch
/api/provider/x/v1/chat/completions /api/provider/x/v1/messages /api/provider/x/v1beta/models/m:generateContent
/api/provider/google/v1beta1/publishers/google/models/m:streamGenerateContent /api/internal?x /api/user /api/threads/T-1
/threads.rss /docs /settings/x /auth/sign-in /v1/models/a%2Fb /v1/models/a%252Fb /v1/models/a%20b /v1/models/%E6%A8%A1
/v1/files/debug-notes /v1/keep-alive-x /keep-alive-x /v1/models/v0 /v1/models/management-x /v01/x /v1/internal
/v1/callbacks/x /callback /v1/models?next=/v0/management&x=callback /v1//models //v1/models /v1/../v1/models
""".split()


async def test_what_clients_use_arrives_as_it_was_sent() -> None:
    async with raw_server(REACHED) as upstream, running_proxy(upstream.url) as proxy:
        assert {answer[-7:] for answer in await answers(proxy, map(get, USED))} == {b"reached"}
        assert sorted(peer.received.split(b" ")[1] for peer in upstream.peers) == sorted(USED)


# ---- addresses -------------------------------------------------------------------------------------------------------

FORGED = {
    "the usual": [b"X-Forwarded-For: 10.6.6.6"],
    "lower case": [b"x-forwarded-for: 10.6.6.6"],
    "odd case": [b"X-fOrWaRdEd-FoR: 10.6.6.6"],
    "twice": [b"X-Forwarded-For: 10.6.6.6", b"X-Forwarded-For: 10.6.6.6"],
    "a list": [b"X-Forwarded-For: 10.6.6.6, 10.6.6.6"],
    "our own address": [b"X-Forwarded-For: ::1, 10.6.6.6"],
    "underscores": [b"X_Forwarded_For: 10.6.6.6"],
    "one underscore": [b"X-Forwarded_For: 10.6.6.6"],
    "another underscore": [b"x_forwarded-for: 10.6.6.6"],
    "host": [b"X-Forwarded-Host: 10.6.6.6"],
    "protocol, port, server": [b"X-Forwarded-Proto: x6.6", b"X-Forwarded-Port: 6.6", b"X_Forwarded_Server: 6.6"],
    "prefix and a name of its own": [b"X-Forwarded-Prefix: /6.6", b"X-Forwarded-Whatever: 6.6"],
    "real address": [b"X-Real-IP: 10.6.6.6"],
    "real address, odd case": [b"x-rEaL-iP: 10.6.6.6"],
    "real address, underscores": [b"X_Real_IP: 10.6.6.6", b"X-Real_IP: 10.6.6.6"],
    "the standard": [b"Forwarded: for=10.6.6.6;by=10.6.6.6"],
    "the standard twice": [b"Forwarded: for=10.6.6.6", b"FORWARDED: for=10.6.6.6"],
    "named by Connection": [b"Connection: close, X-Forwarded-For", b"X-Forwarded-For: 10.6.6.6"],
    "named by Connection among others": [b"Connection: x-real-ip, X-Forwarded-For, close", b"X-Real-IP: 10.6.6.6"],
    "named with underscores": [b"Connection: x_forwarded_for, close", b"X_Forwarded_For: 10.6.6.6"],
    "named by a second Connection": [b"Accept: */*", b"Connection: Forwarded", b"Forwarded: for=10.6.6.6"],
    "many blanks before the value": [b"X-Forwarded-For:    10.6.6.6"],
    "no value": [b"X-Forwarded-For:", b"X-Real-IP:"],
    "all at once": [b"Forwarded: for=10.6.6.6", b"X-Real-IP: 10.6.6.6", b"X-Forwarded-For: 10.6.6.6", b"X: 1"],
}
_CLAIM = re.compile(rb"\r\n((?:x[-_]forwarded[-_][^:]*|x[-_]real[-_]ip|forwarded)):\s*([^\r]*)")


async def test_the_upstream_hears_the_address_from_us_only() -> None:
    """Each request is told from the others by its path."""
    requests = [get(b"/v1/models/%d" % number, *headers) for number, headers in enumerate(FORGED.values())]
    async with raw_server(REACHED) as upstream, running_proxy(upstream.url) as proxy:
        assert {answer[-7:] for answer in await answers(proxy, requests)} == {b"reached"}
        received = {int(peer.received.split()[1].rpartition(b"/")[2]): bytes(peer.received) for peer in upstream.peers}
    heard = {name: _CLAIM.findall(received[number].lower()) for number, name in enumerate(FORGED)}
    assert heard == {name: [(b"x-forwarded-for", b"127.0.0.1")] for name in FORGED}
    assert not any(b"6.6" in head for head in received.values())
