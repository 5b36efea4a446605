"""Whether the field of a reading that a rule compares is there, and can be compared like this."""

from collections.abc import Iterator

from daemon.adapters.config.selecting import Fields
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake

NUMBERS = {"above": "equals", "below": "equals", "falls_by": "differs", "rises_by": "differs"}
"""What a level says of numbers only, and what it can say of anything."""


def compared_mistakes(rule: Node, fields: Fields, usual: str) -> Iterator[Mistake]:
    """Of the rule's `field`, which is the usual one unless said, and of what its levels say of it."""
    node, name = rule.child("field"), rule.child("field").text or usual
    if name not in fields.types:
        if node.text is not None:
            yield node.mistake(fields.not_one(name))
        return
    is_number = fields.types[name] in (int, float)
    for level in rule.child("levels").map.values():
        for word in NUMBERS.keys() & level.map.keys() if not is_number else ():
            yield level.map[word].mistake(f"{name} is no number: compare it with {NUMBERS[word]}")
        equals = level.child("equals")
        for value in equals.list if isinstance(equals.value, list) else [equals] if "equals" in level.map else []:
            if message := fields.refused(name, value.value):
                yield value.mistake(message)
