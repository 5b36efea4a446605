"""Whether the receivers can hear anything, and whether the route leads to one."""

from collections.abc import Callable, Iterator

from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.alerts_config import AlertsConfig, Route
from daemon.domain.errors import Mistake

Secrets = Callable[[str], tuple[str, ...]]
"""The URLs behind `env:NAME` or `secret:name`; none when there is nothing behind it."""


def receiver_mistakes(tree: Node, secrets: Secrets) -> Iterator[Mistake]:
    """No message shows a URL."""
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
        yield from _urls(receiver, secrets)
    route = tree.child("route").child("receiver")
    wanted = Route().receiver if route.value is None else route.text
    if names and wanted is not None and wanted not in names:
        yield route.mistake(f"{quoted(wanted)} is not a receiver{did_you_mean(wanted, names)}")


def _without_urls(place: Node, secrets: Secrets) -> Iterator[Mistake]:
    for receiver in AlertsConfig().receivers:
        for reference in receiver.urls:
            if not secrets(reference):
                yield place.mistake(_off(reference, receiver.name), warning=True)


def _urls(receiver: Node, secrets: Secrets) -> Iterator[Mistake]:
    urls = receiver.child("urls")
    if not urls.value:
        yield receiver.mistake("has no urls: it hears nothing", warning=True)
    for url in urls.list:
        text = url.text or "://"
        if is_reference(text):
            if not secrets(text):
                yield url.mistake(_off(text, receiver.child("name").text or ""), warning=True)
        elif "://" not in text:
            yield url.mistake("should be an Apprise URL, env:NAME or secret:name")


def is_reference(text: str) -> bool:
    """Whether it names a URL instead of being one."""
    return text.startswith(("env:", "secret:")) and "://" not in text


def _off(reference: str, receiver: str) -> str:
    return f"{reference} resolves to nothing; receiver '{receiver}' is switched off"
