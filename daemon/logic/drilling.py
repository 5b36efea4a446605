"""Drilling: the rule, the mitigation and the made-up turns of a fire drill, which stand beside everybody else's."""

from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.event import Event, EventIds, Fault, Outcome, Source, Wire
from daemon.logic.mitigations.model_alias import ModelAlias
from daemon.logic.rules.ratio import RatioRule

ALERT, MITIGATION = "DRILL", "runbookd-drill"
MODEL, STAND_IN = "runbookd-drill", "runbookd-drill-stand-in"
FAILING, HEALING = 10, 90
"""Made-up turns: all of the first fail, and with the others they are too few to fire on."""
PLACE = {"node": 63, "worker": 15}
"""Of their ids: no worker of a proxy has it unless it is the last of the last node."""

_ENDLESS = 1_000_000

RULE = RatioRule.model_validate(
    {
        "alert": ALERT,
        "kind": "ratio",
        "of": {"source": Source.DRILL.value},
        "bad": {"outcome": Outcome.FAILED.value},
        "by": ["provider_key"],
        "window": "10m",
        "stretch_to": "10m",
        "min_samples": 5,
        "keep_firing_for": "0s",
        "no_data": "resolve",
        "coverage": "none",
        "summary": "DRILL, nothing is wrong: {bad} of {samples} made-up turns failed ({value})",
        "levels": {"critical": {"above": "50%", "mitigate": [MITIGATION]}},
    }
)
ALIAS = ModelAlias.model_validate(
    {
        "kind": "model_alias",
        "from": MODEL,
        "to": [STAND_IN],
        "hold": "0s",
        "cool_off": "0s",
        "max_hold": "10m",
        "verify": "none",
        "max_changes_per_hour": _ENDLESS,
        "release": {"every": "1d"},
    }
)


def with_drill(config: AlertsConfig) -> AlertsConfig:
    """The rules in force with that of the drill; a rule of that name that somebody else made stays as it is."""
    if any(rule.alert == ALERT for rule in config.rules) or MITIGATION in config.mitigations:
        return config
    mitigations = {**config.mitigations, MITIGATION: ALIAS}
    return config.model_copy(update={"rules": (*config.rules, RULE), "mitigations": mitigations})


def with_stand_in(models: frozenset[str] | None) -> frozenset[str] | None:
    """The models that are served, with the one that nobody asks for."""
    return None if models is None else models | {STAND_IN}


def turns(drill: str, count: int, now: int, ids: EventIds, *, fail: bool) -> tuple[Event, ...]:
    """Turns that nobody took, of a provider that is named after the drill."""
    return tuple(
        Event(
            event_id=ids.next(now),
            emitted_at=now,
            started_at=now,
            duration_ms=0,
            method="POST",
            endpoint="/v1/chat/completions",
            wire=Wire.OPENAI_CHAT,
            status=500 if fail else 200,
            outcome=Outcome.FAILED if fail else Outcome.OK,
            fault=Fault.PROVIDER_ERROR if fail else None,
            requested_model=MODEL,
            model_id=MODEL,
            provider_key=drill,
            provider_evidence="drill",
            source=Source.DRILL,
        )
        for _ in range(count)
    )
