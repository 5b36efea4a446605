"""`docs/mitigations.md` is what the code says, and the code says all of it."""

from pathlib import Path

import pytest

from daemon.app.kind_page import says, told
from daemon.app.mitigations_page import page
from daemon.app.rule_fields import fields
from daemon.app.shelf import scan

PAGE = Path(__file__).parents[2] / "docs" / "mitigations.md"
KINDS = scan().mitigations


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text() == page(), "docs/mitigations.md is not what the code says any more: make docs"


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_is_and_what_each_of_its_options_means(kind: str) -> None:
    model = KINDS[kind]
    assert says(model).endswith(".")
    assert told(model)
    assert f"\n## {kind}\n" in page()
    assert [field.name for field in fields(model) if not field.meaning] == []
