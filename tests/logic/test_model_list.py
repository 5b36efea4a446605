"""Lists of models of every shape."""

from typing import Any

import pytest

from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Reply
from daemon.logic.model_list import entries_of, may_speak_otherwise


@pytest.mark.parametrize(
    ("body", "models"),
    [
        ({"object": "list", "data": [{"id": "gpt-5.4", "owned_by": "openai"}]}, [("gpt-5.4", "openai")]),
        ({"data": [{"id": "claude", "display_name": "C"}], "has_more": False}, [("claude", None)]),
        (
            {"models": [{"name": "models/gemini-2.5-pro"}, {"name": "tuned"}]},
            [("gemini-2.5-pro", None), ("tuned", None)],
        ),
        ({"data": []}, []),
        ({"data": ["x", {"id": 3}]}, []),
        ({"models": []}, None),
        ({"models": [{"slug": "x"}]}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_each_shape_is_read(body: Any, models: list[tuple[str, str | None]] | None) -> None:
    expected = None if models is None else [ModelEntry(model_id=m, owned_by=o) for m, o in models]
    assert entries_of(body) == expected


@pytest.mark.parametrize(
    ("reply", "is_worth"),
    [
        (Reply(status=401, body=b'{"error": "Invalid API key"}'), False),
        (Reply(status=401, body=b'{"error": {"message": "x"}}'), True),
        (Reply(status=404), True),
        (Reply(status=500), False),
        (Reply(status=429, body=b"{}"), False),
        (Reply(), False),
    ],
)
def test_another_manner_is_tried_where_this_one_is_not_understood(reply: Reply, is_worth: bool) -> None:
    assert may_speak_otherwise(reply) is is_worth
