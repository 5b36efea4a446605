"""The list in `docs/runbook.md` is what the code says, names what exists, and leaves nothing out."""

import shlex
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from daemon.adapters.config.packaged import packaged
from daemon.app import shelf
from daemon.app.kind_page import WIDTH
from daemon.app.runbook_page import BEGIN, END, mitigation_kinds, page, rule_links
from daemon.app.runbook_rows import PARAGRAPHS, Paragraph
from daemon.cli import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "runbook.md"
MARGIN = 40
"""A link is not broken either."""
LINKS, KINDS, PROBES = rule_links(), mitigation_kinds(), shelf.probes()


def titled(one: Paragraph) -> str:
    return one.title


def test_the_list_is_what_the_generator_prints() -> None:
    text = PAGE.read_text()
    assert text == page(text), "the list in docs/runbook.md is not what the code says any more: make docs"


def test_what_stands_around_the_list_stays() -> None:
    made = page(f"before\n{BEGIN}what was{END}\nafter\n")
    assert made.startswith(f"before\n{BEGIN}\n")
    assert made.endswith(f"{END}\nafter\n")
    assert "what was" not in made
    assert page(made) == made


@pytest.mark.parametrize("text", ["", BEGIN, f"{END}{BEGIN}"])
def test_a_page_without_its_marks_is_left_alone(text: str) -> None:
    with pytest.raises(ValueError, match="there is no <!-- paragraphs"):
        page(text)


def test_there_are_28_of_them() -> None:
    assert len({one.title for one in PARAGRAPHS}) == len(PARAGRAPHS) == 28


@pytest.mark.parametrize("one", PARAGRAPHS, ids=titled)
def test_each_is_carried_out_by_something_and_by_hand(one: Paragraph) -> None:
    assert one.rules or one.probes or one.mitigations
    assert one.commands
    assert one.today.endswith(".")


@pytest.mark.parametrize("one", PARAGRAPHS, ids=titled)
def test_each_name_is_one_that_exists(one: Paragraph) -> None:
    assert [name for name in one.rules if name not in LINKS] == []
    assert [name for name in one.probes if name not in PROBES] == []
    assert [name for name in one.mitigations if name not in KINDS] == []


@pytest.mark.parametrize(("one", "line"), [(one, line) for one in PARAGRAPHS for line in one.commands])
def test_each_command_exists_and_takes_these_arguments(one: Paragraph, line: str) -> None:
    name, *arguments = shlex.split(line)
    assert name in COMMANDS, one.title
    parser = ArgumentParser(prog=name)
    import_module(f"daemon.cli.{name}").configure(parser)
    parser.parse_args(arguments)


@pytest.mark.parametrize(
    ("one", "probe"),
    [
        (one, name)
        for one in PARAGRAPHS
        for line in one.commands
        for name in line.split()[2:]
        if line[:9] == "probe run"
    ],
)
def test_a_probe_that_is_run_by_hand_is_one_of_its_paragraph(one: Paragraph, probe: str) -> None:
    assert probe == "--gate" or probe in one.probes


def test_each_probe_and_each_kind_of_mitigation_carries_something_out() -> None:
    probes = {name for one in PARAGRAPHS for name in one.probes}
    assert [name for name in PROBES if name not in probes] == []
    kinds = {KINDS[name] for one in PARAGRAPHS for name in one.mitigations}
    assert [kind for kind in shelf.scan().mitigations if kind not in kinds] == []


def test_each_shipped_rule_carries_something_out() -> None:
    named = {name for one in PARAGRAPHS for name in one.rules}
    shipped = yaml.safe_load(packaged("alerts.yaml").read_text())["rules"]
    assert [rule["alert"] for rule in shipped if rule["alert"] not in named] == []


def test_no_code_is_broken_into_two_lines() -> None:
    made = page(f"{BEGIN}{END}")
    assert [line for line in made.splitlines() if line.count("`") % 2] == []
    assert max(map(len, made.splitlines())) <= WIDTH + MARGIN
