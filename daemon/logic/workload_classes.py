"""Workload classes: which class of traffic a request belongs to."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase

from daemon.domain.soft_routing import WorkloadClass


def class_of(
    classes: Iterable[WorkloadClass], model: str | None, client: str | None, headers: Mapping[bytes, bytes]
) -> WorkloadClass | None:
    """The first that fits. Of each header only its first value counts; a model of None fits no model and no prefix."""
    return next((one for one in classes if _fits(one, model, client, headers)), None)


def _fits(one: WorkloadClass, model: str | None, client: str | None, headers: Mapping[bytes, bytes]) -> bool:
    if one.client and one.client != client:
        return False
    if one.model and not (model and fnmatchcase(model, one.model)):
        return False
    if one.prefix and not (model and "/" in model and fnmatchcase(model.partition("/")[0], one.prefix)):
        return False
    return all(_has(headers, name, wanted) for name, wanted in one.headers.items())


def _has(headers: Mapping[bytes, bytes], name: str, wanted: str) -> bool:
    value = headers.get(name.encode())
    return value is not None and fnmatchcase(value.decode("latin-1"), wanted)


def may_be_of(
    classes: Iterable[WorkloadClass], client: str | None, headers: Mapping[bytes, bytes]
) -> Iterator[WorkloadClass]:
    """Those that may fit once the model is known."""
    return (one for one in classes if _fits(replace(one, model="", prefix=""), None, client, headers))
