"""Whether models stand in for each other in a circle."""

from collections.abc import Iterator

from daemon.adapters.config.wording import quoted
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake


def loop_mistakes(tree: Node) -> Iterator[Mistake]:
    """One for each line that closes a circle, over `fallbacks` and the aliases among the mitigations."""
    stands_in: dict[str, list[str]] = {}
    for model, other, place in _edges(tree):
        if model == other and place.path.startswith("fallbacks"):
            yield place.mistake(f"{quoted(model)} cannot stand in for itself: it is left out", warning=True)
        elif model == other:
            yield place.mistake(f"{quoted(model)} cannot stand in for itself")
        elif way := _way(other, model, stands_in):
            yield place.mistake(f"closes a circle: {' -> '.join([model, *way])}")
        else:
            stands_in.setdefault(model, []).append(other)


def _edges(tree: Node) -> Iterator[tuple[str, str, Node]]:
    aliases = tree.child("mitigations").map.values()
    lines = [*tree.child("fallbacks").map.items(), *((one.child("from").text, one.child("to")) for one in aliases)]
    for model, others in lines:
        for other in others.list:
            if model is not None and other.text is not None:
                yield model, other.text, other


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
