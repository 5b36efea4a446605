"""The book learns what is usual at the start, after each closed hour and when the rules change, and not oftener."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from daemon.domain.errors import StoreFailure
from daemon.domain.event import Source, Wire
from daemon.domain.rollup import Closed, Resolution, Rollup, Series, Think
from daemon.engine.baselines import DAY_MS, Baselines
from tests.fakes.event_store import MemoryEventStore

HOUR_MS = Resolution.HOUR.ms
NOON = 1_790_000_000_000 // DAY_MS * DAY_MS + 12 * HOUR_MS
SERIES = Series("", "POST", "/v1", Wire.OPENAI_CHAT, False, "m", "m", None, "codex", None, None, Source.CLIENT)
THINK = Think(None, None, None, None, None, None, None, None)


def a_row(bucket: int, resolution: Resolution = Resolution.HOUR) -> Rollup:
    return Rollup(resolution=resolution, bucket=bucket, part=bucket, series=SERIES, think=THINK, requests=1)


@dataclass(eq=False)
class Pupil:
    """In the place of a book: which hours it was taught."""

    lessons: list[list[int]] = field(default_factory=list)
    history_seconds: float = 3 * 86_400.0

    def learn(self, hours: Sequence[Rollup]) -> None:
        self.lessons.append([row.bucket for row in hours])


@dataclass
class School:
    store: MemoryEventStore = field(default_factory=MemoryEventStore)
    book: Pupil = field(default_factory=Pupil)

    def __post_init__(self) -> None:
        self.job = Baselines(store=self.store, book=lambda: self.book, learn=lambda hours, _: self.book.learn(hours))

    async def close(self, until: int, *rows: Rollup) -> None:
        await self.store.append([], {}, until, Closed(node_id="", until=until, rows=rows))


@pytest.fixture
def school() -> School:
    return School()


async def test_it_teaches_the_closed_hours_of_the_days_that_rules_look_at_oldest_first(school: School) -> None:
    school.book.history_seconds = 60 * 3600.0
    kept = [NOON - 60 * HOUR_MS, NOON - 30 * HOUR_MS, NOON - HOUR_MS]
    too_old, too_new = NOON - 61 * HOUR_MS, NOON
    await school.close(NOON + 1, *map(a_row, [*kept, too_old, too_new]), a_row(NOON - 60_000, Resolution.MINUTE))
    await school.job.run()
    assert school.book.lessons == [kept]


@pytest.mark.parametrize(
    ("until", "lessons"), [(NOON, 1), (NOON + HOUR_MS - 1, 1), (NOON + HOUR_MS, 2), (NOON + 5 * HOUR_MS, 2)]
)
async def test_it_reads_again_only_when_an_hour_was_closed(school: School, until: int, lessons: int) -> None:
    await school.close(NOON)
    await school.job.run()
    await school.close(until)
    await school.job.run()
    await school.job.run()
    assert len(school.book.lessons) == lessons


async def test_another_book_is_taught_at_once(school: School) -> None:
    await school.close(NOON, a_row(NOON - HOUR_MS))
    await school.job.run()
    school.book = Pupil()
    await school.job.run()
    assert school.book.lessons == [[NOON - HOUR_MS]]


async def test_where_no_rule_looks_back_nothing_is_read(school: School) -> None:
    school.book.history_seconds, school.store.failing = 0.0, True
    await school.job.run()
    assert school.book.lessons == []


async def test_a_store_without_hours_teaches_nothing(school: School) -> None:
    await school.job.run()
    assert school.book.lessons == []


async def test_what_could_not_be_read_is_tried_again(school: School) -> None:
    await school.close(NOON, a_row(NOON - HOUR_MS))
    school.store.failing = True
    with pytest.raises(StoreFailure):
        await school.job.run()
    school.store.failing = False
    await school.job.run()
    assert school.book.lessons == [[NOON - HOUR_MS]]


@pytest.mark.parametrize(("node_id", "lessons"), [("ours", 1), ("new", 0), ("", 0)])
async def test_a_node_of_many_begins_when_its_own_hours_are_closed(school: School, node_id: str, lessons: int) -> None:
    await school.store.append([], {}, NOON, Closed(node_id="ours", until=NOON, rows=(a_row(NOON - HOUR_MS),)))
    job = Baselines(
        store=school.store, book=lambda: school.book, learn=lambda hours, _: school.book.learn(hours), node_id=node_id
    )
    await job.run()
    assert len(school.book.lessons) == lessons
