"""What the doctor looks at in the upstream: who it is, whom it lets in, and how it is set."""

from collections.abc import Callable, Mapping, Sequence

from daemon.domain.alerts_config import MitigationOptions
from daemon.domain.capabilities import Capabilities
from daemon.domain.check_up import Finding, Inside, Knock
from daemon.logic.capabilities import flavour_of
from daemon.logic.flavour import OTHER, answers, flavour
from daemon.logic.mitigations.upstream_toggle import UpstreamToggle

SKEW_MS = 5000
"""What counts by the minute is told apart wrongly beyond."""
SECOND_MS = 1000
"""Its clock is told in whole seconds."""
WANTED = {
    "usage-statistics-enabled": "tokens and quotas are not told of each request",
    "logging-to-file": "its log cannot be scanned for bursts of 401, 403 and 429",
}
"""Settings of the upstream that are off at first, and what is missed without them."""
SET_KEY = "set RUNBOOKD_UPSTREAM_MANAGEMENT_KEY to its remote-management.secret-key"


def upstream(inside: Inside) -> Sequence[Finding]:
    """Whether it is there, and what it is."""
    return judged_upstream(inside.knock, flavour_of(inside.capabilities))


def judged_upstream(knock: Knock, kind: str | None = None) -> Sequence[Finding]:
    """The same without a control plane, which may know more of its kind."""
    if not answers(knock):
        why = knock.error or f"status {knock.status}"
        return [Finding.critical("upstream", f"{knock.url}: {why}", "start it, or set RUNBOOKD_UPSTREAM_URL")]
    kind = kind or flavour(knock)
    more = ": toggles, credentials and its own quotas are not to be had" if kind == OTHER else ""
    return [Finding.ok("upstream", f"{knock.url} answers, {kind}{more}")]


def clock(inside: Inside) -> Sequence[Finding]:
    """Whether its clock and ours agree."""
    return judged_clock(inside.knock)


def judged_clock(knock: Knock) -> Sequence[Finding]:
    """The same without a control plane."""
    if not answers(knock):
        return []
    if knock.clock is None:
        return [Finding.unknown("clock", "the upstream does not tell its time", "", essential=False)]
    ahead = knock.clock - knock.asked_at
    off = max(-ahead - SECOND_MS, ahead, 0)
    if off <= SKEW_MS:
        return [Finding.ok("clock", "the upstream's and ours agree")]
    evidence = f"the upstream's is {off // 1000} s {'ahead of' if ahead > 0 else 'behind'} ours"
    return [Finding.warning("clock", evidence, "let both machines follow a time server (NTP)")]


def keys(inside: Inside) -> Sequence[Finding]:
    """Whom it lets in: nobody without a key, and us with ours."""
    if not answers(inside.knock):
        return []
    return [_open(inside.capabilities.open_without_key), _client_key(inside), _management_key(inside)]


def _open(is_open: bool | None) -> Finding:
    if is_open is None:
        return Finding.unknown("open door", "whether it serves without a key is not known yet", "", essential=False)
    if not is_open:
        return Finding.ok("open door", "it asks for a key")
    evidence = "the upstream serves without a key: whoever reaches it spends your quota"
    return Finding.warning("open door", evidence, "set api-keys in its config.yaml")


def _client_key(inside: Inside) -> Finding:
    if not inside.has_client_key:
        evidence = "there is none: no canaries, and models are learned from what succeeds"
        return Finding.unknown("client key", evidence, "set RUNBOOKD_UPSTREAM_API_KEY", essential=False)
    if inside.capabilities.models:
        return Finding.ok("client key", "it lists the models that are served")
    evidence = "the upstream does not list its models to our client key"
    return Finding.warning("client key", evidence, "set RUNBOOKD_UPSTREAM_API_KEY to one of its api-keys")


def _management_key(inside: Inside) -> Finding:
    if not inside.has_management_key:
        evidence = "there is none: quotas, toggles and credentials are not watched"
        return Finding.unknown("management key", evidence, SET_KEY, essential=False)
    if inside.capabilities.management:
        return Finding.ok("management key", "it is accepted")
    why = inside.management_trouble or "the management API does not answer"
    return Finding.critical("management key", why, SET_KEY)


def settings(inside: Inside) -> Sequence[Finding]:
    """What it has to have switched on for us to see all."""
    said = inside.capabilities.settings
    return [_setting(name, said[name], missed) for name, missed in WANTED.items() if name in said]


def _setting(name: str, is_on: bool, missed: str) -> Finding:
    if is_on:
        return Finding.ok(name, "on")
    return Finding.warning(name, f"off: {missed}", f"set {name}: true in the upstream's config.yaml")


def toggles(inside: Inside) -> Sequence[Finding]:
    """Levers that the upstream takes and ignores must not be the only ones."""
    known, mitigations = inside.capabilities, inside.config.mitigations
    idle = sorted(name for name, options in mitigations.items() if _is_idle(options, known))
    if not idle:
        return []
    alone = sorted({rule.alert for rule in inside.config.rules for level in rule.levels.values()
                    if level.mitigate and set(level.mitigate) <= set(idle)})  # fmt: skip
    said = f"no effect known: {', '.join(f'{name} ({_sets(mitigations, name)})' for name in idle)}"
    if alone:
        evidence = f"{said}; nothing else is done for {', '.join(alone)}"
        return [Finding.warning("toggles", evidence, "name another mitigation too, such as fallback")]
    return [Finding.ok("toggles", f"{said}; never the only thing that is done")]


def _is_idle(options: MitigationOptions, known: Capabilities) -> bool:
    return isinstance(options, UpstreamToggle) and known.inert.issuperset(options.set)


def _sets(mitigations: Mapping[str, MitigationOptions], name: str) -> str:
    options = mitigations[name]
    return ", ".join(options.set) if isinstance(options, UpstreamToggle) else ""


def usage_records(inside: Inside) -> Sequence[Finding]:
    """Whether the records that were asked for come, and whether somebody else takes some of them."""
    told, name = inside.usage_records, "usage records"
    if told is None:
        return []
    if told["trouble"]:
        return [Finding.warning(name, told["trouble"], "mend that, or take usage_records out of the alerts file")]
    if told["coverage"] is None:
        return [Finding.unknown(name, "too few turns with a trace id to tell", "", essential=False)]
    share = f"{told['coverage']:.0%} of the turns of ten minutes have one"
    if told["other_consumers_suspected"]:
        advice = "somebody else reads the queue, as usage keepers and managers do: stop one of the two"
        return [Finding.warning(name, f"only {share}", advice)]
    if not told["coverage"]:
        return [Finding.warning(name, share, "set usage-statistics-enabled: true upstream; look who else reads them")]
    return [Finding.ok(name, share)]


CHECKS: tuple[Callable[[Inside], Sequence[Finding]], ...] = (
    upstream,
    clock,
    keys,
    settings,
    toggles,
    usage_records,
)
