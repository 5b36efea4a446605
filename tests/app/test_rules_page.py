"""`docs/rules.md` is what the code says, and the code says all of it."""

from pathlib import Path

import pytest
import yaml

from daemon.app.kind_page import example, kind_page, level_options, options, says, told
from daemon.app.rule_fields import fields, level_of
from daemon.app.rules_page import page
from daemon.app.shelf import scan
from daemon.domain.alerts_config import Level, Rule

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
KINDS = scan().rules


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text() == page(), "docs/rules.md is not what the code says any more: make docs"


def test_every_rule_without_a_file_has_a_line() -> None:
    root = PAGE.parents[1]
    for file in (root / "alerts.yaml", root / "daemon" / "adapters" / "config" / "builtin.yaml"):
        names = [rule["alert"] for rule in yaml.safe_load(file.read_text())["rules"]]
        assert [name for name in names if f"\n| [`{name}`](" not in page()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_what_it_is_and_what_each_of_its_options_means(kind: str) -> None:
    model = KINDS[kind]
    assert says(model).endswith(".")
    assert told(model)
    assert told(level_of(model))
    assert [field.name for field in options(model) + level_options(model) if not field.meaning] == []


def test_so_do_the_fields_that_all_have() -> None:
    assert [field.name for model in (Rule, Level) for field in fields(model) if not field.meaning] == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_is_a_rule_of_its_kind(kind: str) -> None:
    (rule,) = yaml.safe_load(example(KINDS[kind]))
    assert KINDS[kind].model_validate(rule).kind == kind


def test_what_all_rules_have_stands_once_unless_a_kind_says_it_differently() -> None:
    assert "| `for` " not in kind_page("verdict", KINDS["verdict"])
    assert "| `by` " in kind_page("verdict", KINDS["verdict"])
    assert "| `by` " not in kind_page("ratio", KINDS["ratio"])


def test_a_line_of_a_table_tells_type_default_and_meaning() -> None:
    lines = [" ".join(line.split()) for line in kind_page("ratio", KINDS["ratio"]).splitlines()]
    for line in (
        "| `bad` | selection, or the name of one | *needed* | Which of the counted events are bad; ANDed with `of`. |",
        "| `window` | duration | `10m` | How far back it looks. |",
        "| `confidence` | percentage or `none` | `97.5%` | One-sided confidence of the lower bound. |",
        "| `retries` | `exclude` or `include` | `exclude` | Whether marked retries count beside their first attempt. |",
        "| `above` | percentage | *needed* | It raises above this. |",
    ):
        assert line in lines
