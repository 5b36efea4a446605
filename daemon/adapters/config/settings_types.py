"""The types of settings: what an address, a key, a directory may look like. No message of theirs quotes a value."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

_URL_BORDER = re.compile(r"[\s,]+(?=[A-Za-z0-9]{1,12}://)")


def split_urls(text: str) -> tuple[str, ...]:
    """Apprise URLs that are separated by white space or commas; a comma inside a URL is part of it."""
    text = text.strip(" \t\r\n,")
    return tuple(_URL_BORDER.split(text)) if text else ()


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no home directory for ~: write the path in full") from None


def _http_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0 or re.search(r"[^!-~]", text):
            raise ValueError
    except ValueError:
        raise ValueError("should be http://HOST:PORT or https://HOST:PORT") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("should be only http(s)://HOST:PORT, without user, password, query or #")
    return text.rstrip("/")


def _header(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("holds spaces or other characters that no header can carry")
    return secret


def _database(url: SecretStr) -> SecretStr:
    if not re.match(r"sqlite:///[^:?]|postgresql(\+psycopg)?://", url.get_secret_value()):
        raise ValueError("should be sqlite:////path/to/file or postgresql+psycopg://…")
    return url


def _word(text: str) -> str:
    if not re.fullmatch(r"[^\s/]{1,64}", text):
        raise ValueError("should be one word of at most 64 characters, without /")
    return text


def _lower(text: object) -> object:
    return text.lower() if isinstance(text, str) else text


Port = Annotated[int, Field(ge=1, le=65535)]
Place = Annotated[Path, AfterValidator(_absolute)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Key = Annotated[SecretStr, AfterValidator(_header)]
Database = Annotated[SecretStr, AfterValidator(_database)]
Name = Annotated[str, AfterValidator(_word)]
AnyCase = BeforeValidator(_lower)
