"""What a human said stands in the audit beside what he did."""

from daemon.logic.noting import remark
from tests.contracts.things import NOON, a_mitigation


def test_a_comment_is_an_entry_of_its_own() -> None:
    said = remark(a_mitigation(), "human:jo", "hold", "night shift", NOON)
    assert (said.actor, said.subject, said.action) == ("human:jo", "model_alias:spark", "comment")
    assert (said.reason, said.outcome, said.at) == ("night shift", "on hold", NOON)
    assert said.id != remark(a_mitigation(), "human:jo", "hold", "another", NOON).id
