"""The runbook on every build of the upstream: healthy is green, and each fault is seen by what shall see it, alone."""

from collections.abc import Mapping

import pytest

from daemon.adapters.fake.credentials import Credential
from daemon.adapters.fake.flavours import BUILDS
from daemon.app import shelf
from daemon.domain.event import Wire
from daemon.domain.probe import ProbeOutcome
from tests.runbook.faults import FAULTS, OURS, PLAIN, TROUBLES, Fault, those
from tests.runbook.walking import USUAL_MODEL, Told, configured, walking

ALL = tuple(shelf.probes())
CONFIG = configured()
LASTING = configured(but=["OnboardingWatch"])
"""All providers are new here, and that rule is about those that are."""
NEWEST = "mainline"
NO_CODEX = (Wire.ANTHROPIC_MESSAGES, Wire.GEMINI_GENERATE_CONTENT)
"""Those that list nothing of its family."""
ROUNDS = 4


def bad(told: Told) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for (probe, subject), result in told.items():
        if result.outcome is ProbeOutcome.BAD:
            found.setdefault(probe, set()).add(subject)
    return {probe: frozenset(subjects) for probe, subjects in found.items()}


def unknown(told: Told) -> set[str]:
    """The probes that know nothing at all."""
    known = {probe for (probe, _), one in told.items() if one.outcome is not ProbeOutcome.UNKNOWN}
    return {probe for probe, _ in told} - known


@pytest.mark.parametrize("build", BUILDS)
async def test_a_healthy_upstream_is_green(build: str) -> None:
    async with walking(build, CONFIG) as walk:
        await walk.healthy(ALL)
        told = await walk.round(ALL)
    assert {probe for probe, _ in told} == set(ALL)
    assert bad(told) == {}
    assert [one for one in told.values() if one.outcome is ProbeOutcome.UNKNOWN and not one.reason] == []
    assert walk.firing == set()


@pytest.mark.parametrize("build", BUILDS)
async def test_only_of_what_a_build_lacks_nothing_is_known(build: str) -> None:
    flavour = BUILDS[build]
    async with walking(build, CONFIG) as walk:
        told = await walk.healthy(ALL)
    lacks = {"amp"}  # nobody has said where it should send Amp's own calls
    lacks |= set() if flavour.provider_metrics else {"provider_metrics"}
    lacks |= set() if flavour.quota_signals or flavour.kiro_quota else {"quota"}
    lacks |= set() if flavour.traces else {"attribution"}
    lacks |= {"auth_files", "log_scan", "iflow", "antigravity"} if flavour.plain else set()
    lacks |= (
        {"spark", "negotiation"} if flavour.plain in (Wire.ANTHROPIC_MESSAGES, Wire.GEMINI_GENERATE_CONTENT) else set()
    )
    lacks |= {"tool_image"} if flavour.plain is Wire.GEMINI_GENERATE_CONTENT else set()
    assert unknown(told) == lacks


@pytest.mark.parametrize("build", OURS)
async def test_each_fault_is_seen_by_what_shall_see_it_alone(build: str) -> None:
    faults = [fault for fault in FAULTS if build in fault.builds]
    async with walking(build, CONFIG) as walk:
        await walk.healthy(ALL)
        seen = {fault.name: bad(await walk.suffer(fault, ALL, fault.rounds)) for fault in faults}
    assert seen == {fault.name: fault.bad for fault in faults}


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if NEWEST in fault.builds], ids=lambda fault: fault.name)
async def test_a_fault_that_lasts_fires_what_it_shall_fire_alone(fault: Fault) -> None:
    async with walking(NEWEST, CONFIG) as walk:
        await walk.healthy(ALL)
        await walk.suffer(fault, ALL, fault.rounds + 2)
    assert walk.firing == fault.alerts


@pytest.mark.parametrize("build", BUILDS)
async def test_an_upstream_that_is_gone_is_down_and_nothing_else_is_bad(build: str) -> None:
    async with walking(build, CONFIG) as walk:
        await walk.healthy(ALL)
        told = await walk.vanish(ALL, ROUNDS)
    assert bad(told) == {"health": {""}}
    assert walk.firing == {"ProviderDown"}


@pytest.mark.parametrize("build", OURS)
async def test_credentials_that_are_there_twice_are_told(build: str) -> None:
    async with walking(
        build, CONFIG, Credential("c0de00000000c0df", "Codex-A@example.org.json", "codex", ("gpt-",))
    ) as walk:
        await walk.healthy(ALL)
        told = await walk.round(ALL)
    assert bad(told) == {"auth_files": {""}}
    assert walk.firing == {"AuthFileDuplicates"}


@pytest.mark.parametrize("build", those(traces=True))
async def test_turns_that_go_elsewhere_are_told(build: str) -> None:
    async with walking(build, CONFIG) as walk:
        await walk.healthy(ALL)
        told = await walk.stray(ALL, ROUNDS)
    assert bad(told) == {"attribution": {USUAL_MODEL}}
    assert walk.firing == {"WrongProvider"}


@pytest.mark.parametrize("build", OURS)
async def test_what_clients_suffer_fires_what_it_shall_fire_alone(build: str) -> None:
    fired = {}
    async with walking(build, LASTING) as walk:
        await walk.healthy(())
        for trouble in TROUBLES:
            await walk.turns(trouble)
            fired[trouble.name] = walk.firing
    assert fired == {trouble.name: trouble.alerts for trouble in TROUBLES}


def test_each_probe_is_seen_to_be_bad_but_for_those_that_only_tell() -> None:
    elsewhere = {"health", "auth_files", "attribution"}  # in tests of their own, above
    seen = {probe for fault in FAULTS for probe in fault.bad}
    assert set(ALL) - seen - elsewhere == {"amp", "provider_metrics"}


def test_every_build_is_walked() -> None:
    assert {*OURS, *PLAIN} == set(BUILDS)
