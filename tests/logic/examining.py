"""A control plane that is well, and what the doctor says of it once something is changed."""

from typing import Any

from daemon.app.shelf import scan
from daemon.domain.alerts_config import AlertsConfig
from daemon.domain.capabilities import Capabilities
from daemon.domain.check_up import Ground, Inside, Knock
from daemon.domain.credential import CredentialFile
from daemon.domain.front import Front
from daemon.domain.probe import ProbeOutcome, ProbeResult, ProbeRow, ProbeState
from daemon.domain.quota import QuotaReading
from tests.logic.playing import T0, a_rule, an_event

URL = "http://127.0.0.1:8317"
TOGGLE = {"kind": "upstream_toggle", "set": {"quota-exceeded.switch-project": True}}
MITIGATIONS = scan().mitigations


def a_knock(**changes: Any) -> Knock:
    facts: dict[str, Any] = {"url": URL, "asked_at": T0, "status": 200, "says": "CLI Proxy API Server", "clock": T0}
    return Knock(**facts | changes)


def a_credential(name: str, **changes: Any) -> CredentialFile:
    return CredentialFile(**{"auth_index": name, "name": name, "provider_key": "codex"} | changes)


def can(*, open_without_key: bool | None = False, **changes: Any) -> Capabilities:
    facts: dict[str, Any] = {
        "version": "v7.2.142",
        "models": True,
        "management": True,
        "front": Front(open_without_key=open_without_key),
        "routes": {"usage-queue": True},
        "settings": {"usage-statistics-enabled": True, "logging-to-file": True},
    }
    return Capabilities(**facts | changes)


def a_config(*mitigate: str, **changes: Any) -> AlertsConfig:
    """One rule, which acts by these; `quota-fallback` is a toggle that today's upstreams ignore."""
    level = {"above": "10%", "mitigate": list(mitigate)}
    facts: dict[str, Any] = {
        "rules": (a_rule(levels={"critical": level}),),
        "fallbacks": {"gpt-5.4": ("gpt-5.5",)},
    }
    config = AlertsConfig.model_validate({name: value for name, value in (facts | changes).items() if name != "rules"})
    options = MITIGATIONS["upstream_toggle"].model_validate(TOGGLE)
    return config.model_copy(
        update={"rules": changes.get("rules", facts["rules"]), "mitigations": {"quota-fallback": options}}
    )


def inside(**changes: Any) -> Inside:
    facts: dict[str, Any] = {
        "now": T0,
        "knock": a_knock(),
        "capabilities": can(),
        "has_client_key": True,
        "has_management_key": True,
        "management_trouble": None,
        "credentials": (a_credential("a.json"), a_credential("b.json")),
        "config": a_config("fallback", "quota-fallback"),
        "probes": (a_row("models"),),
        "quota": (a_reading(),),
        "events": (an_event(T0),),
    }
    return Inside(**facts | changes)


def ground(**changes: Any) -> Ground:
    facts: dict[str, Any] = {
        "alerts_file": "/etc/runbookd/alerts.yaml",
        "rules": 17,
        "receivers": 1,
        "proxy": {"status": "ok", "spool": {"dropped": 0, "failure": None}},
        "proxy_at": "127.0.0.1:8318",
        "control_at": "127.0.0.1:8319",
        "control_runs": True,
    }
    return Ground(**facts | changes)


def a_row(name: str, *outcomes: ProbeOutcome, **changes: Any) -> ProbeRow:
    """A probe with one verdict for each outcome, about `m0`, `m1` and so on; one that is ok unless said."""
    results = tuple(
        ProbeResult(probe=name, subject=f"m{n}", outcome=outcome, reason="seen", emitted_at=T0)
        for n, outcome in enumerate(outcomes or (ProbeOutcome.OK,))
    )
    facts: dict[str, Any] = {
        "probe": name,
        "enabled": True,
        "costs": False,
        "every_seconds": 60.0,
        "state": ProbeState(probe=name, ran_at=T0),
        "budget_requests": 300,
        "budget_tokens": 150_000,
        "results": results,
    }
    return ProbeRow(**facts | changes)


def a_reading(credential: str = "codex.json", **changes: Any) -> QuotaReading:
    """Of half a quota, unless it is said how much was used."""
    facts: dict[str, Any] = {
        "provider_key": "codex",
        "credential": credential,
        "usage_percentage": 50.0,
        "observed_at": T0,
        "source": "probe",
    }
    return QuotaReading(**facts | changes)
