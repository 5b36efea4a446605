"""What each client reads to find a proxy: environment variables, arguments, files.

Where each fact comes from. *Measured* means: the client was run against a server of ours on a machine without a way
out, and the request arrived; the version is the one that was run.

- `codex`: measured on 0.169.0 with the provider block, in `config.toml` and as `-c` arguments: one POST. With
  `OPENAI_BASE_URL` alone, measured: ignored, it asks api.openai.com. With `-c openai_base_url=…` and `CODEX_API_KEY`,
  measured: it tries a websocket first, so the block is better.
- `claude-code`: measured on 2.1.197 with `ANTHROPIC_BASE_URL`, and `ANTHROPIC_API_KEY` (sent as `x-api-key`) or
  `ANTHROPIC_AUTH_TOKEN` (sent as Bearer).
- `gemini-cli`: measured on 0.61.0 with `GOOGLE_GEMINI_BASE_URL`, `GEMINI_API_KEY` and `selectedType` in its settings,
  without which it ends with code 41.
- `opencode`: measured on 1.18.33 with a provider of its own in `opencode.json`, and with a file's text in the variable
  `OPENCODE_CONFIG_CONTENT`: its provider `openai` then asks us for Responses, with the key of `{env:NAME}`.
- `aider`: measured on 0.86.2 (litellm 1.81.10) with `OPENAI_API_BASE` and models written `openai/NAME`.
- `llm`: measured on 0.32.1 with `extra-openai-models.yaml`; it reads no base URL from the environment.
- `openai-sdk`: measured on 2.54.0 and 3.57.0 with `OPENAI_BASE_URL`; `OPENAI_API_BASE` is ignored.
- `anthropic-sdk`: measured on 2.12.0 and 2.13.0 with `ANTHROPIC_BASE_URL`.
- `google-genai-sdk`: measured on 3.6.1 with `GOOGLE_GEMINI_BASE_URL` and `GOOGLE_GENAI_API_VERSION`; without the latter
  it asks for `/v1/models/…`, which most upstreams keep for OpenAI's list. It reads `GOOGLE_API_KEY` before
  `GEMINI_API_KEY`.
- `litellm`: measured on 1.106.2 with `OPENAI_API_BASE` and models written `openai/NAME`.
- `amp`: measured on 0.0.1790142911: `AMP_URL` redirects it (first `POST /api/internal`), `OPENAI_API_BASE` does
  nothing. It was not driven past its login: that `AMP_API_KEY` is its key is in its documentation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import Template

from daemon.domain.event import Wire

KEY_VARIABLE = "PROXY_CLIENT_KEY"
"""Holds the client's key where nobody says another name."""
ANY = "any"
"""The family of a program that nobody knows: it gets what all read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSetup:
    """What one family has to be told. No value is a key: keys stand in variables, which are named."""

    family: str
    base_url: str
    """As this family writes it: some want the path of the version at its end."""
    wire: Wire = Wire.OTHER
    """How it can be asked whether the way is open; `other`: as Amp asks."""
    environment: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    """The variables in which it looks for its key; the first one is the usual. None: it reads the one named."""
    arguments: Sequence[str] = ()
    """To be put behind the program's name."""
    files: Mapping[str, str] = field(default_factory=dict)
    """What can be told in a file only, or better; `MODEL` stands for any model."""
    notes: Sequence[str] = ()

    @property
    def is_told_at_start(self) -> bool:
        """Environment or arguments are enough; else a file has to be written by hand."""
        return bool(self.environment or self.arguments)


_CODEX_FILE = """\
model_provider = "runbookd"
[model_providers.runbookd]
name = "runbookd"
base_url = "$url/v1"
env_key = "$key"
wire_api = "responses"
"""
_CODEX_ARGUMENTS = (
    'model_provider="runbookd"',
    'model_providers.runbookd.name="runbookd"',
    'model_providers.runbookd.base_url="$url/v1"',
    'model_providers.runbookd.env_key="$key"',
    'model_providers.runbookd.wire_api="responses"',
)
_OPENCODE = (
    '{"provider": {"runbookd": {"npm": "@ai-sdk/openai-compatible", '
    '"options": {"baseURL": "$url/v1", "apiKey": "{env:$key}"}, "models": {"MODEL": {}}}}}'
)
_OPENCODE_AT_START = '{"provider": {"openai": {"options": {"baseURL": "$url/v1", "apiKey": "{env:$key}"}}}}'
_GEMINI_FILE = '{"security": {"auth": {"selectedType": "gemini-api-key"}}}\n'
_LLM_FILE = "- {model_id: MODEL, model_name: MODEL, api_base: $url/v1, api_key_name: runbookd}\n"

_ALL = (
    ClientSetup(
        family="codex",
        base_url="$url/v1",
        wire=Wire.OPENAI_RESPONSES,
        arguments=tuple(word for value in _CODEX_ARGUMENTS for word in ("-c", value)),
        files={"~/.codex/config.toml": _CODEX_FILE},
        notes=("Codex ignores OPENAI_BASE_URL: it goes by arguments or by its file",),
    ),
    ClientSetup(
        family="claude-code",
        base_url="$url",
        wire=Wire.ANTHROPIC_MESSAGES,
        environment={"ANTHROPIC_BASE_URL": "$url"},
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    ),
    ClientSetup(
        family="gemini-cli",
        base_url="$url",
        wire=Wire.GEMINI_GENERATE_CONTENT,
        environment={"GOOGLE_GEMINI_BASE_URL": "$url"},
        keys=("GEMINI_API_KEY",),
        files={"~/.gemini/settings.json": _GEMINI_FILE},
        notes=(
            "Gemini CLI uses its key only where its settings say so",
            "without a terminal it also wants GEMINI_CLI_TRUST_WORKSPACE=true",
        ),
    ),
    ClientSetup(
        family="opencode",
        base_url="$url/v1",
        wire=Wire.OPENAI_RESPONSES,
        environment={"OPENCODE_CONFIG_CONTENT": _OPENCODE_AT_START},
        files={"~/.config/opencode/opencode.json": _OPENCODE + "\n"},
        notes=("the variable redirects opencode's provider openai; the file adds one of your own",),
    ),
    ClientSetup(
        family="aider",
        base_url="$url/v1",
        wire=Wire.OPENAI_CHAT,
        environment={"OPENAI_API_BASE": "$url/v1"},
        keys=("OPENAI_API_KEY",),
        notes=("aider comes through for models written openai/NAME",),
    ),
    ClientSetup(
        family="llm",
        base_url="$url/v1",
        wire=Wire.OPENAI_CHAT,
        files={"extra-openai-models.yaml, in the directory that `llm logs path` names": _LLM_FILE},
        notes=("llm reads no base URL from the environment; its key: llm keys set runbookd",),
    ),
    ClientSetup(
        family="openai-sdk",
        base_url="$url/v1",
        wire=Wire.OPENAI_CHAT,
        environment={"OPENAI_BASE_URL": "$url/v1"},
        keys=("OPENAI_API_KEY",),
    ),
    ClientSetup(
        family="anthropic-sdk",
        base_url="$url",
        wire=Wire.ANTHROPIC_MESSAGES,
        environment={"ANTHROPIC_BASE_URL": "$url"},
        keys=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    ),
    ClientSetup(
        family="google-genai-sdk",
        base_url="$url",
        wire=Wire.GEMINI_GENERATE_CONTENT,
        environment={"GOOGLE_GEMINI_BASE_URL": "$url", "GOOGLE_GENAI_API_VERSION": "v1beta"},
        keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    ),
    ClientSetup(
        family="litellm",
        base_url="$url/v1",
        wire=Wire.OPENAI_CHAT,
        environment={"OPENAI_API_BASE": "$url/v1"},
        keys=("OPENAI_API_KEY",),
        notes=("litellm comes through for models written openai/NAME",),
    ),
    ClientSetup(
        family="amp",
        base_url="$url",
        environment={"AMP_URL": "$url"},
        keys=("AMP_API_KEY",),
        notes=("Amp reads AMP_URL; OPENAI_API_BASE has no effect on it",),
    ),
)
_BY_FAMILY = {one.family: one for one in _ALL}
FAMILIES = tuple(_BY_FAMILY)
"""As events name them in `client`; there `llm` and `aider` may be called `openai-sdk`, which they are made of."""

_PROGRAMS = {
    "codex": "codex",
    "claude": "claude-code",
    "gemini": "gemini-cli",
    "opencode": "opencode",
    "aider": "aider",
    "llm": "llm",
    "litellm": "litellm",
    "amp": "amp",
}


def client_setup(family: str, url: str, key: str = KEY_VARIABLE) -> ClientSetup:
    """For a proxy at `url` (without a path) and a client key in the variable named `key`. Raises KeyError."""
    if family == ANY:
        return _everything(url, key)
    return _filled(_BY_FAMILY[family], url, key)


def family_of(command: str) -> str:
    """Of the program that a command starts, by its file's name; `any` where it is not known."""
    name = command.replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe").removesuffix(".cmd")
    return _PROGRAMS.get(name, ANY)


def _everything(url: str, key: str) -> ClientSetup:
    """What SDKs and small programs read; it is asked as OpenAI's own would ask."""
    setups = [_filled(one, url, key) for one in _ALL if one.keys]
    return ClientSetup(
        family=ANY,
        base_url=f"{url}/v1",
        wire=Wire.OPENAI_CHAT,
        environment={name: value for one in setups for name, value in one.environment.items()},
        keys=tuple(dict.fromkeys(one.keys[0] for one in setups)),
    )


def _filled(setup: ClientSetup, url: str, key: str) -> ClientSetup:
    def fill(text: str) -> str:
        return Template(text).substitute(url=url, key=key)

    return replace(
        setup,
        base_url=fill(setup.base_url),
        environment={name: fill(value) for name, value in setup.environment.items()},
        arguments=tuple(map(fill, setup.arguments)),
        files={name: fill(text) for name, text in setup.files.items()},
    )
