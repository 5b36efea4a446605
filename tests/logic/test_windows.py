"""The ring against the plain definition of a window: every event in it, counted one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.sample import Counts
from daemon.logic.windows import Ring, bucket_ms

T0 = 1_795_514_400_000


@pytest.mark.parametrize(
    ("window", "width"), [(1.0, 1000), (10.0, 1000), (60.0, 2000), (600.0, 10_000), (3600.0, 10_000)]
)
def test_a_bucket_is_a_thirtieth_of_the_window(window: float, width: int) -> None:
    assert bucket_ms(window) == width


events = st.lists(st.tuples(st.integers(0, 119_999), st.booleans()), max_size=60)


@given(events=events, second=st.integers(1, 120), window=st.integers(1, 40))
def test_with_buckets_of_a_second_a_window_is_exact(events: list[tuple[int, bool]], second: int, window: int) -> None:
    ring = Ring(1000, 120.0)
    for offset, bad in events:
        ring.add(T0 + offset, 1, int(bad))
    inside = [bad for offset, bad in events if (second - window) * 1000 <= offset < second * 1000]
    assert ring.counts(T0 + second * 1000, window) == Counts(len(inside), sum(inside))


@given(events=events, second=st.integers(1, 120))
def test_a_stretched_window_only_grows_and_ends_with_everything_in_reach(
    events: list[tuple[int, bool]], second: int
) -> None:
    ring = Ring(1000, 60.0)
    for offset, bad in sorted(events):
        ring.add(T0 + offset, 1, int(bad))
    stretches = list(ring.stretches(T0 + second * 1000, 5.0))
    assert stretches[0][0] == 5.0
    assert [window for window, _ in stretches] == sorted({window for window, _ in stretches})
    newest = max((offset for offset, _ in events), default=0)
    reach = [bad for offset, bad in events if max(second - 60, newest // 1000 - 60) * 1000 <= offset < second * 1000]
    assert stretches[-1][1].samples <= len(reach)
    assert [counts.samples for _, counts in stretches] == sorted(counts.samples for _, counts in stretches)


def test_what_is_older_than_the_span_takes_no_room() -> None:
    ring = Ring(1000, 60.0)
    for second in range(10_000):
        ring.add(T0 + second * 1000, 1, 0)
    assert len(ring._buckets) <= 61


def test_what_is_forgotten_is_counted_no_more() -> None:
    ring = Ring(1000, 60.0)
    ring.add(T0, 1, 1)
    ring.add(T0 + 5000, 1, 0)
    ring.forget_before(T0 + 5000)
    assert ring.counts(T0 + 6000, 60.0) == Counts(1, 0)
    ring.forget_before(T0 + 60_000)
    assert not ring


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 300, 4000]),
            st.sampled_from([0, 0, 3000, 9000]),
            st.sampled_from([5.0, 20.0]),
            st.sampled_from([0, 8000]),
        ),
        max_size=40,
    ),
    forgets=st.booleans(),
)
def test_what_was_summed_before_is_only_what_does_not_fill_any_more(
    steps: list[tuple[int, int, float, int]], forgets: bool
) -> None:
    """Also where something comes late, or is forgotten."""
    ring, kept, now = Ring(1000, 20.0), list[int](), T0
    for after, late, window, floor in steps:
        now += after
        ring.add(now - late, 1, 0)
        kept.append(now - late)
        if forgets and after == 300:
            ring.forget_before(now - 2000)
            kept = [at for at in kept if at // 1000 >= (now - 2000) // 1000]
        end = (now // 1000 + 1) * 1000
        inside = [at for at in kept if max(end - window * 1000, T0 + floor) <= at < end]
        assert ring.counts(end, window, T0 + floor) == Counts(len(inside), 0)


def test_what_came_late_is_forgotten_like_the_rest() -> None:
    ring = Ring(1000, 60.0)
    ring.add(T0, 1, 1)
    ring.forget_before(T0 - 10_000)
    ring.add(T0 - 20_000, 1, 0)
    for second in range(1, 20):
        ring.add(T0 + second * 1000, 1, 0)
    ring.forget_before(T0)
    assert ring.counts(T0 + 20_000, 60.0) == Counts(20, 1)
