"""The inventory keeps the credentials as they were listed last, and what the upstream can do."""

from dataclasses import replace

from daemon.domain.credential import CredentialFile
from daemon.domain.decision import Decision
from daemon.domain.errors import ManagementFailure
from daemon.engine.capabilities import Prober
from daemon.engine.inventory import Inventory
from daemon.logic.attribution import Attribution
from tests.fakes.clock import FakeClock
from tests.fakes.management import FakeManagement
from tests.fakes.upstream_probes import FakeProbes

FILE = CredentialFile(auth_index="1", name="a", provider_key="codex", disabled=False, priority=3)


async def committed(decision: Decision) -> None:
    """Anything goes."""


async def test_credentials_are_those_of_the_last_look_that_went_well() -> None:
    clock = FakeClock()
    management = FakeManagement(clock)
    inventory = Inventory(
        probes=FakeProbes(),
        management=management,
        attribution=Attribution(),
        served=lambda models: None,
        prober=Prober(clock=clock, commit=committed, probes=FakeProbes()),
        clock=clock,
    )
    assert (inventory.credentials, inventory.capabilities.management) == ((), False)
    management.files = (FILE,)
    await inventory.refresh()
    assert (inventory.credentials, inventory.capabilities.version) == ((FILE,), "7.2.142")
    management.failure = ManagementFailure("no answer")
    await inventory.refresh()
    assert (inventory.credentials, inventory.capabilities.management) == ((FILE,), False)
    management.failure, management.files = None, (replace(FILE, disabled=True),)
    await inventory.refresh()
    assert (inventory.credentials, inventory.capabilities.management) == (management.files, True)
