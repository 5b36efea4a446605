"""Whether the receivers can hear anything, and whether the route leads to one."""

from collections.abc import Callable, Iterator
from typing import Protocol

from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.alerts_config import AlertsConfig, Route
from daemon.domain.errors import Mistake
from daemon.logic.addresses import is_http

LeadsHome = Callable[[str], bool]
"""Whether a URL leads to our own proxy."""

WEBHOOK = "webhook"
LOOP = "leads to our own proxy: it is left out"


class Secrets(Protocol):
    """The URLs behind `env:NAME` or `secret:name`, or its plain text; none when there is nothing behind it."""

    def __call__(self, reference: str, plain: bool = ...) -> tuple[str, ...]: ...


def receiver_mistakes(tree: Node, secrets: Secrets, leads_home: LeadsHome) -> Iterator[Mistake]:
    """No message shows a URL. What leads to our own proxy is left out."""
    yield from _heartbeat(tree.child("route").child("heartbeat"), secrets, leads_home)
    if "receivers" not in tree.map:
        yield from _without_urls(tree.child("receivers"), secrets)
        return
    names: set[str] = set()
    for receiver in tree.map["receivers"].list:
        name = receiver.child("name").text
        if name in names:
            yield receiver.map["name"].mistake(f"{quoted(name)} is the name of another receiver too")
        elif name is not None:
            names.add(name)
        yield from _urls(receiver, secrets, leads_home)
        yield from _headers(receiver, secrets)
    yield from _backups(tree.map["receivers"].list, names)
    route = tree.child("route").child("receiver")
    wanted = Route().receiver if route.value is None else route.text
    if names and wanted is not None and wanted not in names:
        yield route.mistake(f"{quoted(wanted)} is not a receiver{did_you_mean(wanted, names)}")


def _without_urls(place: Node, secrets: Secrets) -> Iterator[Mistake]:
    for receiver in AlertsConfig().receivers:
        for reference in receiver.urls:
            if not secrets(reference):
                yield place.mistake(_off(reference, receiver.name), warning=True)


def _urls(receiver: Node, secrets: Secrets, leads_home: LeadsHome) -> Iterator[Mistake]:
    urls, is_webhook = receiver.child("urls"), receiver.child("kind").text == WEBHOOK
    if not urls.value:
        yield receiver.mistake("has no urls: it hears nothing", warning=True)
    for url in urls.list:
        text = url.text or "://"
        found = secrets(text) if is_reference(text) else (text,)
        if not found:
            yield url.mistake(_off(text, receiver.child("name").text or ""), warning=True)
        elif not is_reference(text) and "://" not in text:
            yield url.mistake("should be an Apprise URL, env:NAME or secret:name")
        if any(map(leads_home, found)):
            yield url.mistake(LOOP, warning=True)
        if is_webhook and not all(is_http(one) or is_reference(one) for one in found):
            yield url.mistake("should be an http(s) address, for a webhook", warning=is_reference(text))


def _headers(receiver: Node, secrets: Secrets) -> Iterator[Mistake]:
    headers = receiver.child("headers")
    if headers.map and receiver.child("kind").text != WEBHOOK:
        yield headers.mistake("are only for kind: webhook; an Apprise URL has its own way to say them")
    for value in headers.map.values():
        text = value.text or ""
        if is_reference(text) and not secrets(text, plain=True):
            yield value.mistake(_off(text, receiver.child("name").text or ""), warning=True)


def _backups(receivers: list[Node], names: set[str]) -> Iterator[Mistake]:
    for receiver in receivers:
        backup = receiver.child("backup")
        if backup.text is not None and backup.text == receiver.child("name").text:
            yield backup.mistake("is the receiver itself")
        elif backup.text is not None and backup.text not in names:
            yield backup.mistake(f"{quoted(backup.text)} is not a receiver{did_you_mean(backup.text, names)}")


def _heartbeat(heartbeat: Node, secrets: Secrets, leads_home: LeadsHome) -> Iterator[Mistake]:
    url = heartbeat.child("url")
    if url.text is None:
        return
    found = secrets(url.text) if is_reference(url.text) else (url.text,)
    if not found:
        yield url.mistake(f"{url.text} resolves to nothing; there is no heartbeat", warning=True)
    if not is_reference(url.text) and not is_http(url.text):
        yield url.mistake("should be an http(s) address, env:NAME or secret:name")
    if any(map(leads_home, found)):
        yield url.mistake(LOOP, warning=True)


def is_reference(text: str) -> bool:
    """Whether it names a URL instead of being one."""
    return text.startswith(("env:", "secret:")) and "://" not in text


def _off(reference: str, receiver: str) -> str:
    return f"{reference} resolves to nothing; receiver '{receiver}' is switched off"
