"""The ground: what can be seen of an installation without its control plane, such as files, their modes and doors."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import httpx

from daemon.adapters.clock import SystemClock
from daemon.adapters.config import alerts_file, directories
from daemon.adapters.config.built_in import own_rules
from daemon.adapters.config.secrets import receiver_channels, resolver
from daemon.adapters.config.settings import Settings
from daemon.adapters.management.client import MOST_BYTES, reply_of
from daemon.adapters.notify.own_address import leads_home
from daemon.app.places import Places
from daemon.app.shelf import scan
from daemon.domain.check_up import Ground, Knock
from daemon.domain.errors import ConfigError
from daemon.domain.probe import Reply
from daemon.logic.flavour import heard

TIMEOUT_SECONDS = 3.0
OTHERS = stat.S_IRWXG | stat.S_IRWXO
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}


def see(settings: Settings, control_trouble: str) -> Ground:
    """`control_trouble` is why the control plane tells nothing; where it does, the upstream is left to it."""
    places = Places(settings.state_dir, settings.runtime_dir)
    proxy_at, control_at = (
        f"{EVERYWHERE.get(host, host)}:{port}"
        for host, port in (
            (settings.proxy_host, settings.proxy_port),
            (settings.control_host, settings.control_port),
        )
    )
    said = _rules(settings)
    return Ground(
        alerts_file=str(settings.alerts_path),
        mistakes=said.mistakes,
        warnings=said.warnings,
        deaf=said.deaf,
        rules=said.rules,
        receivers=said.receivers,
        loose=tuple(_loose(_ours(settings, places))),
        has_state=places.state.is_dir(),
        proxy=_health(f"http://{proxy_at}/health"),
        proxy_at=proxy_at,
        control_at=control_at,
        control_runs=_health(f"http://{control_at}/healthz") is not None,
        control_trouble=control_trouble,
        knock=knock(settings.upstream_url) if control_trouble else None,
    )


def knock(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Knock:
    """Asks for the front page of an upstream. Never raises."""
    with httpx.Client(timeout=timeout_seconds, trust_env=False) as client:
        try:
            answer = client.get(f"{url}/")
            reply = reply_of(answer, answer.content[:MOST_BYTES], 0.0)
        except httpx.HTTPError as error:
            reply = Reply(error=f"no answer ({type(error).__name__})")
    return heard(url, reply, SystemClock().now())


def _rules(settings: Settings) -> Ground:
    """Only what is to be said of the alerts file."""
    path, is_loop = settings.alerts_path, partial(leads_home, proxy=(settings.proxy_host, settings.proxy_port))
    try:
        loaded = alerts_file.load(path, scan(), secrets=resolver(settings), leads_home=is_loop)
    except ConfigError as error:
        return Ground(alerts_file=str(path), mistakes=tuple(map(str, error.mistakes)))
    channels = receiver_channels(loaded.config, settings, is_loop)
    deaf = tuple(sorted(name for name, those in channels.items() if not those))
    # What a receiver lacks is a check of its own.
    warnings = tuple(str(one) for one in loaded.warnings if not one.path.startswith("receivers"))
    return Ground(
        alerts_file=str(path),
        warnings=warnings,
        deaf=deaf,
        rules=len(own_rules(loaded.config)),
        receivers=len(loaded.config.receivers),
    )


def _health(url: str) -> Mapping[str, object] | None:
    try:
        answer = httpx.get(url, timeout=TIMEOUT_SECONDS, trust_env=False)
        body = answer.json()
    except (httpx.HTTPError, ValueError):
        return None
    return body if answer.status_code == 200 and isinstance(body, dict) else None


def _ours(settings: Settings, places: Places) -> Iterator[Path]:
    """What holds a secret, an event or a name. Credentials that systemd hands over are its own."""
    yield from (places.state, *_within(places.state), *_within(places.spool))
    if places.runtime != places.state:
        yield from (places.runtime, *_within(places.runtime))
    secrets = settings.secrets_dir
    if secrets is not None and str(secrets) != directories.secrets_dir(os.environ):
        yield from _within(secrets)


def _within(directory: Path) -> list[Path]:
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def _loose(paths: Iterable[Path]) -> Iterator[str]:
    for path in paths:
        try:
            mode = path.lstat().st_mode
        except OSError:
            continue
        if mode & OTHERS and not (stat.S_ISLNK(mode) or stat.S_ISSOCK(mode)):
            yield f"{path} ({stat.S_IMODE(mode):04o})"
