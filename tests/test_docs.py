"""The documents: links lead somewhere, commands exist, and nothing tells of one machine."""

import re
import shlex
import subprocess
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from daemon.adapters.config.built_in import FILE
from daemon.cli import COMMANDS, main

ROOT = Path(__file__).parent.parent
FOREIGN = ("../shared", "/work/", *(f"{place}/" for place in (ROOT, Path.home()) if place.name))
"""What stands beside this checkout, where it lies, and whose it is."""


def tracked() -> list[Path]:
    """What is or would be committed; where there is no repository, whatever is not hidden or made by running."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        return [path for name in names if (path := ROOT / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        made = re.compile(r"(^|/)(\.|__pycache__|build/|dist/)")
        return [path for path in ROOT.rglob("*") if path.is_file() and not made.search(str(path.relative_to(ROOT)))]


FILES = tracked()
PAGES = [path for path in FILES if path.suffix == ".md"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them from headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(link: str, page: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def commands(page: Path) -> list[str]:
    """What a reader would type: lines of shell blocks, and code in the text, that begin with `runbookd`."""
    blocks = "\n".join(re.findall(r"^```sh$(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL))
    lines = [*blocks.splitlines(), *re.findall(r"`([^`\n]+)`", prose(page))]
    found = [re.fullmatch(r"(?:RUNBOOKD_\w+=\S* )*(runbookd .+)", line) for line in lines]
    return [match[1] for match in found if match]


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)) if "://" not in link]
    assert [link for link in links if not leads_somewhere(link, page)] == []


@pytest.mark.parametrize(("page", "line"), [(page, line) for page in PAGES for line in commands(page)])
def test_commands_exist_and_take_these_arguments(page: Path, line: str) -> None:
    name, *arguments = shlex.split(line, comments=True)[1:]
    if name == "COMMAND" or name.startswith("--"):
        return
    assert name in COMMANDS, f"{named(page)}: {line}"
    command, parser = import_module(f"daemon.cli.{name}"), ArgumentParser(prog=f"{named(page)}: {name}")
    command.configure(parser)
    if arguments:
        parser.parse_args(arguments)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    assert f"`runbookd {command}" in (ROOT / "README.md").read_text()


def test_the_readmes_alerts_file_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKD_STATE_DIR", str(tmp_path))
    (example,) = re.findall(r"^```yaml$(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "alerts.yaml"
    file.write_text(example)
    assert main(["check", str(file)]) == 0


def test_the_runbook_tells_of_every_shipped_rule_and_built_in_alert() -> None:
    rules = yaml.safe_load((ROOT / "alerts.yaml").read_text())["rules"]
    built_in = yaml.safe_load(FILE.read_text())["rules"]
    lost = [
        rule["alert"]
        for rule in (*rules, *built_in)
        if not leads_somewhere(rule.get("runbook", "#"), ROOT / "alerts.yaml")
    ]
    assert lost == []
    told = (ROOT / "docs" / "runbook.md").read_text()
    assert [rule["alert"] for rule in (*rules, *built_in) if f"`{rule['alert']}`" not in told] == []


def test_nothing_tells_of_the_machine_that_it_was_made_on() -> None:
    """This file aside: it must name what it looks for."""
    texts = {path: path.read_text(errors="replace") for path in FILES if path != Path(__file__)}
    assert [named(path) for path, text in texts.items() if any(place in text for place in FOREIGN)] == []


def test_the_lock_says_what_to_install_and_not_from_where() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    entry = re.compile(r"[a-z0-9-]+==\S+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not entry.fullmatch(line)] == []
