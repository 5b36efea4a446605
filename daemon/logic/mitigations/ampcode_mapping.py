"""`ampcode_mapping`: on builds with Amp's own routes, one model is mapped to another there, and back."""

from typing import Any, Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.mitigation import Call, Effect, Mode
from daemon.logic.capabilities import obstacle
from daemon.logic.mitigation import About, Change


class AmpcodeMapping(MitigationOptions):
    """Maps a model for Amp's own routes while the alert fires; no other route heeds it."""

    kind: Literal["ampcode_mapping"] = "ampcode_mapping"
    from_: str = Field(alias="from", min_length=1)
    """The model that Amp asks for."""
    to: str = Field(min_length=1)
    """The model that it gets; it must be served."""


OPTIONS = AmpcodeMapping

CEILING = Mode.ASK
"""It decides where people's editors go, and the upstream heeds it only where the model is not to be had otherwise."""

_PREFIX, _PATH, _KEY = "ampcode_mapping:", "ampcode/model-mappings", "model-mappings"


def plan(options: AmpcodeMapping, about: About) -> tuple[Change, ...]:
    """One target: the mapping of this model."""
    return (
        Change(
            target=_PREFIX + options.from_,
            choices=(options.to,),
            soft=False,
            effect=Effect.UNKNOWN,
            obstacle=obstacle(about.capabilities, "GET", "ampcode"),
        ),
    )


def reaches(options: AmpcodeMapping, target: str) -> bool:
    """Its model's."""
    return target == _PREFIX + options.from_


def reading(target: str) -> str:
    """All mappings."""
    return _PATH


def read(target: str, reply: Any) -> str | None:
    """What the model is mapped to; None where it is not. Raises ValueError for a mapping that says more, which we could
    not give back."""
    mappings = reply.get(_KEY) if isinstance(reply, dict) else None
    if not isinstance(mappings, list | None) or not isinstance(reply, dict) or _KEY not in reply:
        raise ValueError("this upstream has no mappings of Amp's models")
    model = target.removeprefix(_PREFIX)
    found = next((one for one in mappings or () if isinstance(one, dict) and one.get("from") == model), None)
    if found is None:
        return None
    if found.get("regex") or found.get("params") or not isinstance(found.get("to"), str):
        raise ValueError(f"the mapping of {model} is more than from and to: it is left to people")
    return str(found["to"])


def writing(target: str, value: Any) -> Call:
    """The upstream merges by `from`, and deletes by it: others' mappings stay."""
    model = target.removeprefix(_PREFIX)
    if value is None:
        return Call(method="DELETE", path=_PATH, body={"value": [model]})
    return Call(method="PATCH", path=_PATH, body={"value": [{"from": model, "to": value}]})


def top_level(target: str) -> str:
    """The key of the upstream's config."""
    return "ampcode"


def say(target: str, value: Any) -> str:
    """The change in words."""
    model = target.removeprefix(_PREFIX)
    return f"map Amp's {model} to {value}" if value is not None else f"take away the mapping of Amp's {model}"
