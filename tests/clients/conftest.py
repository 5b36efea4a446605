"""A proxy in front of a fake upstream, both real processes; whatever a client does, the proxy's events tell of it."""

import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from daemon.adapters.spool.reader import SpoolReader
from daemon.domain.event import Event, Outcome
from tests.stories.house import House, eventually, open_house

FOREIGN = ("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_", "http_proxy", "https_proxy", "all_proxy", "no_proxy")
ASKS_FOR_A_STREAM = 14
"""At most so many tokens of a request are what asks for a stream, which the fake upstream does not count."""


@dataclass(slots=True)
class Front:
    """Scenarios go in, events come out: those since the scenario began, in the order in which requests ended."""

    house: House
    _told: set[int] = field(default_factory=set)

    @property
    def url(self) -> str:
        return self.house.rig.proxy_url

    async def play(self, *rules: dict[str, Any]) -> None:
        """Begins anew: with these faults, and with no request seen."""
        await self.house.fake.reset()
        await self.house.fake.play({"rules": list(rules)})
        self._told.update(event.event_id for event in self._recorded())

    async def events(self) -> list[Event]:
        """One for each request that the upstream has seen, and for each that the proxy refused."""
        requests = (await self.house.fake.requests())["requests"]
        asked = sum(one["path"] != "/healthz" and "upgrade" not in one["headers"] for one in requests)
        await eventually(lambda: sum(event.outcome is not Outcome.DENIED for event in self.noted()) >= asked)
        return self.noted()

    def noted(self) -> list[Event]:
        """Those that the proxy has written down so far."""
        return [event for event in self._recorded() if event.event_id not in self._told]

    def _recorded(self) -> list[Event]:
        places = self.house.rig.places
        batches = SpoolReader(places.spool, places.spool_ack).read({}, 10_000)
        return [event for batch in batches for event in batch.events]


def attempts(events: list[Event]) -> list[str]:
    """`["provider_rate_limited 0", "ok 1"]`: what became of each request, and which attempt of its turn it was."""
    return [f"{event.fault or event.outcome} {event.attempt}" for event in events]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def front(nobodys_accounts: None) -> AsyncIterator[Front]:
    async with open_house() as house:
        await house.start("fake", "proxy")
        yield Front(house)


@pytest.fixture(scope="module")
def nobodys_accounts() -> Iterator[None]:
    """The vendors' SDKs read the environment; what whoever runs the tests has there is none of ours."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(FOREIGN) or name.lower().startswith(FOREIGN)]:
            patch.delenv(name)
        yield
