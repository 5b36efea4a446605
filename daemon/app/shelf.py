"""Scans the shelves once: a file on a shelf is a plug-in, and its name is its kind. Fails loudly on one without it."""

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, cast

from daemon.domain.kinds import Kinds
from daemon.logic.probe import LookOptions, ProbeKind
from daemon.logic.wire import WireProtocol


def scan() -> Kinds:
    """What an alerts file may name."""
    return Kinds(rules=_options("rules"), mitigations=_options("mitigations"), probes=_options("probes"))


def probes() -> dict[str, ProbeKind]:
    """What the control plane looks at the upstream with."""
    return {name: cast(ProbeKind, module) for name, module in _modules("probes").items()}


def looks() -> dict[str, ProbeKind]:
    """Those that judge each look at the upstream and need no more than that."""
    found = probes().items()
    return {name: kind for name, kind in found if issubclass(kind.OPTIONS, LookOptions) and not kind.COSTS}


def wires() -> tuple[WireProtocol, ...]:
    """What the data plane needs, and nothing else: no broken rule can keep traffic from flowing."""
    return tuple(cast(WireProtocol, module) for module in _modules("wires").values())


def _options(shelf: str) -> dict[str, Any]:
    return {kind: module.OPTIONS for kind, module in _modules(shelf).items()}


def _modules(shelf: str) -> dict[str, ModuleType]:
    package = import_module(f"daemon.logic.{shelf}")
    names = sorted(module.name for module in iter_modules(package.__path__))
    return {name: import_module(f"{package.__name__}.{name}") for name in names}
