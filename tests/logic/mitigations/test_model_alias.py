"""`model_alias` as data: one target per model, one route while it is applied."""

from daemon.domain.soft_routing import SoftRoute
from daemon.logic.mitigation import About, kind_of
from daemon.logic.mitigations import model_alias
from daemon.logic.mitigations.model_alias import OPTIONS
from tests.contracts.things import a_mitigation

ALIAS = OPTIONS.model_validate({"kind": "model_alias", "from": "spark", "to": ["codex", "gpt"]})


def test_one_target_and_its_stand_ins() -> None:
    (change,) = model_alias.plan(ALIAS, About())
    assert (change.target, change.choices, change.soft, change.inert) == (
        "model_alias:spark",
        ("codex", "gpt"),
        True,
        False,
    )
    assert change.release == {"canary": "ping", "every": 30.0, "passes": 3}


def test_a_row_is_a_route() -> None:
    row = a_mitigation(value_wanted="codex")
    assert model_alias.route(row, 60.0) == SoftRoute(
        mitigation_id="m1", kind="model_alias", from_model="spark", to_model="codex", trickle_seconds=60.0
    )


def test_in_words() -> None:
    assert kind_of("model_alias").say("model_alias:spark", "codex") == "send spark out as codex"
