"""The audit of every ledger: it is listed by what is wanted, and nothing but retention ever takes an entry away."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from daemon.adapters.store import Store
from daemon.domain.audit import AuditEntry, AuditFilter
from daemon.domain.decision import Decision
from daemon.ports import Ledger
from tests.contracts.things import (
    NOON,
    a_mitigation,
    a_notification,
    a_silence,
    an_alert,
    an_entry,
    full_entry,
)

ENTRIES = (
    an_entry("a0", at=NOON, actor="rule:SparkErrorRatio", subject="model_alias:spark"),
    an_entry("a1", at=NOON + 1, actor="human:jo", subject="model_alias:spark"),
    an_entry("a2", at=NOON + 2, actor="human:al", subject="upstream:debug"),
    an_entry("a3", at=NOON + 1, actor="rule:ZeroUsage", subject="model_alias:gpt[1m]"),
)


@pytest.fixture
def ledger(any_store: Store) -> Ledger:
    return any_store.ledger


def names(rows: Any) -> list[str]:
    return [row.id for row in rows]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["a3", "a2", "a1", "a0"]),
        ({"actor": "human:jo"}, ["a1"]),
        ({"actor": "human:*"}, ["a2", "a1"]),
        ({"actor": "HUMAN:*"}, []),
        ({"subject": "model_alias:spark"}, ["a1", "a0"]),
        ({"subject": "model_alias:*"}, ["a3", "a1", "a0"]),
        ({"subject": "model_alias:gpt[[]1m]"}, ["a3"]),
        ({"subject": "%"}, []),
        ({"since": NOON + 1}, ["a3", "a2", "a1"]),
        ({"since": NOON + 1, "actor": "rule:*"}, ["a3"]),
        ({"before": "a2"}, ["a1", "a0"]),
        ({"before": "a2", "actor": "rule:*"}, ["a0"]),
        ({"before": "a9"}, []),
    ],
)
async def test_what_is_wanted_comes_newest_first(ledger: Ledger, wanted: dict[str, Any], found: list[str]) -> None:
    await ledger.commit(Decision(audit=ENTRIES))
    assert names(await ledger.audit(wanted=AuditFilter(**wanted))) == found
    assert names(await ledger.audit(1, wanted=AuditFilter(**wanted))) == found[:1]


async def test_page_by_page_nothing_is_missed_or_told_twice(ledger: Ledger) -> None:
    await ledger.commit(Decision(audit=ENTRIES))
    told: list[AuditEntry] = []
    while page := await ledger.audit(1, wanted=AuditFilter(before=told[-1].id if told else None)):
        told += page
    assert names(told) == ["a3", "a2", "a1", "a0"]


async def test_an_entry_of_before_is_never_written_over_or_hidden(ledger: Ledger) -> None:
    await ledger.commit(Decision(audit=ENTRIES))
    await ledger.commit(Decision(audit=tuple(replace(one, actor="human:forger", at=NOON + 99) for one in ENTRIES)))
    assert list(await ledger.audit()) == list(ENTRIES[::-1])


async def test_what_is_written_after_retention_stands_behind_what_was_kept(ledger: Ledger) -> None:
    await ledger.commit(Decision(audit=ENTRIES))
    await ledger.prune(NOON + 1, 10)
    await ledger.commit(Decision(audit=(an_entry("a4", at=NOON),)))
    assert names(await ledger.audit()) == ["a4", "a3", "a2", "a1"]


@contextmanager
def statements() -> Iterator[list[str]]:
    """Everything that is sent to a database meanwhile."""
    said: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.append(" ".join(statement.split()))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def test_no_statement_changes_an_entry_and_only_retention_deletes_some(store: Store) -> None:
    ledger = store.ledger
    everything = Decision(
        alerts=(an_alert(),),
        silences=(a_silence(),),
        notifications=(a_notification(),),
        mitigations=(a_mitigation(),),
        audit=(an_entry(), full_entry()),
    )
    with statements() as said:
        for _ in range(2):  # what is there already is replaced, but for the audit
            await ledger.commit(everything)
        await ledger.prune_heard(NOON + 99, 10)
        await ledger.prune_foreign(NOON + 99, 10)
    about = [one for one in said if re.search(r"\baudit\b", one)]
    assert {one.split()[0] for one in about} == {"INSERT"}
    assert all(one.endswith("ON CONFLICT DO NOTHING") for one in about)
    assert any("ON CONFLICT (id) DO UPDATE" in one for one in said)  # so it would have been seen
    with statements() as said:
        await ledger.prune(NOON + 99, 10)
    assert {one.split()[0] for one in said if re.search(r"\baudit\b", one)} == {"SELECT", "DELETE"}
