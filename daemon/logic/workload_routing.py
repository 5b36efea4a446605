"""Workload routing: what a soft route becomes for classes of traffic that have their own ideas of what stands in."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from daemon.domain.alert import Alert, Severity
from daemon.domain.alerts_config import AlertsConfig, Workload
from daemon.domain.mitigation import Mitigation
from daemon.domain.soft_routing import SoftRoute, WorkloadClass
from daemon.logic.soft_choice import LATENCY, LEADING
from daemon.logic.wishes import HUMAN

FIRST = "best_effort"


def classes(config: AlertsConfig) -> tuple[WorkloadClass, ...]:
    """What the data plane has to know of them."""
    return tuple(_class(one) for one in config.workloads)


def _class(one: Workload) -> WorkloadClass:
    return WorkloadClass(
        name=one.name,
        prefix=one.match.prefix or "",
        model=one.match.model or "",
        client=one.match.client_key_id or "",
        headers={name.lower(): glob for name, glob in one.match.header.items()},
        priority=one.priority,
    )


def pressing(rows: Iterable[Mitigation], firing: Iterable[Alert]) -> frozenset[str]:
    """The ids of rows that something critical wants, or a human."""
    critical = {alert.fingerprint for alert in firing if alert.severity is Severity.CRITICAL}
    return frozenset(
        row.id for row in rows if any(owner in critical or owner.startswith(HUMAN) for owner in row.owners)
    )


def spread(
    routes: Collection[SoftRoute],
    config: AlertsConfig,
    served: Collection[str] | None,
    pressing: Collection[str] | None,
) -> tuple[SoftRoute, ...]:
    """The routes, and those of classes that go another way, by the file's order of classes.

    `served` are the upstream's models, if they are known. What is not `pressing` (None: all is) moves only the classes
    that move first, where there are any.
    """
    led_away = {route.from_model for route in routes if route.kind in LEADING}
    served = None if served is None else set(served) - led_away
    return tuple(
        found
        for route in routes
        for found in _spread(route, config, served, led_away, pressing is None or route.mitigation_id in pressing)
    )


def _spread(
    route: SoftRoute, config: AlertsConfig, served: set[str] | None, led_away: set[str], is_pressing: bool
) -> Iterator[SoftRoute]:
    if route.kind not in LEADING or route.workload:
        yield route
        return
    is_for_all = is_pressing or not any(one.priority == FIRST for one in config.workloads)
    if is_for_all:
        yield route
    for one in config.workloads:
        if one.priority == LATENCY or (not is_for_all and one.priority != FIRST):
            continue
        own = _own(route, one, config, served, led_away)
        if own is not None or not is_for_all:
            yield replace(own or route, kind="reroute", workload=one.name)  # proxies of before must not take it for all


def _own(
    route: SoftRoute, one: Workload, config: AlertsConfig, served: set[str] | None, led_away: set[str]
) -> SoftRoute | None:
    """None where the class goes the way of all; with nothing that may stand in it keeps its path."""
    line = one.fallbacks.get(route.from_model)
    if line is None and route.to_model not in one.exclude:
        return None
    line = config.fallbacks.get(route.from_model, ()) if line is None else line
    left = (model for model in line if model not in one.exclude and model not in led_away)
    found = next((model for model in left if served is None or model in served), "")
    return replace(route, to_model=found, to_prefix="")
