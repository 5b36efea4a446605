"""`docs/probes.md` is what the code says, and the code says all of it."""

from pathlib import Path

import pytest
import yaml

from daemon.app import shelf
from daemon.app.kind_page import says, told
from daemon.app.probes_page import FREE, LOOKS, PAID, cost, page
from daemon.app.rule_fields import fields

PAGE = Path(__file__).parents[2] / "docs" / "probes.md"
KINDS = shelf.probes()


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text() == page(), "docs/probes.md is not what the code says any more: make docs"


@pytest.mark.parametrize("name", KINDS)
def test_a_probe_says_what_it_is_and_what_each_of_its_options_means(name: str) -> None:
    model = KINDS[name].OPTIONS
    assert says(model).endswith(".")
    assert told(model)
    assert f"\n## {name}\n" in page()
    assert [field.name for field in fields(model) if not field.meaning] == []


@pytest.mark.parametrize("name", KINDS)
def test_an_example_is_one_of_its_own(name: str) -> None:
    said = yaml.safe_load(KINDS[name].EXAMPLE)
    assert list(said) == [name]
    KINDS[name].OPTIONS.model_validate(said[name])


@pytest.mark.parametrize(("name", "says_cost"), [("health", LOOKS), ("amp", FREE), ("iflow", PAID)])
def test_what_a_run_takes_is_said(name: str, says_cost: str) -> None:
    assert cost(KINDS[name]) == says_cost


def test_a_budget_of_its_own_is_not_told_as_the_usual_one() -> None:
    lines = [line for line in page().splitlines() if line.startswith("| `budget.requests`")]
    assert len(lines) == 1
