"""Whether an address is our own proxy's, in whatever form it is said."""

import socket
import unicodedata
from contextlib import closing
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

Address = tuple[str, int]
"""Host and port that the proxy listens on."""


def leads_home(url: str, proxy: Address, *, look_up: bool = False) -> bool:
    """Whether a URL leads to our own proxy. Names are looked up only when asked: that takes as long as it takes."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
        host = parts.hostname or ""
    except ValueError:
        return False
    return port == proxy[1] and any(is_ours(address) for address in _addresses(host, look_up))


def is_ours(address: str) -> bool:
    """Whether an IP address is one of this machine."""
    ip = ip_address(address.partition("%")[0])
    return ip.is_loopback or ip.is_unspecified or _can_be_bound(str(ip), ip.version)


def _can_be_bound(address: str, version: int) -> bool:
    with closing(socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_STREAM)) as one:
        try:
            one.bind((address, 0))
        except OSError:
            return False
    return True


def _addresses(host: str, look_up: bool) -> list[str]:
    """Also of 127.1, 0x7f.1, 2130706433 and of digits that are written in another way."""
    plain = unicodedata.normalize("NFKC", unquote(host)).rstrip(".").lower()
    if plain in ("localhost", socket.gethostname().lower()) or plain.endswith(".localhost"):
        return ["127.0.0.1"]
    try:
        found = socket.getaddrinfo(plain, None, type=socket.SOCK_STREAM, flags=0 if look_up else socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return []
    return [str(place[4][0]) for place in found]
