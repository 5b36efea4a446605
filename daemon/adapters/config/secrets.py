"""`env:NAME` and `secret:name` of the alerts file: resolved at use, never shown."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from daemon.adapters.config.receiving import LeadsHome, Secrets, is_reference
from daemon.adapters.config.settings import Settings
from daemon.adapters.config.settings_types import split_urls
from daemon.domain.alerts_config import AlertsConfig, Receiver
from daemon.domain.notification import Channel

NOTIFY_URLS, PROBE_KEYS = "notify_urls", "probe_keys"
WITH_HOSTS = frozenset({"http", "https", "json", "jsons", "form", "forms", "xml", "xmls"})
"""Schemes whose host is a host; in others a token stands there."""


def resolver(settings: Settings, environ: Mapping[str, str] | None = None) -> Secrets:
    """Gives the URLs behind a reference, as they are now, or its plain text; a URL gives itself, and what leads
    nowhere gives none."""
    variables = os.environ if environ is None else environ

    def text_of(reference: str) -> str:
        kind, _, name = reference.partition(":")
        if not is_reference(reference):
            return reference
        if kind == "env":
            return variables.get(name, "")
        if name == NOTIFY_URLS and settings.notify_urls is not None:
            return settings.notify_urls.get_secret_value()
        return _file(settings.secrets_dir, name)

    def resolve(reference: str, plain: bool = False) -> tuple[str, ...]:
        text = text_of(reference)
        if plain:
            return (text,) if text else ()
        return tuple(url for url in split_urls(text) if "://" in url)

    return resolve


def receiver_channels(
    config: AlertsConfig, settings: Settings, leads_home: LeadsHome, environ: Mapping[str, str] | None = None
) -> Mapping[str, tuple[Channel, ...]]:
    """The channels of each receiver; none for one that is switched off, as one of its references leads nowhere. What
    leads to our own proxy is left out."""
    resolve = resolver(settings, environ)

    def of(receiver: Receiver) -> tuple[Channel, ...]:
        found = [resolve(reference) for reference in receiver.urls]
        headers = {name: text for name, value in receiver.headers.items() for text in resolve(value, plain=True)}
        if not all(found) or len(headers) < len(receiver.headers):
            return ()
        urls = (url for urls in found for url in urls if not leads_home(url))
        return tuple(Channel(url=url, kind=receiver.kind, headers=headers) for url in urls)

    return {receiver.name: of(receiver) for receiver in config.receivers}


def probe_keys(settings: Settings) -> Mapping[str, str]:
    """Client keys to ask with for the inventory, by name: the lines `name = key` of a secret file. Others are left
    out, and so is what begins with `#`."""
    lines = [line.partition("=") for line in _file(settings.secrets_dir, PROBE_KEYS).splitlines()]
    pairs = [(name.strip(), key.strip()) for name, _, key in lines if not name.lstrip().startswith("#")]
    return {name: key for name, key in pairs if name and key}


def heartbeat_url(
    config: AlertsConfig, settings: Settings, leads_home: LeadsHome, environ: Mapping[str, str] | None = None
) -> str | None:
    """Where the heartbeat of the route goes; None when there is none, it leads nowhere, or to our own proxy."""
    if config.route.heartbeat is None:
        return None
    urls = resolver(settings, environ)(config.route.heartbeat.url)
    return next((url for url in urls if not leads_home(url)), None)


def mask(url: str) -> str:
    """Scheme and host at most."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in WITH_HOSTS else None
    except ValueError:
        return "***"
    return f"{parts.scheme}://{host or '***'}" if parts.scheme else "***"


def _file(directory: Path | None, name: str) -> str:
    """Read at each use: a secret may be renewed while we run."""
    if directory is None or not re.fullmatch(r"\w[\w.-]*", name):
        return ""
    for file in (directory / name, directory / f"runbookd.{name}"):
        try:
            return file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
    return ""
