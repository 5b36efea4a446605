"""The quota book: one truth about each credential and model, whatever it was read from."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from daemon.domain.quota import QuotaReading
from daemon.logic.quota_book import QuotaBook
from daemon.logic.quota_news import QuotaNews

NOON = 1_795_521_600_000
MINUTE, HOUR = 60_000, 3_600_000
FIVE_HOURS, WEEK = 18_000.0, 604_800.0


def read(at: int = NOON, used: float | None = None, spent: bool | None = None, **more: Any) -> QuotaReading:
    """A number of a vendor, unless another source is named."""
    facts = {"provider_key": "codex", "auth_index": "a1", "credential": "a.json", "source": "signals"}
    if used is not None and spent is None:
        spent = used >= 100
    return QuotaReading(**facts | {"observed_at": at, "usage_percentage": used, "quota_exhausted": spent} | more)


def at(minutes: float, *args: Any, **more: Any) -> QuotaReading:
    return read(NOON + round(minutes * MINUTE), *args, **more)


def rough(minutes: float, spent: bool | None, **more: Any) -> QuotaReading:
    """What the upstream itself thinks of it, without a number."""
    return at(minutes, None, spent, source="auth_files", **more)


def one_of(book: QuotaBook, now: int = NOON) -> QuotaReading:
    (found,) = book.standing(now)
    return found


def after(*looks: Sequence[QuotaReading]) -> QuotaReading:
    """What stands after these were taken, each when it was read."""
    book, now = QuotaBook(), NOON
    for look in looks:
        now = max(now, look[-1].observed_at)
        book.take(look, now)
    return one_of(book, now)


# ---- windows, sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("five_hours", "week", "rules"),
    [
        ((40, 900), (70, 90_000), WEEK),
        ((90, 900), (70, 90_000), FIVE_HOURS),
        ((0, 18_000), (100, 90_000), WEEK),
        ((100, 900), (100, 90_000), WEEK),
        ((100, 900), (99, 90_000), FIVE_HOURS),
    ],
)
def test_of_two_windows_the_tighter_one_rules(
    five_hours: tuple[float, float], week: tuple[float, float], rules: float
) -> None:
    both = [
        read(used=used, quota_reset_seconds=reset, window_seconds=window)
        for (used, reset), window in ((five_hours, FIVE_HOURS), (week, WEEK))
    ]
    assert after(both).window_seconds == rules
    assert after(both[::-1]).window_seconds == rules


@pytest.mark.parametrize(
    ("looks", "used", "spent", "source"),
    [
        ([[at(0, 40.0)], [at(5, 50.0, source="vendor")]], 50.0, False, "vendor"),
        ([[at(0, 40.0)], [at(5, 50.0, source="vendor")], [at(6, 51.0)]], 51.0, False, "signals"),
        ([[at(0, 40.0)], [rough(5, False)]], 40.0, False, "signals"),
        ([[at(0, 40.0)], [rough(5, True)]], None, True, "auth_files"),
        ([[rough(0, True)], [at(5, 100.0)]], 100.0, True, "signals"),
        ([[at(0, 40.0)], [rough(5, None)]], 40.0, False, "signals"),
        ([[rough(5, True)]], None, True, "auth_files"),
    ],
    ids=["fresher", "fresher again", "rough", "rough and worse", "exact after rough", "says nothing", "alone"],
)
def test_of_two_sources_the_fresher_and_more_exact_one_rules(
    looks: list[list[QuotaReading]], used: float | None, spent: bool, source: str
) -> None:
    found = after(*looks)
    assert (found.usage_percentage, found.quota_exhausted, found.source) == (used, spent, source)


def test_what_is_older_than_the_last_look_of_its_source_is_not_heard() -> None:
    assert after([at(5, 40.0)], [at(0, 60.0)]).usage_percentage == 40.0


def test_a_new_look_replaces_all_windows_of_the_last() -> None:
    first = [at(0, 40.0, window_seconds=FIVE_HOURS), at(0, 90.0, window_seconds=WEEK)]
    assert after(first, [at(5, 41.0, window_seconds=FIVE_HOURS)], [at(6, 42.0)]).usage_percentage == 42.0


def test_what_one_source_does_not_know_another_tells() -> None:
    own = rough(6, None, refresh_state="active", quota_reset_seconds=60.0)
    found = after([at(5, 60.0, credential=None)], [own])
    assert (found.refresh_state, found.credential, found.quota_reset_seconds) == ("active", "a.json", 60.0)
    assert found.observed_at == NOON + 5 * MINUTE


def test_models_and_credentials_are_apart_and_in_order() -> None:
    book = QuotaBook()
    book.take([read(used=1, auth_index="b2"), read(used=2), read(used=3, model_id="gpt-5.5")], NOON)
    assert [(one.auth_index, one.model_id, one.usage_percentage) for one in book.standing(NOON)] == [
        ("a1", None, 2),
        ("a1", "gpt-5.5", 3),
        ("b2", None, 1),
    ]


def test_a_credential_whose_index_is_not_told_is_known_by_its_name() -> None:
    book = QuotaBook()
    book.take([read(used=40)], NOON)
    book.take([at(1, 50, auth_index=None, source="header")], NOON + MINUTE)
    assert (one_of(book).usage_percentage, one_of(book).auth_index) == (50, "a1")


# ---- what lies upwards -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (at(0, 100.0, quota_reset_seconds=3600.0), at(5, 3.0, quota_reset_seconds=3300.0)),
        (at(0, 100.0), at(5, 3.0)),
        (at(0, 80.0, quota_reset_seconds=3600.0), at(5, 3.0, quota_reset_seconds=3300.0)),
        (at(0, None, False, quota_remaining=10.0), at(5, None, False, quota_remaining=50.0)),
        (rough(0, True, quota_reset_seconds=3600.0), rough(5, False)),
    ],
    ids=["exhausted", "without a reset", "used less", "more remains", "rough"],
)
def test_more_than_before_counts_once_a_second_look_says_so(first: QuotaReading, second: QuotaReading) -> None:
    def said(one: QuotaReading) -> tuple[Any, ...]:
        return one.quota_exhausted, one.usage_percentage, one.quota_remaining

    third = replace(second, observed_at=second.observed_at + 5 * MINUTE)
    assert said(after([first], [second])) == said(first)
    assert said(after([first], [second], [second])) == said(first)  # the same look again is no second one
    assert said(after([first], [second], [third])) == said(third)


def test_looks_of_the_same_moment_do_not_bear_each_other_out() -> None:
    first, soon = at(0, 100.0), [[at(minutes, 3.0)] for minutes in (5.0, 5.1, 5.4)]
    assert after([first], *soon).quota_exhausted is True
    assert after([first], *soon, [at(5.5, 3.0)]).quota_exhausted is False


@pytest.mark.parametrize("used", [97.0, 78.5])
def test_less_by_what_vendors_round_is_no_more_than_before(used: float) -> None:
    first = at(0, used + 1.5)
    assert after([first], [at(5, used)]).usage_percentage == used


def test_a_single_look_that_lies_changes_nothing() -> None:
    looks = [[at(0, 95.0)], [at(5, 0.0)], [at(10, 96.0)], [at(15, 0.0)]]
    assert after(*looks).usage_percentage == 96.0


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (at(0, 80.0), at(5, 70.0, spent=True)),
        (
            at(0, None, False, quota_remaining=10.0, source="kiro_quota"),
            at(5, None, False, quota_remaining=50.0, source="vendor"),
        ),
    ],
    ids=["refused all the same", "other units"],
)
def test_what_is_not_more_than_before_counts_at_once(first: QuotaReading, second: QuotaReading) -> None:
    found = after([first], [second])
    assert (found.quota_exhausted, found.source) == (second.quota_exhausted, second.source)
    assert found.observed_at == second.observed_at


def test_after_its_window_has_ended_more_counts_at_once() -> None:
    first = at(0, 100.0, quota_reset_seconds=3600.0)
    assert after([first], [at(61, 3.0)]).usage_percentage == 3.0


# ---- time ------------------------------------------------------------------------------------------------------------


def test_what_was_said_ends_with_its_window_and_the_next_tighter_one_rules() -> None:
    book = QuotaBook()
    windows = [
        read(used=100, quota_reset_seconds=3600.0, window_seconds=FIVE_HOURS),
        read(used=70, quota_reset_seconds=90_000.0, window_seconds=WEEK),
    ]
    book.take(windows, NOON)
    assert one_of(book, NOON + HOUR - 1).quota_exhausted is True
    found = one_of(book, NOON + HOUR)
    assert (found.quota_exhausted, found.usage_percentage, found.window_seconds) == (False, 70, WEEK)
    assert found.quota_reset_seconds == 90_000.0 - 3600.0


def test_nobody_has_looked_since_the_only_window_ended() -> None:
    book = QuotaBook()
    book.take([read(used=100, quota_reset_seconds=3600.0, quota_remaining=0.0)], NOON)
    found = one_of(book, NOON + HOUR)
    assert (found.quota_exhausted, found.usage_percentage) == (False, None)
    assert (found.quota_remaining, found.quota_reset_seconds) == (None, None)


def test_whoever_takes_a_look_hears_what_has_ended_meanwhile() -> None:
    book = QuotaBook()
    book.take([read(used=100, quota_reset_seconds=3600.0), read(used=10, auth_index="b2", credential="b.json")], NOON)
    other = [at(70, 12, auth_index="b2", credential="b.json")]
    found = book.take(other, NOON + 70 * MINUTE)
    assert {one.auth_index: one.quota_exhausted for one in found} == {"a1": False, "b2": False}
    assert [one.auth_index for one in book.take(other, NOON + 71 * MINUTE)] == ["b2"]


def test_a_credential_that_is_not_told_of_for_a_day_is_forgotten() -> None:
    book = QuotaBook()
    book.take([read(used=40)], NOON)
    later = NOON + 24 * HOUR + 1
    book.take([read(later, 10, auth_index="b2", credential="b.json")], later)
    assert [one.auth_index for one in book.standing(later)] == ["b2"]


# ---- forecast --------------------------------------------------------------------------------------------------------


def running(used: Sequence[tuple[float, float]], resets: tuple[float, float]) -> QuotaReading:
    """Looks of two windows, five minutes apart; how far each is, and in how many seconds each ends."""
    windows = zip((FIVE_HOURS, WEEK), resets, strict=True)
    ends = list(windows)
    return after(
        *(
            [
                at(5 * place, one, window_seconds=window, quota_reset_seconds=reset - 300 * place)
                for one, (window, reset) in zip(pair, ends, strict=True)
            ]
            for place, pair in enumerate(used)
        )
    )


@pytest.mark.parametrize(
    ("used", "resets", "minutes"),
    [
        ([(50, 10), (60, 11), (70, 12)], (7200, 90_000), 15.0),
        ([(50, 80), (60, 82), (70, 84)], (1200, 90_000), 40.0),
        ([(50, 10), (60, 10), (70, 10)], (1200, 90_000), None),
        ([(50, 10), (50, 10), (50, 10)], (7200, 90_000), None),
        ([(90, 10), (95, 10), (100, 10)], (7200, 90_000), None),
    ],
    ids=["five hours", "the week, for five hours begin anew before", "lasts", "idle", "empty already"],
)
def test_the_forecast_is_of_the_window_that_will_be_empty_first(
    used: list[tuple[float, float]], resets: tuple[float, float], minutes: float | None
) -> None:
    found = running(used, resets).empty_in_seconds
    assert found == (None if minutes is None else pytest.approx(minutes * 60))


def test_a_new_window_is_forecast_from_its_first_look() -> None:
    looks = [at(0, 90.0, quota_reset_seconds=240.0), at(5, 3.0), at(10, 8.0), at(15, 13.0)]
    assert after(*([one] for one in looks)).empty_in_seconds == pytest.approx(87 * 60)


def test_a_look_that_is_not_believed_bends_no_forecast() -> None:
    looks = [[at(5 * place, used)] for place, used in enumerate((50.0, 55.0, 60.0, 0.0, 70.0))]
    assert after(*looks).empty_in_seconds == pytest.approx(30 * 60)


# ---- what is worth a row ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("second", "is_news"),
    [
        (at(5, 40.0, quota_reset_seconds=3300.0), False),
        (at(5, 40.1, quota_reset_seconds=3310.0), False),
        (at(5, 41.0, quota_reset_seconds=3300.0), True),
        (at(5, 40.0, quota_reset_seconds=3600.0), True),
        (at(5, 40.0), True),
        (at(5, None, False, quota_reset_seconds=3300.0), True),
        (at(5, 40.0, quota_reset_seconds=3300.0, refresh_state="error"), True),
        (at(5, 40.0, True, quota_reset_seconds=3300.0), True),
        (at(5, 40.0, quota_reset_seconds=3300.0, auth_index="b2"), True),
    ],
)
def test_what_says_the_same_again_is_no_news(second: QuotaReading, is_news: bool) -> None:
    news, first = QuotaNews(), read(used=40.0, quota_reset_seconds=3600.0)
    assert news.of([first]) == (first,)
    assert news.of([second]) == ((second,) if is_news else ())


def test_all_windows_of_a_look_are_kept_together() -> None:
    news = QuotaNews()
    five, week = (read(used=40.0, window_seconds=window) for window in (FIVE_HOURS, WEEK))
    news.of([five, week])
    later = [at(5, 50.0, window_seconds=FIVE_HOURS), at(5, 40.0, window_seconds=WEEK)]
    assert news.of(later) == tuple(later)
