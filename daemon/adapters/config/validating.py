"""Values of the tree against their types: what pydantic finds, told with its place."""

import json
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from daemon.adapters.config.wording import did_you_mean, say
from daemon.adapters.config.yaml_tree import Node
from daemon.domain.errors import Mistake

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[int | str, ...]


def validated(model: type[Model], node: Node, mistakes: list[Mistake]) -> Model | None:
    """The value as its type; None when it is not of it, and then the mistakes are added.

    Strict, as JSON is: `yes` is no boolean, and "5" is no number.
    """
    try:
        return model.model_validate_json(json.dumps(node.plain), strict=True)
    except ValidationError as error:
        mistakes += _told(model, node, error.errors(include_url=False))
        return None


def fields_of(model: Any) -> Mapping[str, Any]:
    """The types of a model's fields by the names that stand in the file: `for`, not `for_`."""
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        return {}
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _told(model: type[BaseModel], root: Node, errors: Sequence[ErrorDetails]) -> Iterator[Mistake]:
    """One mistake for each value: what the members of a union say is said together."""
    together: dict[Node | int, tuple[Node, list[ErrorDetails]]] = {}
    for error in errors:
        node, _ = _found(root, error["loc"])
        if error["type"] == "missing":
            yield node.mistake("is needed", below=str(error["loc"][-1]))
        elif error["type"] == "extra_forbidden":
            known = _known(model, error["loc"])
            yield node.mistake(f"is not known here{did_you_mean(str(error['loc'][-1]), known)}")
        elif not _is_outdone(error, errors, root):
            together.setdefault(id(node), (node, []))[1].append(error)
    for node, same in together.values():
        yield node.mistake(say(same))


def _found(root: Node, location: Location) -> tuple[Node, bool]:
    """The innermost value of a location, and whether its last part is one: names of a union's members are none."""
    node, is_last = root, True
    for part in location:
        inner = node.map.get(part) if isinstance(part, str) else node.list[part] if part < len(node.list) else None
        node, is_last = inner or node, inner is not None
    return node, is_last


def _is_outdone(error: ErrorDetails, errors: Sequence[ErrorDetails], root: Node) -> bool:
    """Whether another member of the same union got further into the value: that one was meant."""
    location = error["loc"]
    if _found(root, location)[1]:
        return False
    outside = location[:-1]
    return any(len(other["loc"]) > len(location) and other["loc"][: len(outside)] == outside for other in errors)


def _known(model: Any, location: Location) -> Mapping[str, Any]:
    """What might stand where the last part of a location is not known."""
    for part in location[:-1]:
        if get_origin(model) in (Union, UnionType):
            model = next((member for member in get_args(model) if getattr(member, "__name__", "") == part), None)
        elif isinstance(part, str) and part in fields_of(model):
            model = fields_of(model)[part]
        else:
            model = next((inner for inner in reversed(get_args(model)) if inner is not Ellipsis), None)
    members = get_args(model) if get_origin(model) in (Union, UnionType) else (model,)
    return {name: annotation for member in members for name, annotation in fields_of(member).items()}
