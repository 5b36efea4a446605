"""Small, realistic traffic through the proxy: several models and wires, stream and not, at a steady rate."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import httpx

from daemon.domain.event import Wire

TERMINAL = {
    Wire.OPENAI_CHAT: "data: [DONE]",
    Wire.OPENAI_RESPONSES: "event: response.completed",
    Wire.ANTHROPIC_MESSAGES: "event: message_stop",
    Wire.GEMINI_GENERATE_CONTENT: '"finishReason"',
}
"""What the end of a whole stream holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One request that is sent again and again."""

    wire: Wire
    model: str
    stream: bool = True
    effort: str | None = None

    def path(self) -> str:
        """Path and query."""
        if self.wire is Wire.GEMINI_GENERATE_CONTENT:
            verb = "streamGenerateContent?alt=sse" if self.stream else "generateContent"
            return f"/v1beta/models/{self.model}:{verb}"
        return {
            Wire.OPENAI_CHAT: "/v1/chat/completions",
            Wire.OPENAI_RESPONSES: "/v1/responses",
            Wire.ANTHROPIC_MESSAGES: "/v1/messages",
        }[self.wire]

    def body(self, text: str) -> dict[str, Any]:
        """The body that asks `text`."""
        said = [{"role": "user", "content": text}]
        head = {"model": self.model, "stream": self.stream}
        if self.wire is Wire.GEMINI_GENERATE_CONTENT:
            return {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        if self.wire is Wire.OPENAI_RESPONSES:
            thinking = {"reasoning": {"effort": self.effort}} if self.effort else {}
            return {**head, "input": said, **thinking}
        if self.wire is Wire.ANTHROPIC_MESSAGES:
            return {**head, "max_tokens": 256, "messages": said}
        return {**head, "messages": said, **({"reasoning_effort": self.effort} if self.effort else {})}


@dataclass(slots=True)
class Traffic:
    """Sends the turns in order, over and over. `counts` has (model, outcome): `ok`, a status, `cut`, `unfinished`."""

    client: httpx.AsyncClient
    url: str
    key: str
    mix: Sequence[Turn]
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """Finished turns."""
        return self.counts.total()

    def outcomes(self) -> Counter[str]:
        """How many turns ended how, over all models."""
        outcomes: Counter[str] = Counter()
        for (_, outcome), count in self.counts.items():
            outcomes[outcome] += count
        return outcomes

    async def run(self, per_second: float, stop: asyncio.Event) -> Counter[tuple[str, str]]:
        """Sends at the rate, without waiting for answers, until `stop` is set; then waits for the last ones."""
        async with asyncio.TaskGroup() as turns:
            for turn in cycle(self.mix):
                if stop.is_set():
                    break
                turns.create_task(self.send(turn))
                await asyncio.sleep(1 / per_second)
        return self.counts

    async def send(self, turn: Turn) -> str:
        """One turn; gives its outcome."""
        outcome = await self._outcome(turn)
        self.counts[turn.model, outcome] += 1
        return outcome

    async def _outcome(self, turn: Turn) -> str:
        try:
            answer = await self.client.post(
                self.url + turn.path(), json=turn.body("ping"), headers={"Authorization": f"Bearer {self.key}"}
            )
        except httpx.TransportError:
            return "cut"
        if answer.status_code != 200:
            return str(answer.status_code)
        return "ok" if not turn.stream or TERMINAL[turn.wire] in answer.text else "unfinished"
