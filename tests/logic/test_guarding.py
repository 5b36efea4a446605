"""Which paths never reach the upstream, and which heads have more than one meaning."""

from collections.abc import Sequence
from time import perf_counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from daemon.logic.guarding import is_denied
from tests.logic.disguises import CORPUS, PLACES
from tests.logic.path_readers import READERS, STEPS, Step, leads_inside

OUTSIDE = (
    b"/",
    b"/healthz",
    b"/callback",
    b"/v01",
    b"/v00/x",
    b"/v0x",
    b"/v1/internal",
    b"/v1/callbacks",
    b"/keep-alive-x",
    b"/v1/keep-alive-x",
    b"/v1/models/v0",
    b"/v1/files/debug-notes",
    b"/v1/files/management.pdf",
    b"/api/management",
    b"/v1/../v1/models",
    b"/v1//chat/completions",
    b"//v1/messages",
    b"/v1/models/",
    b"/v1/models/x.",
    b"/v1/models/a%2Fb",
    b"/v1/models/a%252Fb",
    b"/v1/models/a%20b;c=d",
    b"/v1/models/%28high%29",
    b"/v1/models/%e6%a8%a1%e5%9e%8b",
    "/v1/models/\u6a21\u578b".encode(),
    b"/%e4%b8%ad",
    b"/100%",
    b"/v1/models/100%25",
)


@pytest.mark.parametrize("place", PLACES, ids=bytes.decode)
def test_no_disguise_hides_a_local_place(place: bytes) -> None:
    paths = {target.partition(b"?")[0]: name for target, name in CORPUS[place].items()}
    assert [(name, path) for path, name in paths.items() if not is_denied(path)] == []


@pytest.mark.parametrize("path", OUTSIDE)
def test_everything_else_passes(path: bytes) -> None:
    assert not is_denied(path)


_PIECES = st.sampled_from(
    rb"""/ / // v0 V0 v 0 callback keep-alive KEEP-ALIVE debug management.html v1internal:x v1 x . .. ... ; ;a=b : http:
    % 25 2f %2f %252f %2F %5c %2e %2E%2e %3b %3f %23 %00 %09 %20 %0d%0a %7f %76 %30 %u0076 %u002f %c0%af %c0%ae %c1%b6
    %ef%bc%8f %ef%bd%96 %ef%bc%85 %e2%80%8b \ """.split()
    + [char.encode() for char in " \u212a\u0131\uff0f\uff10\u200b\u0301\xad\u6a21\ufdfa"]
)
_FEW = st.lists(_PIECES | st.just(b" "), max_size=6).map(b"".join)
_PATHS = st.builds(b"/%b%b%b".__mod__, st.tuples(_FEW, st.sampled_from([b"", *PLACES]), _FEW))


@settings(max_examples=500)
@given(_PATHS, st.sampled_from(list(READERS.values())) | st.lists(st.sampled_from(STEPS), max_size=6))
@example(b"/;a%2fb/v0", READERS["servlet"])
@example(b"//x/v0", READERS["browser"])
def test_where_any_reader_comes_to_a_local_place_it_is_denied(path: bytes, reader: Sequence[Step]) -> None:
    assert is_denied(path) or not leads_inside(path, reader)


_PLAIN = st.text("ab0-v_:()~.", min_size=1, max_size=4).filter(lambda name: not name.endswith(".") and ".." not in name)
_PLAIN_PATHS = st.lists(_PLAIN | st.sampled_from(["v0", "debug", "keep-alive", "management", "callback"]), max_size=4)


@given(_PLAIN_PATHS)
def test_a_plain_path_is_judged_by_its_first_name_but_for_callbacks(names: list[str]) -> None:
    path = b"/" + "/".join(names).encode()
    assert is_denied(path) is (leads_inside(path, ()) or (len(names) > 1 and "callback" in names))


@given(st.binary(max_size=60))
def test_any_bytes_have_an_answer(path: bytes) -> None:
    assert is_denied(b"/" + path) in (True, False)


@pytest.mark.parametrize(
    "path",
    [b"/v1/%00", b"/v1/%0a", b"/v1/\x7f", b"/v1/\xff", b"/v1/%c0%af", b"/v1/%u0061", b"/" + b"%25" * 5 + b"25" * 40],
)
def test_what_nobody_honest_sends_is_denied_unread(path: bytes) -> None:
    assert is_denied(path)


LONG = 60_000
LONG_PATHS = {
    "letters": b"a",
    "slashes": b"/",
    "dots": b"/..",
    "percent signs": b"%",
    "encoded percent signs": b"%25",
    "encoded six times": b"%252525252561",
    "encoded letters": b"%61",
    "spaces": b"%20",
    "accents, which normalizing sorts": b"%cd%85%cc%80",
    "one character that is eighteen": b"%ef%b7%ba",
}


@pytest.mark.parametrize("piece", LONG_PATHS.values(), ids=LONG_PATHS)
def test_the_time_it_takes_grows_with_the_length_only(piece: bytes) -> None:
    """A quadratic reading of such a path would take seconds."""
    path = b"/" + piece * (LONG // len(piece))
    assert min(_seconds(path) for _ in range(3)) < 0.1


def _seconds(path: bytes) -> float:
    start = perf_counter()
    is_denied(path)
    return perf_counter() - start
