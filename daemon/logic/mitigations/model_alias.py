"""`model_alias`: our proxy sends a model's requests out as another model; soft, leased, ended by a canary."""

from typing import Literal

from pydantic import Field

from daemon.domain.alerts_config import MitigationOptions, Strict
from daemon.domain.units import Duration


class Release(Strict):
    """How we learn that the original path works again."""

    canary: Literal["ping"] = "ping"
    every: Duration = 30.0
    passes: int = Field(3, ge=1)


class ModelAlias(MitigationOptions):
    """Requests for `from` go out as the first model of `to` that is served."""

    kind: Literal["model_alias"] = "model_alias"
    from_: str = Field(alias="from")
    to: tuple[str, ...] = Field(min_length=1)
    release: Release = Release()


OPTIONS = ModelAlias
