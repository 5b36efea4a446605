"""Rehearsing: the rules played over what the upstream tells of its past, each on the sources that know its fields."""

from collections.abc import Collection, Sequence

from daemon.app.playground import Playground
from daemon.domain.alerts_config import AlertsConfig, Rule
from daemon.domain.mitigation import Mode
from daemon.domain.upstream_past import Account, Rehearsal, Rehearsed, Replies
from daemon.logic.upstream_past import accounts, merged
from daemon.logic.upstream_past_firings import firings
from daemon.logic.upstream_past_needs import is_about_traffic, lacks, least_lacking
from daemon.logic.wire import WireProtocol

LEAD_MS = 1000
"""The stage opens so long before the first event."""


async def rehearse(
    config: AlertsConfig, replies: Replies, wires: Sequence[WireProtocol], *, own: Collection[str]
) -> Rehearsal:
    """What the rules named `own` would have made of the past, in mode shadow. Rules that are judged by the same
    accounts are played together."""
    told = accounts(replies, wires)
    rules = [rule for rule in config.rules if rule.alert in own]
    alike: dict[tuple[int, ...], list[Rule]] = {}
    found: dict[str, Rehearsed] = {}
    for rule in rules:
        if not is_about_traffic(rule, config.selections):
            found[rule.alert] = Rehearsed(alert=rule.alert, is_about_traffic=False)
            continue
        able = tuple(place for place, one in enumerate(told) if not lacks(rule, config.selections, one))
        if able:
            alike.setdefault(able, []).append(rule)
        else:
            lost = least_lacking(rule, config.selections, told)
            found[rule.alert] = Rehearsed(alert=rule.alert, lacks=lost if told else ("traffic",))
    for able, played in alike.items():
        found |= await _play(config, played, [told[place] for place in able])
    return Rehearsal(
        asked_at=replies.asked_at,
        accounts=told,
        missing=replies.missing,
        rules=tuple(found[rule.alert] for rule in rules),
    )


async def _play(config: AlertsConfig, rules: Sequence[Rule], those: Sequence[Account]) -> dict[str, Rehearsed]:
    """The accounts are of one upstream: where two tell of the same time, the better one is believed."""
    events, since = merged(those), min(account.since for account in those)
    ground = Playground(config.model_copy(update={"rules": tuple(rules)}), begins_at=since - LEAD_MS, mode=Mode.SHADOW)
    await ground.stage.start()
    script = ((event.emitted_at, event) for event in events)
    await ground.stage.play(script, max(account.until for account in those))
    ledger, found = ground.ledger, {}
    mitigations, audit = list(ledger.mitigation_rows.values()), list(ledger.audit_rows.values())
    for rule in rules:
        found[rule.alert] = Rehearsed(
            alert=rule.alert,
            since=since,
            sources=tuple(dict.fromkeys(account.source for account in those)),
            samples=sum(map(rule.query(config.selections).of, events)),
            firings=firings(rule.alert, ledger.transition_rows, mitigations, audit),
        )
    return found
