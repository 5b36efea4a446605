"""What the upstream can do is tried once per start and version, by GETs alone, and said in the audit once."""

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.errors import ManagementFailure, StoreFailure
from daemon.domain.event import Wire
from daemon.domain.front import Front
from daemon.engine.capabilities import SETTINGS_SECONDS, TRIED, Prober
from tests.fakes.clock import FakeClock
from tests.fakes.ledger import MemoryLedger
from tests.fakes.management import FakeManagement
from tests.fakes.upstream_probes import FakeProbes

FILES = (CredentialFile(auth_index="1", name="a", provider_key="codex"),)


class Probing:
    def __init__(self) -> None:
        self.clock, self.ledger = FakeClock(), MemoryLedger()
        self.management = FakeManagement(self.clock, **{"routing/strategy": "round-robin"})
        self.failure: StoreFailure | None = None
        self.probes = FakeProbes()
        self.prober = Prober(clock=self.clock, commit=self.commit, probes=self.probes)

    async def commit(self, decision: Decision) -> None:
        if self.failure is not None:
            raise self.failure
        await self.ledger.commit(decision)

    async def look(self, *, managed: bool = True) -> Capabilities:
        await self.prober.look(self.management, FILES if managed else None, models=True)
        return self.prober.known

    @property
    def said(self) -> list[object]:
        return [entry.after["version"] for entry in self.ledger.audit_rows.values()]


@pytest.fixture
def probing() -> Probing:
    return Probing()


async def test_what_answers_is_served_and_nothing_is_written(probing: Probing) -> None:
    known = await probing.look()
    assert (known.models, known.management, known.version) == (True, True, "7.2.142")
    assert (known.routes["routing/strategy"], known.routes["ampcode"], known.routes["usage-queue"]) == (
        True,
        False,
        False,
    )
    assert probing.management.writes == []


async def test_it_is_tried_once_and_anew_when_the_version_is_another(probing: Probing) -> None:
    for _ in range(3):
        await probing.look()
    assert probing.management.calls == len(TRIED)
    probing.management.version, probing.management.settings = "6.8.38", {}
    known = await probing.look()
    assert (known.version, known.routes["routing/strategy"], known.hidden) == ("6.8.38", False, frozenset({"priority"}))
    assert probing.management.calls == 2 * len(TRIED)


async def test_it_is_in_the_audit_once_per_finding(probing: Probing) -> None:
    for version in ("7.2.142", "6.9.2", "6.9.2"):
        probing.management.version = version
        await probing.look()
    assert probing.said == ["7.2.142", "6.9.2"]
    again = Probing()
    again.ledger = probing.ledger
    await again.look()
    assert probing.said == ["7.2.142", "6.9.2"]


async def test_nothing_is_asked_that_takes_something_away_or_costs_much(probing: Probing) -> None:
    """Without a count a record would be gone from the queue; statistics are of many megabytes."""
    asked: list[str] = []

    async def read(path: str) -> object:
        asked.append(path)
        return {}

    probing.management.read = read  # type: ignore[method-assign]
    await probing.look()
    assert [path for path in asked if path.startswith("usage")] == ["usage-statistics-enabled", "usage-queue?count=0"]


async def test_a_refusal_of_a_value_is_an_answer(probing: Probing) -> None:
    """`usage-queue?count=0` is answered 400 where it is served, and takes nothing out of the queue."""

    async def read(path: str) -> object:
        raise ManagementFailure("count must be a positive integer", status=400)

    probing.management.read = read  # type: ignore[method-assign]
    assert all((await probing.look()).routes.values())


@pytest.mark.parametrize(
    "failure",
    [ManagementFailure("no answer"), ManagementFailure("401", status=401, barred=True)],
    ids=["away", "barred"],
)
async def test_without_an_answer_nothing_is_learned_and_it_is_tried_again(
    probing: Probing, failure: ManagementFailure
) -> None:
    probing.management.failure = failure
    known = await probing.look()
    assert (known.management, known.routes, probing.management.calls) == (False, {}, 1)
    probing.management.failure = None
    assert (await probing.look()).management


async def test_what_was_learned_stays_while_the_management_api_is_away(probing: Probing) -> None:
    before = await probing.look()
    known = await probing.look(managed=False)
    assert (known.management, known.routes) == (False, before.routes)
    assert (await probing.look()).management


async def test_without_a_key_there_is_none(probing: Probing) -> None:
    await probing.prober.look(None, None, models=False)
    assert not probing.prober.known.management


async def test_a_store_that_fails_takes_nothing_away(probing: Probing) -> None:
    probing.failure = StoreFailure("away")
    assert (await probing.look()).management


async def test_settings_that_matter_are_read_again_now_and_then(probing: Probing) -> None:
    probing.management.settings |= {"logging-to-file": False, "usage-statistics-enabled": True}
    assert (await probing.look()).settings == {"logging-to-file": False, "usage-statistics-enabled": True}
    probing.management.settings["logging-to-file"] = True
    assert not (await probing.look()).settings["logging-to-file"]
    probing.clock.advance(SETTINGS_SECONDS)
    assert (await probing.look()).settings["logging-to-file"]


async def test_kiros_quota_is_tried_only_where_there_is_a_credential_of_kiro(probing: Probing) -> None:
    probing.management.settings["kiro-quota"] = {}
    assert "kiro-quota" not in (await probing.look()).routes
    again = Probing()
    again.management.settings["kiro-quota"] = {}
    files = (*FILES, CredentialFile(auth_index="2", name="k", provider_key="kiro"))
    await again.prober.look(again.management, files, models=True)
    assert again.prober.known.routes["kiro-quota"]


async def test_a_quota_of_kiro_that_does_not_answer_in_time_is_not_known(probing: Probing) -> None:
    read = probing.management.read

    async def slowly(path: str) -> object:
        if path == "kiro-quota":
            raise ManagementFailure("no answer")
        return await read(path)

    probing.management.read = slowly  # type: ignore[method-assign]
    files = (CredentialFile(auth_index="2", name="k", provider_key="kiro"),)
    await probing.prober.look(probing.management, files, models=True)
    known = probing.prober.known
    assert (known.management, "kiro-quota" in known.routes) == (True, False)


async def test_the_front_is_looked_at_until_it_is_known_and_again_with_another_version(probing: Probing) -> None:
    probing.probes.shows = Front()
    await probing.look()
    probing.probes.shows = Front(healthz=True, dialect=Wire.OPENAI_CHAT, open_without_key=False)
    for _ in range(3):
        known = await probing.look()
    assert (known.open_without_key, known.front.healthz, probing.probes.fronts) == (False, True, 2)
    probing.management.version, probing.probes.shows = "7.3.0", Front(healthz=True, open_without_key=True)
    assert (await probing.look()).open_without_key is True


async def test_without_a_management_api_the_front_is_known(probing: Probing) -> None:
    probing.probes.shows = Front(healthz=False, dialect=Wire.ANTHROPIC_MESSAGES)
    await probing.prober.look(None, None, models=True)
    assert probing.prober.known.front.dialect is Wire.ANTHROPIC_MESSAGES
