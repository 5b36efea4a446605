"""Globs in selections: the worst that may be written is matched in no time, and what is worse is refused at load."""

import signal
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from daemon.adapters.config.selecting import LONGEST_GLOB, MOST_STARS
from daemon.domain.errors import ConfigError
from daemon.domain.selection import Selection
from tests.adapters.config.conftest import Load

LONG = "a" * 4096
FEW_SECONDS = 2.0
FILE = "version: 1\nselections:\n  those: {{requested_model: {glob}}}\n"


@pytest.fixture
def soon() -> Iterator[None]:
    """What backtracks takes longer than the world has been there: it is cut off."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it takes too long"))
    signal.setitimer(signal.ITIMER_REAL, FEW_SECONDS)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize("glob", ["*a" * MOST_STARS + "b", "*a?" * MOST_STARS + "b", "*[!b]" * MOST_STARS + "b"])
def test_a_thousand_matches_of_the_worst_glob_that_may_be_written_take_no_time(glob: str) -> None:
    fits = Selection({"requested_model": glob})
    assert not any(fits(SimpleNamespace(requested_model=LONG)) for _ in range(1000))
    assert fits(SimpleNamespace(requested_model=LONG + "b"))


@pytest.mark.parametrize(
    ("glob", "refused"),
    [
        ("*a" * MOST_STARS + "b", False),
        ("*a*a*a*a*a*a*a*a*b", True),
        ("a" * (LONGEST_GLOB - 1) + "*", False),
        ("a" * LONGEST_GLOB + "*", True),
        ("?" * (LONGEST_GLOB + 1), True),
        ("a" * (LONGEST_GLOB + 1), False),  # no glob: it is only compared
    ],
)
def test_a_glob_that_could_be_slow_is_refused_at_load(glob: str, refused: bool, load_text: Load) -> None:
    text = FILE.format(glob=f"[gpt, '{glob}']")
    if not refused:
        assert load_text(text).config.selections["those"]
        return
    with pytest.raises(ConfigError) as caught:
        load_text(text)
    [mistake] = str(caught.value).splitlines()
    assert mistake.endswith("requested_model[1]: a glob has at most 8 stars and 256 characters")
