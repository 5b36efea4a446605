"""`env:NAME` and `secret:name` of the alerts file: resolved at use, never shown."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from daemon.adapters.config.receiving import is_reference
from daemon.adapters.config.settings import Settings
from daemon.adapters.config.settings_types import split_urls
from daemon.domain.alerts_config import AlertsConfig, Receiver

NOTIFY_URLS = "notify_urls"
WITH_HOSTS = frozenset({"http", "https", "json", "jsons", "form", "forms", "xml", "xmls"})
"""Schemes whose host is a host; in others a token stands there."""


def resolver(settings: Settings, environ: Mapping[str, str] | None = None) -> Callable[[str], tuple[str, ...]]:
    """Gives the URLs behind a reference, as they are now; a URL gives itself, and what leads nowhere gives none."""
    variables = os.environ if environ is None else environ

    def resolve(reference: str) -> tuple[str, ...]:
        kind, _, name = reference.partition(":")
        if not is_reference(reference):
            text = reference
        elif kind == "env":
            text = variables.get(name, "")
        elif name == NOTIFY_URLS and settings.notify_urls is not None:
            text = settings.notify_urls.get_secret_value()
        else:
            text = _file(settings.secrets_dir, name)
        return tuple(url for url in split_urls(text) if "://" in url)

    return resolve


def receiver_urls(
    config: AlertsConfig, settings: Settings, environ: Mapping[str, str] | None = None
) -> Mapping[str, tuple[str, ...]]:
    """The Apprise URLs of each receiver; none for one that is switched off, as one of its references leads nowhere."""
    resolve = resolver(settings, environ)

    def of(receiver: Receiver) -> tuple[str, ...]:
        found = [resolve(reference) for reference in receiver.urls]
        return tuple(url for urls in found for url in urls) if all(found) else ()

    return {receiver.name: of(receiver) for receiver in config.receivers}


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
