"""Looking: judges a look at the upstream by the probes that need no more, where nobody runs any others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.probe import ProbeResult
from daemon.logic.probe import ProbeKind, Sight, switched


class Looking:
    """Remembers for them, over all restarts of a stage."""

    def __init__(self, kinds: Mapping[str, ProbeKind]) -> None:
        self._kinds = kinds
        self._memory: dict[str, Mapping[str, Any]] = {}

    def judge(self, sight: Sight, config: AlertsConfig) -> Sequence[ProbeResult]:
        """What those come to that are not switched off."""
        return [result for name in self._kinds for result in self._judge(name, sight, config)]

    def _judge(self, name: str, sight: Sight, config: AlertsConfig) -> Sequence[ProbeResult]:
        kind = self._kinds[name]
        options, is_on = switched(name, kind, config)
        if not is_on:
            return ()
        found = kind.verdict(options, replace(sight, memory=self._memory.get(name, {})), ())
        if found.memory is not None:
            self._memory[name] = found.memory
        return found.results
