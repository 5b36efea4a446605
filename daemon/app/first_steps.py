"""The first steps: finds the upstream, and writes the files of a new installation; nothing is ever overwritten."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from daemon.adapters.config.settings import Settings
from daemon.app.ground import knock
from daemon.domain.check_up import Knock
from daemon.logic.flavour import ANNOUNCED, answers

USUAL_PORTS = (8317, 8080, 4000, 8000, 3000, 1234, 11434)
"""CLIProxyAPI's, and those of other proxies and of local models."""
TIMEOUT_SECONDS = 2.0
SECRETS = ("notify_urls", "upstream_api_key", "upstream_management_key")
ALERTS = """\
# Your rules. `runbookd check` looks at this file, `runbookd rules list` shows what is in force.
version: 1
extends: runbook                      # the shipped rules, and better ones with every upgrade

receivers:                            # who hears it: any Apprise URL
  - {name: operators, urls: ["secret:notify_urls"], send_resolved: true}

# What may stand in for what; a model without a line is watched, never led away.
# fallbacks:
#   gpt-5.5: [gpt-5.4]

# How far it goes by itself: shadow only notes it, ask waits for a person, auto acts.
# mode: {soft: auto, upstream: ask}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where the files of an installation stand."""

    settings: Path
    is_usual: bool
    """The daemon finds them by itself."""

    @property
    def alerts(self) -> Path:
        return self.settings.with_name("alerts.yaml")

    @property
    def secrets(self) -> Path:
        return self.settings.with_name("secrets")


def find_upstream(settings: Settings, *, is_certain: bool = False) -> Knock:
    """The first that answers as an AI proxy does: that of the settings, then the usual ports of this machine unless the
    former `is_certain`; what the settings' address said where none does."""
    first = knock(settings.upstream_url, TIMEOUT_SECONDS)
    if is_certain or answers(first):
        return first
    found = (knock(url, TIMEOUT_SECONDS) for url in _candidates(settings))
    return next((one for one in found if answers(one) and _is_proxy(one)), first)


def _candidates(settings: Settings) -> Iterator[str]:
    """Never our own doors."""
    own = (settings.proxy_port, settings.control_port)
    urls = (f"http://127.0.0.1:{port}" for port in USUAL_PORTS if port not in own)
    return (url for url in urls if url != settings.upstream_url)


def _is_proxy(knocked: Knock) -> bool:
    """It says so itself, or it has a list of models, be it behind a key."""
    if ANNOUNCED in knocked.says:
        return True
    try:
        answer = httpx.get(f"{knocked.url}/v1/models", timeout=TIMEOUT_SECONDS, trust_env=False)
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return False
    return isinstance(body, dict) and (isinstance(body.get("data"), list) or answer.status_code in (401, 403))


def write(home: Home, upstream_url: str, secrets: Mapping[str, str]) -> Iterator[tuple[Path, bool]]:
    """Each file, and whether it is new; one that is there stays as it is. Directories are 0700, files 0600. Raises
    OSError."""
    home.settings.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.secrets.mkdir(mode=0o700, exist_ok=True)
    for name, value in secrets.items():
        path = home.secrets / name
        yield path, _create(path, f"{value}\n")
    yield home.alerts, _create(home.alerts, ALERTS)
    yield home.settings, _create(home.settings, _toml(home, upstream_url))


def _toml(home: Home, upstream_url: str) -> str:
    values = {"upstream_url": upstream_url, "secrets_dir": str(home.secrets)}
    if not home.is_usual:
        values["alerts_file"] = str(home.alerts)
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join(["# Settings, by their names in lower case. Secrets are files in secrets_dir.", *lines, ""])


def _create(path: Path, text: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return True
