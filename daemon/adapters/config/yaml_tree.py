"""YAML as a tree in which each value knows its place: 1.2 booleans, no tags, no duplicate keys, bounded in size."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import yaml

from daemon.adapters.config.wording import quoted
from daemon.domain.errors import ConfigError, Mistake

MOST_CHARACTERS = 1 << 20
MOST_VALUES = 20_000
MOST_ALIASES = 100
DEEPEST = 20

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A value and where it stands: for a value in a map that is its key. `path` is as in `rules[1].kind`."""

    value: Any
    """None, bool, int, str, a dict of nodes, or a list of nodes."""
    source: str
    line: int
    column: int
    path: str
    size: int = 1
    """Values in it, itself included."""
    height: int = 0
    """Levels in it."""

    @property
    def map(self) -> dict[str, "Node"]:
        """Empty for what is no map."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def list(self) -> list["Node"]:
        """Empty for what is no list."""
        return self.value if isinstance(self.value, list) else []

    @property
    def text(self) -> str | None:
        """None for what is no text."""
        return self.value if isinstance(self.value, str) else None

    def child(self, key: str) -> "Node":
        """The value under a key; one of None where there is none."""
        return self.map.get(key) or replace(self, value=None, path=_join(self.path, key))

    @property
    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain for key, node in self.value.items()}
        return [node.plain for node in self.value] if isinstance(self.value, list) else self.value

    def mistake(self, message: str, *, below: str = "", warning: bool = False) -> Mistake:
        """A mistake that stands here; `below` names what is missing in it."""
        path = _join(self.path, below) if below else self.path
        return Mistake(
            source=self.source, line=self.line, column=self.column, path=path, message=message, warning=warning
        )


def read_tree(text: str, source: str) -> tuple[Node, list[Mistake]]:
    """The whole file, with the mistakes that did not stop the reading; raises `ConfigError` when one of them did."""
    return _Reader(text, source).read()


def _join(path: str, key: str) -> str:
    name = quoted(key)[1:-1]
    return f"{path}.{name}" if path else name


class _Reader:
    """Builds the tree from the parser's events, so that limits hold before anything is built."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._events: Iterator[Any] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._anchors: dict[str, Node] = {}
        self._mistakes: list[Mistake] = []
        self._values = self._aliases = 0

    def read(self) -> tuple[Node, list[Mistake]]:
        if len(self._text) > MOST_CHARACTERS:
            raise self._end(f"the file is longer than {MOST_CHARACTERS} characters")
        try:
            return self._document(), self._mistakes
        except yaml.MarkedYAMLError as error:
            raise self._end(str(error.problem or error.context), error.problem_mark or error.context_mark) from None
        except yaml.reader.ReaderError as error:
            raise self._end(f"character {error.character:#x} is not allowed in YAML") from None
        except (ValueError, OverflowError):
            raise self._end("an escaped character does not exist") from None

    def _document(self) -> Node:
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise self._end("the file is empty")
        root = self._node(next(self._events), "", 0)
        next(self._events)
        if not isinstance(following := next(self._events), yaml.StreamEndEvent):
            raise self._end("a second document begins here; there must be only one", following.start_mark)
        return root

    def _node(self, event: Any, path: str, depth: int, key: Any = None) -> Node:
        self._values += 1
        self._limit(event, depth)
        mark = (key or event).start_mark
        place = Node(value=None, source=self._source, line=mark.line + 1, column=mark.column + 1, path=path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place, depth)
        if event.tag is not None:
            tag = quoted(event.tag.replace("tag:yaml.org,2002:", "!!"))
            self._mistakes.append(place.mistake(f"tags such as {tag} are not allowed"))
        node = self._filled(event, place, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _filled(self, event: Any, place: Node, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return replace(place, value=self._scalar(event, place))
        before = self._values
        content = self._map(place, depth) if isinstance(event, yaml.MappingStartEvent) else self._list(place, depth)
        inner = content.values() if isinstance(content, dict) else content
        height = 1 + max((node.height for node in inner), default=0)
        return replace(place, value=content, size=1 + self._values - before, height=height)

    def _map(self, place: Node, depth: int) -> dict[str, Node]:
        content: dict[str, Node] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self._end("a key must be text", key.start_mark)
            node = self._node(next(self._events), _join(place.path, key.value), depth + 1, key)
            if not isinstance(self._scalar(key, node), str):
                self._mistakes.append(node.mistake(f"a key must be text: write {quoted(key.value)} in quotes"))
            if key.value in content:
                self._mistakes.append(node.mistake(f"is said twice, first in line {content[key.value].line}"))
            content.setdefault(key.value, node)
        return content

    def _list(self, place: Node, depth: int) -> list[Node]:
        content: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            content.append(self._node(event, f"{place.path}[{len(content)}]", depth + 1))
        return content

    def _alias(self, event: Any, place: Node, depth: int) -> Node:
        """Counts as all that it stands for, in size and in depth: aliases of aliases soon come to their end."""
        self._aliases += 1
        if self._aliases > MOST_ALIASES:
            raise self._end(f"there are more than {MOST_ALIASES} aliases", event.start_mark)
        if event.anchor not in self._anchors:
            self._mistakes.append(place.mistake(f"there is no anchor {quoted(event.anchor)} above"))
            return place
        meant = self._anchors[event.anchor]
        self._values += meant.size - 1
        self._limit(event, depth + meant.height)
        return replace(place, value=meant.value, size=meant.size, height=meant.height)

    def _scalar(self, event: Any, place: Node) -> bool | int | str | None:
        text: str = event.value
        if not event.implicit[0]:
            if any("\ud800" <= character <= "\udfff" for character in text):
                raise self._end("an escaped character does not exist", event.start_mark)
            return text
        if text in WORDS:
            return WORDS[text]
        return int(text) if re.fullmatch(r"[-+]?[0-9]{1,18}", text, re.ASCII) else text

    def _limit(self, event: Any, depth: int) -> None:
        if self._values > MOST_VALUES:
            raise self._end(f"there are more than {MOST_VALUES} values", event.start_mark)
        if depth > DEEPEST:
            raise self._end(f"it is nested deeper than {DEEPEST} levels", event.start_mark)

    def _end(self, message: str, mark: Any = None) -> ConfigError:
        """Nothing can be read after this one."""
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (None, None)
        last = Mistake(source=self._source, line=line, column=column, message=message)
        return ConfigError([*self._mistakes, last])
