"""Addresses on the web, as text."""

from urllib.parse import urlsplit


def is_http(url: str) -> bool:
    """Whether it is an address that one can post to or get."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
