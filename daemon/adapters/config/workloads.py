"""Whether the classes of traffic can tell anything apart, and whether what they and the mitigations name is there."""

import re
from collections.abc import Iterator

from daemon.adapters.config.loops import circle_mistakes
from daemon.adapters.config.selecting import LONGEST_GLOB, MOST_STARS, is_slow
from daemon.adapters.config.wording import did_you_mean, quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake

SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key", "x-goog-api-key"})
"""What they say stands nowhere, this file included."""
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def workload_mistakes(tree: Node) -> Iterator[Mistake]:
    """Of the classes, and of the mitigations that name one."""
    classes = tree.child("workloads").list
    names: dict[str, Node] = {}
    for one in classes:
        name = one.child("name")
        if name.text is not None and names.setdefault(name.text, name) is not name:
            yield name.mistake(f"{quoted(name.text)} is the name of {names[name.text].path[:-5]} too")
        yield from _matching(one)
        yield from _leading(one, tree)
    for mitigation in tree.child("mitigations").map.values():
        named = mitigation.child("workload")
        if named.text is not None and named.text not in names:
            yield named.mistake(f"{quoted(named.text)} is not one of `workloads`{did_you_mean(named.text, names)}")


def _matching(one: Node) -> Iterator[Mistake]:
    match = one.child("match")
    header = match.child("header")
    if isinstance(match.value, dict) and not [
        inner for name, inner in match.map.items() if inner.value not in ({}, None)
    ]:
        yield match.mistake("fits every request: say prefix, client_key_id, header or model")
    for name, glob in header.map.items():
        if name.lower() in SECRET_HEADERS:
            yield glob.mistake("holds a secret: tell clients apart by client_key_id")
        elif not _HEADER.fullmatch(name):
            yield glob.mistake(f"{quoted(name)} is not the name of a header")
    for glob in (match.child("prefix"), match.child("model"), *header.map.values()):
        if is_slow(glob.text):
            yield glob.mistake(f"a glob has at most {MOST_STARS} stars and {LONGEST_GLOB} characters")
    if "/" in (match.child("prefix").text or ""):
        yield match.child("prefix").mistake("is what stands before the first slash: leave the slash out")


def _leading(one: Node, tree: Node) -> Iterator[Mistake]:
    fallbacks, excluded = one.child("fallbacks"), {node.text for node in one.child("exclude").list}
    if fallbacks.map and one.child("priority").text == "latency":
        yield fallbacks.mistake("does nothing: what is latency is led away only by what names it", warning=True)
    yield from circle_mistakes(fallbacks)
    for model, line in fallbacks.map.items():
        if line.list and all(other.text in excluded for other in line.list):
            yield line.mistake(f"nothing is left that may stand in for {quoted(model)}: all are excluded", warning=True)
