"""The vendors' own SDKs talk to the fake upstream over real sockets and understand every answer."""

from collections.abc import AsyncIterator

import anthropic
import httpx
import openai
import pytest

from tests.adapters.fake.conftest import Start

TEXT = "All systems are nominal."
PING = [{"role": "user", "content": "ping"}]


@pytest.fixture
async def upstream(start: Start) -> httpx.AsyncClient:
    return await start(api_keys=["key"])


@pytest.fixture
async def gpt(upstream: httpx.AsyncClient) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{upstream.base_url}/v1", api_key="key", max_retries=0) as client:
        yield client


@pytest.fixture
async def claude(upstream: httpx.AsyncClient) -> AsyncIterator[anthropic.AsyncAnthropic]:
    address = str(upstream.base_url)
    async with anthropic.AsyncAnthropic(base_url=address, api_key="key", max_retries=0) as client:
        yield client


async def test_chat(gpt: openai.AsyncOpenAI) -> None:
    answer = await gpt.chat.completions.create(model="gpt-5.4", messages=PING, reasoning_effort="high")
    assert answer.choices[0].message.content == TEXT
    assert answer.usage.completion_tokens_details.reasoning_tokens == 40
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_chat_stream(gpt: openai.AsyncOpenAI) -> None:
    stream = await gpt.chat.completions.create(model="gpt-5.4", messages=PING, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 12


async def test_responses_echo_the_thinking(gpt: openai.AsyncOpenAI) -> None:
    answer = await gpt.responses.create(model="gpt-5.3-codex", input="ping", reasoning={"effort": "high"})
    assert (answer.status, answer.output_text, answer.reasoning.effort) == ("completed", TEXT, "high")
    assert answer.usage.output_tokens_details.reasoning_tokens == 40


async def test_responses_stream(gpt: openai.AsyncOpenAI) -> None:
    async with gpt.responses.stream(model="gpt-5.3-codex", input="ping", reasoning={"effort": "low"}) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
    assert (final.output_text, final.reasoning.effort, final.usage.input_tokens > 0) == (TEXT, "low", True)


async def test_messages(claude: anthropic.AsyncAnthropic) -> None:
    answer = await claude.messages.create(model="claude-sonnet-4-6", max_tokens=64, messages=PING)
    assert (answer.content[0].text, answer.stop_reason, answer.usage.output_tokens) == (TEXT, "end_turn", 12)


async def test_messages_stream(claude: anthropic.AsyncAnthropic) -> None:
    async with claude.messages.stream(model="claude-sonnet-4-6", max_tokens=64, messages=PING) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()
    assert text == TEXT
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 12)
    assert final.usage.input_tokens > 0


async def test_count_tokens(claude: anthropic.AsyncAnthropic) -> None:
    counted = await claude.messages.count_tokens(model="claude-sonnet-4-6", messages=PING)
    assert counted.input_tokens > 0


async def test_models_in_both_shapes(gpt: openai.AsyncOpenAI, claude: anthropic.AsyncAnthropic) -> None:
    owners = {model.id: model.owned_by async for model in gpt.models.list()}
    assert (owners["gpt-5.4"], owners["claude-sonnet-4-6"], owners["gemini-2.5-pro"]) == (
        "openai",
        "anthropic",
        "google",
    )
    assert {model.id async for model in claude.models.list()} == set(owners)


async def test_a_wrong_key_is_refused_with_a_flat_string(upstream: httpx.AsyncClient) -> None:
    async with openai.AsyncOpenAI(base_url=f"{upstream.base_url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.chat.completions.create(model="gpt-5.4", messages=PING)
    assert refused.value.response.json() == {"error": "Invalid API key"}


SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "parameters": SCHEMA}
TOOL = {"name": "get_weather", "input_schema": SCHEMA}
PARIS = '{"city":"Paris"}'


async def test_chat_calls_a_tool_that_is_insisted_on(gpt: openai.AsyncOpenAI) -> None:
    asked = {"model": "gpt-5.4", "messages": PING, "tools": [{"type": "function", "function": FUNCTION}]}
    called = await gpt.chat.completions.create(**asked, tool_choice="required")
    assert called.choices[0].finish_reason == "tool_calls"
    assert called.choices[0].message.tool_calls[0].function.arguments == PARIS
    async with gpt.chat.completions.stream(**asked, tool_choice="required") as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == PARIS
    assert (await gpt.chat.completions.create(**asked)).choices[0].message.content == TEXT


async def test_responses_call_a_tool_that_is_insisted_on(gpt: openai.AsyncOpenAI) -> None:
    asked = {"model": "gpt-5.4", "input": "ping", "tools": [{"type": "function", **FUNCTION}]}
    called = await gpt.responses.create(**asked, tool_choice="required")
    async with gpt.responses.stream(**asked, tool_choice="required") as stream:
        final = await stream.get_final_response()
    for answer in (called, final):
        assert [(item.type, item.name, item.arguments) for item in answer.output] == [
            ("function_call", "get_weather", PARIS)
        ]
    assert (await gpt.responses.create(**asked)).output_text == TEXT


async def test_messages_call_a_tool_that_is_insisted_on(claude: anthropic.AsyncAnthropic) -> None:
    asked = {"model": "claude-sonnet-4-6", "max_tokens": 64, "messages": PING, "tools": [TOOL]}
    called = await claude.messages.create(**asked, tool_choice={"type": "any"})
    async with claude.messages.stream(**asked, tool_choice={"type": "any"}) as stream:
        final = await stream.get_final_message()
    for answer in (called, final):
        assert (answer.stop_reason, answer.content[0].type, answer.content[0].input) == (
            "tool_use",
            "tool_use",
            {"city": "Paris"},
        )
    assert (await claude.messages.create(**asked)).content[0].text == TEXT
