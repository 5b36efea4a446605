"""Kinds: everything that an alerts file may name, by the word that it has for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from daemon.domain.alerts_config import MitigationOptions, ProbeOptions, Rule


@dataclass(frozen=True, slots=True)
class Kinds:
    """The types that each of them is checked against."""

    rules: Mapping[str, type[Rule]]
    mitigations: Mapping[str, type[MitigationOptions]] = field(default_factory=dict)
    probes: Mapping[str, type[ProbeOptions]] = field(default_factory=dict)
