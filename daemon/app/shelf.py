"""Scans the shelves once: a file on a shelf is a plug-in, and its name is its kind."""

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import cast

from daemon.domain.alerts_config import MitigationOptions, Rule
from daemon.logic import mitigations, rules, wires
from daemon.logic.wire import WireProtocol


def _modules(shelf: ModuleType) -> list[ModuleType]:
    names = sorted(module.name for module in iter_modules(shelf.__path__))
    return [import_module(f"{shelf.__name__}.{name}") for name in names]


@dataclass(frozen=True, slots=True)
class Shelves:
    """Everything that can be added by writing one file."""

    wires: tuple[WireProtocol, ...]
    rules: dict[str, type[Rule]]
    mitigations: dict[str, type[MitigationOptions]]


def scan() -> Shelves:
    """Fails loudly on a file without its plug-in."""
    return Shelves(
        wires=tuple(cast(WireProtocol, module) for module in _modules(wires)),
        rules={_kind(module): module.OPTIONS for module in _modules(rules)},
        mitigations={_kind(module): module.OPTIONS for module in _modules(mitigations)},
    )


def _kind(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
