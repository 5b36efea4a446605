"""What the soft kinds have in common: for which requests they are, as options and as a target, and how they end."""

import re
from dataclasses import replace
from typing import Any, Self

from pydantic import Field, model_validator

from daemon.domain.alerts_config import MitigationOptions, Strict
from daemon.domain.soft_routing import SoftRoute
from daemon.domain.units import Duration
from daemon.logic.releasing import NO_PROBES
from daemon.logic.thinking_reading import split_suffix

ANY = "*"
PROBE_SECONDS = 300.0

_WHAT = re.compile(r"(?P<model>.*?)(?: workload=(?P<workload>\S+))?(?: client=(?P<client>\S+))?", re.DOTALL)


class Release(Strict):
    """How we learn that the original path works again."""

    canary: str = Field("ping", pattern="^[a-z][a-z0-9_]*$")
    """`ping`, a small request of our own to the original path; `trickle`, one real request on it from time to time; or
    the name of a probe, which is run."""
    every: Duration = 30.0
    """How often it is asked; a probe each 5m unless said. Real requests are let through once a minute."""
    passes: int = Field(3, ge=1)
    """So many good answers in a row, and it ends."""

    @model_validator(mode="before")
    @classmethod
    def _seldom(cls, said: Any) -> Any:
        """A probe costs more than a ping."""
        is_probe = isinstance(said, dict) and said.get("canary", "ping") not in NO_PROBES
        return {"every": PROBE_SECONDS, **said} if is_probe else said


class Scoped(MitigationOptions):
    """For which requests; all that is said must hold."""

    model: str | None = Field(None, min_length=1)
    """Only requests for this model, with or without a `(suffix)`."""
    prefix: str | None = Field(None, min_length=1, pattern="^[^/]+$")
    """Only requests for models with this prefix: `iflow` is that of `iflow/glm-4.6`."""
    workload: str | None = None
    """Only requests of this class: one of `workloads:`."""
    client: str | None = Field(None, pattern="^[0-9a-f]{16}$")
    """Only requests with this key, by the `client_key_id` of its events."""

    @model_validator(mode="after")
    def _is_for_some(self) -> Self:
        if not any((self.model, self.prefix, self.workload, self.client)):
            raise ValueError("would be for every request: say model, prefix, workload or client")
        if self.model is not None and split_suffix(self.model)[1]:
            raise ValueError("is for a model whatever its suffix: leave the suffix out")
        return self


def what(options: Scoped) -> str:
    """Which requests, as the end of a target: `iflow/* workload=nightly`."""
    model = options.model or ANY
    words = [model if options.prefix is None else f"{options.prefix}/{model}"]
    words += [f"workload={options.workload}"] if options.workload else []
    words += [f"client={options.client}"] if options.client else []
    return " ".join(words)


def scoped(route: SoftRoute, said: str) -> SoftRoute:
    """A route for the requests that the end of a target names."""
    match = _WHAT.fullmatch(said)
    model, workload, client = match.group("model", "workload", "client") if match else (said, None, None)
    is_prefix = model.endswith("/" + ANY)
    return replace(
        route,
        from_model="" if is_prefix or model == ANY else model,
        from_prefix=model.removesuffix("/" + ANY) if is_prefix else "",
        workload=workload or "",
        client=client or "",
    )
