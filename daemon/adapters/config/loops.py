"""Whether models stand in for each other in a circle."""

from collections.abc import Iterable, Iterator

from daemon.adapters.config.wording import quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake


def loop_mistakes(tree: Node) -> Iterator[Mistake]:
    """One for each line that closes a circle, over `fallbacks` and what the mitigations lead elsewhere for all."""
    yield from _circles(_edges(tree))


def circle_mistakes(fallbacks: Node) -> Iterator[Mistake]:
    """The same over the `fallbacks` of one class of traffic, which heeds no others."""
    yield from _circles(_lines(fallbacks))


def _circles(edges: Iterable[tuple[str, str, Node]]) -> Iterator[Mistake]:
    stands_in: dict[str, list[str]] = {}
    for model, other, place in edges:
        if model == other and place.path.startswith("fallbacks"):
            yield place.mistake(f"{quoted(model)} cannot stand in for itself: it is left out", warning=True)
        elif model == other:
            yield place.mistake(f"{quoted(model)} cannot stand in for itself")
        elif way := _way(other, model, stands_in):
            yield place.mistake(f"closes a circle: {' -> '.join([model, *way])}")
        else:
            stands_in.setdefault(model, []).append(other)


def _edges(tree: Node) -> Iterator[tuple[str, str, Node]]:
    yield from _lines(tree.child("fallbacks"))
    for one in tree.child("mitigations").map.values():
        model, other = one.child("from").text, one.child("to_model")
        yield from ((model, to.text, to) for to in one.child("to").list if model is not None and to.text is not None)
        asked = one.child("model").text
        is_for_all = "workload" not in one.map and "client" not in one.map
        if one.child("kind").text == "reroute" and is_for_all and asked is not None and other.text not in (None, asked):
            yield asked, str(other.text), other


def _lines(fallbacks: Node) -> Iterator[tuple[str, str, Node]]:
    for model, others in fallbacks.map.items():
        yield from ((model, other.text, other) for other in others.list if other.text is not None)


def _way(start: str, end: str, stands_in: dict[str, list[str]]) -> list[str]:
    """From one model to another; empty when there is none. The circle-free graph lets it end."""
    ways, seen = [[start]], {start}
    for way in ways:
        if way[-1] == end:
            return way
        for following in stands_in.get(way[-1], ()):
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return []
