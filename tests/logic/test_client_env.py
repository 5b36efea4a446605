"""What each client is told: the variables that it reads, where its key goes, and never the key itself."""

import json
from collections.abc import Mapping

import pytest

from daemon.logic.client_env import ANY, FAMILIES, client_setup, family_of

URL, KEY = "http://127.0.0.1:8318", "MY_KEY"
V1 = f"{URL}/v1"


@pytest.mark.parametrize(
    ("family", "environment", "keys"),
    [
        ("codex", {}, []),  # OPENAI_BASE_URL is ignored
        ("claude-code", {"ANTHROPIC_BASE_URL": URL}, ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]),
        ("gemini-cli", {"GOOGLE_GEMINI_BASE_URL": URL}, ["GEMINI_API_KEY"]),
        ("aider", {"OPENAI_API_BASE": V1}, ["OPENAI_API_KEY"]),
        ("llm", {}, []),
        ("openai-sdk", {"OPENAI_BASE_URL": V1}, ["OPENAI_API_KEY"]),
        ("anthropic-sdk", {"ANTHROPIC_BASE_URL": URL}, ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"]),
        (
            "google-genai-sdk",
            {"GOOGLE_GEMINI_BASE_URL": URL, "GOOGLE_GENAI_API_VERSION": "v1beta"},
            ["GOOGLE_API_KEY", "GEMINI_API_KEY"],
        ),
        ("litellm", {"OPENAI_API_BASE": V1}, ["OPENAI_API_KEY"]),
        ("amp", {"AMP_URL": URL}, ["AMP_API_KEY"]),  # OPENAI_API_BASE has no effect on it
    ],
)
def test_each_family_gets_what_it_reads(family: str, environment: Mapping[str, str], keys: list[str]) -> None:
    setup = client_setup(family, URL, KEY)
    assert (dict(setup.environment), list(setup.keys)) == (environment, keys)


def test_codex_is_told_by_arguments_that_name_the_variable_of_its_key() -> None:
    setup = client_setup("codex", URL, KEY)
    assert setup.arguments[::2] == ("-c",) * 5
    said = dict(word.split("=", 1) for word in setup.arguments[1::2])
    assert json.loads(said["model_providers.runbookd.base_url"]) == V1
    assert json.loads(said["model_providers.runbookd.env_key"]) == KEY


def test_opencode_is_told_by_a_variable_that_holds_a_file() -> None:
    said = json.loads(client_setup("opencode", URL, KEY).environment["OPENCODE_CONFIG_CONTENT"])
    assert said["provider"]["openai"]["options"] == {"baseURL": V1, "apiKey": "{env:MY_KEY}"}


@pytest.mark.parametrize("family", FAMILIES)
def test_only_what_reads_nothing_at_its_start_has_to_be_told_by_a_file(family: str) -> None:
    setup = client_setup(family, URL, KEY)
    assert setup.is_told_at_start is (family != "llm")
    assert setup.is_told_at_start or setup.files
    assert "$" not in repr(setup)


def test_a_program_that_nobody_knows_gets_what_all_read() -> None:
    setup = client_setup(ANY, URL, KEY)
    names = ("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL", "AMP_URL")
    assert set(names) <= set(setup.environment)
    keys = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY", "AMP_API_KEY")
    assert set(setup.keys) == set(keys)


def test_a_family_that_is_none_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        client_setup("curl", URL)


@pytest.mark.parametrize(
    ("command", "family"),
    [
        ("codex", "codex"),
        ("/usr/local/bin/claude", "claude-code"),
        ("C:\\tools\\Amp.EXE", "amp"),
        ("gemini.cmd", "gemini-cli"),
        ("python3", ANY),
        ("my-codex-thing", ANY),
        ("", ANY),
    ],
)
def test_a_command_tells_its_family_by_its_name(command: str, family: str) -> None:
    assert family_of(command) == family
