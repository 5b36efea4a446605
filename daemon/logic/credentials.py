"""Credentials that fail: which one to take out of the way, and what would serve in its place."""

from collections.abc import Iterator, Mapping
from typing import Any

from daemon.domain.credential import CredentialFile
from daemon.logic.mitigation import About

AUTH_FILES = "auth-files"


def replaceable(about: About) -> Iterator[tuple[CredentialFile, list[CredentialFile]]]:
    """The alert's credentials that fail, the worst first, each with the healthy ones that would serve in its place.

    One without any of these is left alone, and so is a name that the upstream lists twice: nobody knows which is meant.
    """
    ours = [one for one in about.credentials if one.provider_key == about.provider_key]
    rest = [one for one in ours if one.is_healthy and one.name not in about.failing]
    for name in about.failing if rest else ():
        named = [one for one in ours if one.name == name]
        if len(named) == 1:
            yield named[0], rest


def entry(reply: Any, field: str, value: str) -> Mapping[str, Any]:
    """A credential in the reply of `auth-files`; raises ValueError when it is not listed."""
    files = reply.get("files") if isinstance(reply, dict) else None
    for file in files if isinstance(files, list) else ():
        if isinstance(file, dict) and file.get(field) == value:
            return file
    raise ValueError(f"the upstream lists no credential with the {field} {value}")
