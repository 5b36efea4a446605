"""Programs that people really use, and how each is told to go through the proxy; they run in a home of their own."""

import asyncio
import os
import shlex
import signal
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import pytest

from daemon.domain.event import Wire

DIRECTORY = Path(os.environ.get("RUNBOOKD_TEST_CLIENTS_DIR") or Path(__file__).parents[2] / ".clients").absolute()
REQUIRED = os.environ.get("RUNBOOKD_TEST_CLIENTS") == "required"
DEADLINE_SECONDS = 60.0

NOWHERE = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""Whoever wants to leave this machine is refused at once."""
QUIET = {
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "GEMINI_TELEMETRY_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENCODE_DISABLE_AUTOUPDATE": "1",
    "OPENCODE_DISABLE_MODELS_FETCH": "1",
    "OTEL_SDK_DISABLED": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """`$url`, `$key`, `$home` and `$model` stand for those of a run; `path` is inside the clients' directory."""

    path: str
    family: str
    wire: Wire
    model: str
    command: str
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    names_its_turns: bool = False
    beside: frozenset[str] = frozenset()
    """What it asks besides the turn itself, as `METHOD outcome`."""

    def need(self) -> None:
        """Skips the test where the program is not installed; fails it if programs are required."""
        if not (DIRECTORY / self.path).exists():
            (pytest.fail if REQUIRED else pytest.skip)(f"{self.path} is not in {DIRECTORY}: make test-clients")

    async def run(self, home: Path, url: str, key: str) -> Ended:
        """One turn that says hello. After the deadline it is killed with all that it started."""
        names = {"url": url, "key": key, "home": str(home), "model": self.model}
        for name, content in self.files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(_filled(content, names))
        for name in ("work", "tmp"):
            (home / name).mkdir()
        command = [str(DIRECTORY / self.path), *shlex.split(_filled(self.command, names))]
        own = {name: _filled(value, names) for name, value in self.environment.items()}
        return await _run(command, {**_environment(home), **own}, home / "work")


def _filled(text: str, names: Mapping[str, str]) -> str:
    return Template(text).substitute(names)


def _environment(home: Path) -> dict[str, str]:
    """Nothing of the environment of whoever runs the tests but where programs are found."""
    here = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    return {**here, **NOWHERE, **QUIET}


async def _run(command: list[str], environment: dict[str, str], directory: Path) -> Ended:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            out, err = await process.communicate()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = await process.wait()
    return Ended(code=code, out=out.decode(errors="replace"), err=err.decode(errors="replace"))


_CODEX_PROVIDER = """\
model = "$model"
model_provider = "proxied"
model_reasoning_effort = "high"
[model_providers.proxied]
name = "proxied"
base_url = "$url/v1"
env_key = "PROXIED_KEY"
wire_api = "responses"
"""
_GEMINI_SETTINGS = """\
{"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": false},
 "general": {"disableAutoUpdate": true}}
"""
_OPENCODE_SETTINGS = """\
{"provider": {"proxied": {"npm": "@ai-sdk/openai-compatible", "options": {"baseURL": "$url/v1", "apiKey": "$key"},
                          "models": {"$model": {}, "gpt-5.4-mini": {}}}},
 "small_model": "proxied/gpt-5.4-mini", "autoupdate": false, "share": "disabled"}
"""
_LLM_MODELS = "[{model_id: proxied, model_name: $model, api_base: $url/v1, api_key_name: proxied}]\n"
_CODEX = {
    "path": "npm/node_modules/.bin/codex",
    "family": "codex",
    "wire": Wire.OPENAI_RESPONSES,
    "model": "gpt-5.1-codex",
    "names_its_turns": True,
}
PROGRAMS = {
    "codex": Program(
        **_CODEX,
        command="exec --skip-git-repo-check 'say hello'",
        environment={"CODEX_HOME": "$home/codex", "PROXIED_KEY": "$key"},
        files={"codex/config.toml": _CODEX_PROVIDER},
    ),
    "codex_websocket": Program(  # its built-in provider tries a websocket first
        **_CODEX,
        command="exec --skip-git-repo-check -m $model -c 'openai_base_url=\"$url/v1\"' 'say hello'",
        environment={"CODEX_HOME": "$home/codex", "CODEX_API_KEY": "$key"},
        files={"codex/config.toml": ""},
        beside=frozenset({"GET denied"}),  # the fake upstream speaks none: 426, and it asks over HTTP
    ),
    "claude": Program(
        path="npm/node_modules/.bin/claude",
        family="claude-code",
        wire=Wire.ANTHROPIC_MESSAGES,
        model="claude-sonnet-4-6",
        command="-p 'say hello' --model $model",
        environment={"ANTHROPIC_BASE_URL": "$url", "ANTHROPIC_API_KEY": "$key", "HTTPS_PROXY": ""},
        names_its_turns=True,
        beside=frozenset({"HEAD ok"}),  # only without a proxy of its own
    ),
    "gemini": Program(
        path="npm/node_modules/.bin/gemini",
        family="gemini-cli",
        wire=Wire.GEMINI_GENERATE_CONTENT,
        model="gemini-2.5-flash",
        command="-m $model -p 'say hello'",
        environment={
            "GEMINI_API_KEY": "$key",
            "GOOGLE_GEMINI_BASE_URL": "$url",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        files={".gemini/settings.json": _GEMINI_SETTINGS},
    ),
    "opencode": Program(
        path="npm/node_modules/.bin/opencode",
        family="opencode",
        wire=Wire.OPENAI_CHAT,
        model="gpt-5.4",
        command="run -m proxied/$model 'say hello'",
        files={".config/opencode/opencode.json": _OPENCODE_SETTINGS},
        names_its_turns=True,
        beside=frozenset({"POST ok"}),  # the title, by the small model
    ),
    "aider": Program(
        path="aider/bin/aider",
        family="openai-sdk",
        wire=Wire.OPENAI_CHAT,
        model="gpt-4o",
        command="--model openai/$model --no-git --no-check-update --analytics-disable --no-show-model-warnings"
        " --no-show-release-notes --yes-always --message 'say hello'",
        environment={"OPENAI_API_BASE": "$url/v1", "OPENAI_API_KEY": "$key"},
    ),
    "llm": Program(
        path="llm/bin/llm",
        family="openai-sdk",
        wire=Wire.OPENAI_CHAT,
        model="gpt-5.4",
        command="-m proxied --key $key 'say hello'",
        environment={"LLM_USER_PATH": "$home/llm"},
        files={"llm/extra-openai-models.yaml": _LLM_MODELS},
    ),
}
