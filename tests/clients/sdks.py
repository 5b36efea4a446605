"""The vendors' SDKs as their users call them: with the retries and the transport that the vendor ships."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
import anthropic
import httpx2
import openai
from google import genai
from google.genai import errors, types

from daemon.domain.event import Wire

PING = [{"role": "user", "content": "ping"}]
DEADLINE_SECONDS = 20.0
Answer = tuple[str, int | None]
"""The text that came, and the output tokens that the SDK tells of."""


class ToldInPassing(Exception):
    """The SDK hands an error over as one event among others, and raises nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """One way to ask with one SDK."""

    family: str
    wire: Wire
    model: str
    stream: bool = False
    asks: Callable[[str, str, str], Awaitable[Answer]]

    async def ask(self, url: str, key: str) -> tuple[str, str]:
        """How it ended for the user (`ok`, a status, `cut`, `error`, `silent`: whole to the user's eye), and the text.

        Never raises for what upstream or proxy did.
        """
        try:
            text, tokens = await self.asks(url, key, self.model)
        except Exception as error:
            return _ending(error), ""
        return "ok" if tokens else "silent", text


def _ending(error: Exception) -> str:
    match error:
        case openai.APIConnectionError() | anthropic.APIConnectionError():
            return "cut"
        case httpx2.TransportError() | aiohttp.ClientPayloadError():
            return "cut"
        case openai.APIStatusError(status_code=status) | anthropic.APIStatusError(status_code=status):
            return "error" if status == 200 else str(status)
        case errors.APIError(code=int(status)):
            return str(status)
        case openai.APIError() | errors.UnknownApiResponseError() | ToldInPassing():
            return "error"
    raise error


async def _chat(url: str, key: str, model: str) -> Answer:
    async with _gpt(url, key) as gpt:
        answer = await gpt.chat.completions.create(model=model, messages=PING)
        return answer.choices[0].message.content, answer.usage.completion_tokens


async def _chat_stream(url: str, key: str, model: str) -> Answer:
    text, tokens = "", None
    async with _gpt(url, key) as gpt:
        async for chunk in await gpt.chat.completions.create(model=model, messages=PING, stream=True):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            tokens = chunk.usage.completion_tokens if chunk.usage else tokens
    return text, tokens


async def _responses(url: str, key: str, model: str) -> Answer:
    async with _gpt(url, key) as gpt:
        answer = await gpt.responses.create(model=model, input="ping")
        return answer.output_text, answer.usage.output_tokens


async def _responses_stream(url: str, key: str, model: str) -> Answer:
    text, tokens = "", None
    async with _gpt(url, key) as gpt:
        async for event in await gpt.responses.create(model=model, input="ping", stream=True):
            if event.type == "error":
                raise ToldInPassing(event.message)
            text += event.delta if event.type == "response.output_text.delta" else ""
            tokens = event.response.usage.output_tokens if event.type == "response.completed" else tokens
    return text, tokens


async def _messages(url: str, key: str, model: str) -> Answer:
    async with _claude(url, key) as claude:
        answer = await claude.messages.create(model=model, max_tokens=64, messages=PING)
        return answer.content[0].text, answer.usage.output_tokens


async def _messages_stream(url: str, key: str, model: str) -> Answer:
    async with _claude(url, key) as claude, claude.messages.stream(model=model, max_tokens=64, messages=PING) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        return text, (await stream.get_final_message()).usage.output_tokens


async def _generate(url: str, key: str, model: str) -> Answer:
    async with _gemini(url, key) as gemini:
        answer = await gemini.models.generate_content(model=model, contents="ping")
        return answer.text, answer.usage_metadata.candidates_token_count


async def _generate_stream(url: str, key: str, model: str) -> Answer:
    text, tokens = "", None
    async with _gemini(url, key) as gemini:
        async for chunk in await gemini.models.generate_content_stream(model=model, contents="ping"):
            text += chunk.text or ""
            tokens = chunk.usage_metadata.candidates_token_count if chunk.usage_metadata else tokens
    return text, tokens


async def count_tokens(url: str, key: str) -> int:
    """What the Anthropic SDK is told of a prompt's size."""
    async with _claude(url, key) as claude:
        return (await claude.messages.count_tokens(model="claude-sonnet-4-6", messages=PING)).input_tokens


def _gpt(url: str, key: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, timeout=DEADLINE_SECONDS)


def _claude(url: str, key: str) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=url, api_key=key, timeout=DEADLINE_SECONDS)


def _gemini(url: str, key: str) -> Any:
    options = types.HttpOptions(base_url=url, api_version="v1beta", timeout=round(DEADLINE_SECONDS * 1000))
    return genai.Client(api_key=key, http_options=options).aio


_CHAT = {"family": "openai-sdk", "wire": Wire.OPENAI_CHAT, "model": "gpt-5.4"}
_RESPONSES = {"family": "openai-sdk", "wire": Wire.OPENAI_RESPONSES, "model": "gpt-5.5"}
_MESSAGES = {"family": "anthropic-sdk", "wire": Wire.ANTHROPIC_MESSAGES, "model": "claude-sonnet-4-6"}
_GENERATE = {"family": "google-genai-sdk", "wire": Wire.GEMINI_GENERATE_CONTENT, "model": "gemini-2.5-pro"}
SDKS = {
    "chat": Sdk(**_CHAT, asks=_chat),
    "chat_stream": Sdk(**_CHAT, asks=_chat_stream, stream=True),
    "responses": Sdk(**_RESPONSES, asks=_responses),
    "responses_stream": Sdk(**_RESPONSES, asks=_responses_stream, stream=True),
    "messages": Sdk(**_MESSAGES, asks=_messages),
    "messages_stream": Sdk(**_MESSAGES, asks=_messages_stream, stream=True),
    "generate": Sdk(**_GENERATE, asks=_generate),
    "generate_stream": Sdk(**_GENERATE, asks=_generate_stream, stream=True),
}
