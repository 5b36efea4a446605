"""What a client does next: exchanges whose answers are known, and bad manners."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from time import monotonic

from bench.storm import frames
from bench.storm.plan import FAIR, FOUL, Plan, digest
from bench.storm.tally import EXPECTED, GOOD, OURS, RACE, Tally
from bench.storm.upstream import Upstream
from bench.storm.wire import Answer, Wire

PATIENCE_SECONDS = 30.0
BAD_GATEWAY = 502
CHAT, OTHER = "/v1/chat/completions", "/v1/embeddings"


class Client:
    """One after another of `ACTS`, mostly on one connection."""

    def __init__(self, port: int, upstream: Upstream, tally: Tally, random: Random) -> None:
        self._port, self._upstream, self._tally, self._random = port, upstream, tally, random
        self._wire = Wire(port)
        self._last = Plan(0, "", 0, 0)

    async def run(self, until: float) -> None:
        names = list(ACTS)
        weights = [weight for _, weight in ACTS.values()]
        while monotonic() < until:
            (name,) = self._random.choices(names, weights)
            await self.act(name)
        self._wire.leave()

    async def act(self, name: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ACTS[name][0](self, name)
        except TimeoutError:
            reached = f"{self._upstream.began[self._last.number]}/{self._upstream.whole[self._last.number]}"
            self._tally.note(name, OURS, f"hung: {self._last}, reached the upstream {reached}; {self._wire}")
            self._wire.leave(rudely=True)
        except OSError as error:
            self._tally.note(name, OURS, f"{type(error).__name__}: {error}")
            self._wire.leave(rudely=True)

    # ---- exchanges whose answers are known ---------------------------------------------------------------------------

    async def plain(self, name: str) -> None:
        """A well-behaved request of any kind."""
        does = self._random.choices(FAIR, (10, 8, 4, 3, 2, 2, 2, 2, 1, 0, 2, 0, 0))[0]
        await self._exchange(name, self._plan(does), self._random.choice(["POST", "POST", "GET", "HEAD", "OPTIONS"]))

    async def big(self, name: str) -> None:
        """A large answer, read slowly on a small buffer; then a small one on the same connection."""
        kept, self._wire = self._wire, Wire(self._port, room=16384)
        await self._exchange(name, self._plan("big", self._random.randrange(1 << 19, 1 << 22)), "GET", pause=0.002)
        await self._exchange(name, self._plan("json"), "GET")
        self._wire.leave()
        self._wire = kept

    async def upload(self, name: str) -> None:
        """A large body, with a length or in chunks, that the upstream takes slowly."""
        body = self._random.randbytes(self._random.choice([5, 3000, 200_000, 900_000, 3_000_000]))
        await self._exchange(name, self._plan("sink"), "POST", body, chunked=self._random.random() < 0.5)

    async def early(self, name: str) -> None:
        """Answered before its body is read; the client sends on, and must get the answer."""
        body = self._random.randbytes(self._random.choice([2000, 100_000, 400_000]))
        await self._exchange(name, self._plan("early"), "POST", body, gap=self._random.choice([0.0, 0.03]))

    async def slow_head(self, name: str) -> None:
        """A good request, in small pieces."""
        plan = self._plan("json")
        data, began = self._request(plan, "POST", b"{}"), monotonic()
        cut = sorted(self._random.randrange(1, len(data)) for _ in range(5))
        await self._wire.send(*(data[a:b] for a, b in zip([0, *cut], [*cut, len(data)], strict=True)), gap=0.01)
        self._judge(name, plan, "POST", b"{}", await self._wire.answer(), began)

    async def continued(self, name: str) -> None:
        """Sends its body when it is told to."""
        plan, body, began = self._plan("json"), b"x" * 5000, monotonic()
        data = self._request(plan, "POST", body, b"Expect: 100-continue\r\n")
        await self._wire.send(data[: -len(body)])
        reader = await self._wire.reader()
        said = await reader.readuntil(b"\r\n\r\n")
        if said != b"HTTP/1.1 100 Continue\r\n\r\n":
            self._tally.note(name, OURS, f"{said!r} instead of 100")
            self._wire.leave()
            return
        await self._wire.send(body)
        self._judge(name, plan, "POST", body, await self._wire.answer(), began)

    async def pipelined(self, name: str) -> None:
        """Some requests in one piece: answered in their order."""
        plans = [self._plan(self._random.choice(["json", "sse", "chunks", "429", "empty"])) for _ in range(3)]
        methods = [self._random.choice(["GET", "POST"]) for _ in plans]
        asks = [self._request(*one, b"{}" if one[1] == "POST" else b"") for one in zip(plans, methods, strict=True)]
        began = monotonic()
        await self._wire.send(b"".join(asks))
        for plan, method in zip(plans, methods, strict=True):
            answer = await self._wire.answer(method)
            if not self._judge(name, plan, method, b"{}" if method == "POST" else b"", answer, began) or answer.closes:
                self._wire.leave()
                return

    async def old(self, name: str) -> None:
        """HTTP/1.0: the end of the answer is that of the connection."""
        self._wire.leave()
        plan, began = self._plan(self._random.choice(["json", "chunks", "sse"])), monotonic()
        await self._wire.send(self._request(plan, "GET").replace(b"HTTP/1.1", b"HTTP/1.0"))
        self._judge(name, plan, "GET", b"", await self._wire.answer("GET"), began)

    async def websocket(self, name: str) -> None:
        """Some turns; then one of the three leaves."""
        does = "reset" if self._random.random() < 0.2 else "json"
        wire, plan, turns = Wire(self._port), self._plan(does), self._random.randrange(1, 4)
        self._tally.possible += 1
        await wire.send(frames.opening("/v1/responses", plan.line))
        if (answer := await wire.answer("GET")).status != 101:
            verdict = RACE if answer.status == BAD_GATEWAY and not self._upstream.began[plan.number] else OURS
            self._tally.note(name, verdict, f"{answer.status} instead of 101 {answer.body!r}")
            wire.leave()
            return
        for turn in range(turns):
            if not await self._turn(name, wire, turn, is_foul=does == "reset"):
                return
        if self._random.random() < 0.5:
            await wire.send(frames.frame(b"\x03\xe8", masked=True, opcode=frames.CLOSE))
            await frames.read(await wire.reader())
        wire.leave(rudely=self._random.random() < 0.3)

    async def _turn(self, name: str, wire: Wire, turn: int, *, is_foul: bool) -> bool:
        deltas = self._random.randrange(1, 8)
        reader, wanted, got = await wire.reader(), frames.answer(turn, deltas), []
        self._tally.possible += 1
        try:
            await wire.send(frames.frame(frames.ask(turn, deltas), masked=True))
            while len(got) < len(wanted):
                got.append((await frames.read(reader))[1])
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._tally.note(name, EXPECTED if is_foul else OURS, f"turn broken off: {error!r}")
            wire.leave()
            return False
        self._tally.certain += 1
        self._tally.note(name, GOOD if got == wanted else OURS, f"{got!r}")
        return got == wanted

    # ---- bad manners -------------------------------------------------------------------------------------------------

    async def foul(self, name: str) -> None:
        """The upstream misbehaves: no answer may look whole that is not."""
        plan, method = self._plan(self._random.choice(FOUL)), self._random.choice(["GET", "POST"])
        self._tally.possible += 1
        await self._wire.send(self._request(plan, method, b"{}" if method == "POST" else b""))
        answer = await self._wire.answer(method)
        self._tally.certain += bool(answer.status)
        is_bad_gateway = answer.status == BAD_GATEWAY and answer.is_whole and b'"error"' in answer.body
        is_cut = answer.status == 200 and not answer.is_whole
        why = f"{plan.does} {answer.status} {answer.is_whole} {answer.body[:80]!r}"
        self._tally.note(name, EXPECTED if is_bad_gateway or is_cut else OURS, why)

    async def leave(self, name: str) -> None:
        """Goes before the answer, or inside it."""
        plan = self._plan(self._random.choice(["json", "sse", "slow", "big"]), self._random.randrange(1, 1 << 18))
        self._tally.possible += 1
        await self._wire.send(self._request(plan, "POST", b"{}"))
        await asyncio.sleep(self._random.choice([0, 0.001, 0.01, 0.1]))
        if self._random.random() < 0.5:
            reader = await self._wire.reader()
            await reader.read(self._random.randrange(1, 5000))
        self._wire.leave(rudely=self._random.random() < 0.5)
        self._tally.note(name, EXPECTED)

    async def half(self, name: str) -> None:
        """Sends no more than a part of a request."""
        data = self._request(self._plan("json"), "POST", b"x" * 300)
        self._tally.possible += 1
        await self._wire.send(data[: self._random.randrange(1, len(data))])
        await asyncio.sleep(self._random.choice([0, 0.01, 0.2]))
        self._wire.leave(rudely=self._random.random() < 0.5)
        self._tally.note(name, EXPECTED)

    async def nonsense(self, name: str) -> None:
        """What is no request is refused, and the connection ends."""
        self._wire.leave()
        self._tally.possible += 1
        await self._wire.send(self._random.choice(_NONSENSE))
        answer = await self._wire.answer()
        self._tally.certain += 1
        is_well = answer.status in (400, 405, 431) and answer.is_whole and answer.closes
        self._tally.note(name, GOOD if is_well else OURS, f"{answer}")

    # ---- one exchange ------------------------------------------------------------------------------------------------

    def _plan(self, does: str, size: int | None = None) -> Plan:
        size = self._random.choice([1, 300, 5000, 80_000]) if size is None else size
        self._last = Plan.new(does, 4000 if does == "sse" else size, self._random.randrange(1, 1 << 20))
        return self._last

    def _request(
        self, plan: Plan, method: str, body: bytes = b"", more: bytes = b"", *, chunked: bool = False
    ) -> bytes:
        path = CHAT if plan.does in ("json", "sse", "slow") else OTHER
        length = b"Transfer-Encoding: chunked\r\n" if chunked else b"Content-Length: %d\r\n" % len(body)
        framing = length if body or method == "POST" else b""
        head = b"%b %b HTTP/1.1\r\nHost: storm\r\n%b%b%b\r\n"
        return head % (method.encode(), path.encode(), plan.line, framing, more) + (b"" if chunked else body)

    async def _exchange(
        self,
        name: str,
        plan: Plan,
        method: str,
        body: bytes = b"",
        *,
        chunked: bool = False,
        gap: float = 0.0,
        pause: float = 0.0,
    ) -> None:
        began = monotonic()
        body = body or (b'{"model":"gpt-5.4","stream":true}' if method == "POST" else b"")
        data = [self._request(plan, method, body, chunked=chunked)]
        if chunked:
            sizes = self._random.randrange(1, 70_000)
            pieces = [body[start : start + sizes] for start in range(0, len(body), sizes)]
            data += [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
            data.append(b"0\r\n\r\n")
        elif gap:
            data = [data[0][start : start + 50_000] for start in range(0, len(data[0]), 50_000)]
        await self._wire.reader()  # opens it, before two at once would
        sending = asyncio.ensure_future(self._wire.send(*data, gap=gap))
        answer = await self._wire.answer(method, pause=pause)
        await asyncio.wait([sending], timeout=0 if answer.is_whole and not answer.closes else None)
        if sending.done():
            sending.exception()
        else:
            self._tally.note(name, OURS, f"{plan}: answered while the body was being sent, and not closed")
            sending.cancel()
            self._wire.leave()
        self._judge(name, plan, method, body, answer, began)

    def _judge(self, name: str, plan: Plan, method: str, body: bytes, answer: Answer, began: float) -> bool:
        """Whether the connection goes on."""
        self._tally.possible += 1
        self._tally.certain += bool(answer.status)
        upstream = self._upstream
        wanted = b"" if method == "HEAD" else plan.body
        got = "" if plan.does == "early" else digest(body)
        is_well = (
            answer.is_whole
            and (answer.status, answer.body) == (plan.status, wanted)
            and (answer.headers.get("x-number"), answer.headers.get("x-got")) == (str(plan.number), got)
            and (plan.does != "hints" or answer.interim == ([103] if method != "HEAD" else []))
        )
        if method not in ("GET", "HEAD", "OPTIONS") and upstream.whole[plan.number] > 1:
            self._tally.note(name, OURS, f"{plan} {method} was sent {upstream.whole[plan.number]} times")
        if is_well:
            self._tally.good_answers += plan.status < 300
            self._tally.note(name, GOOD)
            return True
        may_be_lost = method == "POST" and not upstream.whole[plan.number] and upstream.may_have_closed_under(began)
        is_race = may_be_lost and answer.status == BAD_GATEWAY and answer.is_whole
        self._tally.note(
            name,
            RACE if is_race else OURS,
            f"{plan} {method} {len(body)}: {answer.status} {answer.headers} whole={answer.is_whole} "
            f"{answer.body[:120]!r} ({len(answer.body)} for {len(wanted)} bytes, {monotonic() - began:.2f} s, "
            f"reached the upstream {upstream.began[plan.number]}/{upstream.whole[plan.number]})",
        )
        return is_race


_NONSENSE = (
    b"GARBAGE\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
)

Act = Callable[[Client, str], Awaitable[None]]
ACTS: dict[str, tuple[Act, float]] = {
    "plain": (Client.plain, 60),
    "big": (Client.big, 1.5),
    "upload": (Client.upload, 4),
    "early": (Client.early, 3),
    "slow head": (Client.slow_head, 2),
    "continued": (Client.continued, 2),
    "pipelined": (Client.pipelined, 6),
    "old": (Client.old, 2),
    "websocket": (Client.websocket, 4),
    "foul upstream": (Client.foul, 12),
    "leaves": (Client.leave, 8),
    "half a request": (Client.half, 4),
    "nonsense": (Client.nonsense, 2),
}
"""With their shares."""
