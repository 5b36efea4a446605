# ruff: noqa: RUF001 look-alikes are what it is about
"""Words that others made up are obeyed by nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.logic.plain_text import JOINER, clean, clickable

PUBLIC = "http://nas:8319/"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("codex-user@example.org", "codex-user@example.org"),
        ("team/gpt-5.3_codex (18 of 212, 8.5%, at least 5.4%)", "team/gpt-5.3_codex (18 of 212, 8.5%, at least 5.4%)"),
        ("p95 > 30s and x < 3", "p95 > 30s and x < 3"),
        ("a\nb\r\n\tc\x00\x1b[31m", "a b c [31m"),
        ("a\u202eb\u2066c\u200bd\u2060e\ufefff\ufe0fg\u3164h", "abcdefgh"),
        ("\ud800x", "x"),
        ("<b>", "‹b>"),
        ("<!channel> <@U1> <#C1> </b>", "‹!channel> ‹@|U1> ‹#C1> ‹/b>"),
        ("`x` **y** ~~z~~ ||w||", "'x' ∗∗y∗∗ ∼∼z∼∼ ¦¦w¦¦"),
        ("_x_ __y__ z_z", "＿x＿ ＿＿y＿＿ z_z"),
        ("@everyone", "@|everyone"),
        ("x@here x@all.example @jo", "x@|here x@|all.example @|jo"),
        ("@\u200beveryone", "@|everyone"),
        ("[a](b)", "[a]|(b)"),
        ("https://evil.example www.evil.example", "https:|//evil.example www|.evil.example"),
        ("&lt;b&gt; a & b", "&|lt;b&|gt; a & b"),
        ("{{7*7}} {%x%} ${x} $(x) {#x#}", "{|{7∗7}|} {|%|x%|} $|{x} $|(x) {|#x#|}"),
        ("%s %d %(x)s 100% of", "%|s %|d %|(x)s 100% of"),
        ("# x", "|# x"),
        ("- x", "|- x"),
        ("1. x", "|1. x"),
        ("5 of 20", "5 of 20"),
    ],
)  # fmt: skip
def test_what_means_something_somewhere_means_nothing(text: str, seen: str) -> None:
    assert clean(text) == seen.replace("|", JOINER)


def test_a_megabyte_is_cut() -> None:
    assert clean("x" * 1_000_000) == "x" * 79 + "…"
    assert clean("\u202e" * 1_000_000) == ""


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("@<>[]({})%$#:/&;*_~`|\u200b\u202ewx "))))
def test_cleaning_again_changes_nothing(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert len(once) <= 80
    assert once.replace(JOINER, "").isprintable()


@pytest.mark.parametrize(
    ("place", "link"),
    [
        ("docs/runbook.md#repeated-429", "http://nas:8319/docs/runbook.md#repeated-429"),
        ("/docs/runbook.md", "http://nas:8319/docs/runbook.md"),
        ("https://wiki.example/a?b=c#d", "https://wiki.example/a?b=c#d"),
        ("javascript://x", f"javascript:{JOINER}//x"),
        ("https://a.example/ @everyone", f"https:{JOINER}//a.example/ @{JOINER}everyone"),
        ("ask Jo <@U1>", f"ask Jo ‹@{JOINER}U1>"),
    ],
)  # fmt: skip
def test_a_runbook_can_be_tapped(place: str, link: str) -> None:
    assert clickable(place, PUBLIC) == link
