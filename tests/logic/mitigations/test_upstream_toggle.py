"""`upstream_toggle` as data: one target per setting, where it is read and written, and what is known of its effect."""

from typing import Any

import pytest

from daemon.domain.capabilities import Capabilities
from daemon.domain.mitigation import Effect
from daemon.logic.mitigation import About, kind_of
from daemon.logic.mitigations import upstream_toggle
from daemon.logic.mitigations.upstream_toggle import OPTIONS

PROJECT = "quota-exceeded.switch-project"


def toggle(**options: Any) -> Any:
    return OPTIONS.model_validate({"kind": "upstream_toggle", **options})


def test_one_target_per_setting() -> None:
    inert, free = upstream_toggle.plan(toggle(set={PROJECT: True, "debug": False}), About())
    assert (inert.target, inert.choices, inert.effect, inert.inert) == (
        f"upstream:{PROJECT}",
        (True,),
        Effect.NO_EFFECT_KNOWN,
        True,
    )
    assert (free.target, free.choices, free.effect, free.inert) == ("upstream:debug", (False,), Effect.UNKNOWN, False)
    assert (free.obstacle, inert.obstacle) == ("", "")


def test_what_is_known_to_be_ignored_is_what_the_upstream_is_known_to_ignore() -> None:
    about = About(capabilities=Capabilities(inert=frozenset({"debug"})))
    project, debug = upstream_toggle.plan(toggle(set={PROJECT: True, "debug": True}), about)
    assert (project.inert, project.effect) == (False, Effect.UNKNOWN)
    assert (debug.inert, debug.effect) == (True, Effect.NO_EFFECT_KNOWN)


def test_a_setting_that_is_not_there_is_not_written() -> None:
    about = About(capabilities=Capabilities(version="6.6.9", routes={"quota-exceeded/switch-project": False}))
    (change,) = upstream_toggle.plan(toggle(set={PROJECT: True}), about)
    assert change.obstacle == "this upstream 6.6.9 does not serve PUT quota-exceeded/switch-project"


def test_an_inert_setting_can_be_insisted_on() -> None:
    (change,) = upstream_toggle.plan(toggle(set={PROJECT: True}, even_if_inert=True), About())
    assert (change.effect, change.inert) == (Effect.NO_EFFECT_KNOWN, False)


def test_where_it_is_kept() -> None:
    assert upstream_toggle.reading(f"upstream:{PROJECT}") == "quota-exceeded/switch-project"
    assert upstream_toggle.top_level(f"upstream:{PROJECT}") == "quota-exceeded"
    assert upstream_toggle.read(f"upstream:{PROJECT}", {"switch-project": False}) is False


@pytest.mark.parametrize("reply", [{}, {"switch-project": "yes"}, {"switch-project": None}, [], None])
def test_what_is_not_a_boolean_is_not_a_setting(reply: Any) -> None:
    with pytest.raises(ValueError, match=PROJECT):
        upstream_toggle.read(f"upstream:{PROJECT}", reply)


def test_in_words() -> None:
    assert kind_of("upstream_toggle").say("upstream:debug", True) == "set debug to true"
