"""The runbook's paragraphs: `make docs` writes into `docs/runbook.md`, between two marks, what carries each out."""

import re
import sys
from collections.abc import Mapping

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.app.kind_page import joined, wrapped
from daemon.app.rule_catalogue import catalogue
from daemon.app.runbook_rows import PARAGRAPHS, Paragraph
from daemon.app.shelf import scan

BEGIN, END = "<!-- paragraphs: make docs writes them -->", "<!-- paragraphs: end -->"
HEAD = """\
What the runbook asks for, and what carries it out: what runbookd does by itself, and what you type to do the same by
hand. Rules lead to what to do when they fire, probes to [probes.md](probes.md), mitigations to
[mitigations.md](mitigations.md); one that is no shipped mitigation is a kind, which your own file may use."""
UNBROKEN = "\N{NO-BREAK SPACE}"
FALLBACK = ("fallback", "model_alias")
"""The mitigation that needs no line in a file, and its kind."""


def page(text: str) -> str:
    """The text of the page with its list made anew. Raises `ValueError` where the marks are not there."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"there is no {BEGIN} … {END}")
    return f"{before}{begin}\n\n{joined(HEAD, _listed())}\n{end}{after}"


def _listed() -> str:
    links, kinds = rule_links(), mitigation_kinds()
    return "\n".join(_item(number, one, links, kinds) for number, one in enumerate(PARAGRAPHS, 1))


def _item(number: int, one: Paragraph, links: Mapping[str, str], kinds: Mapping[str, str]) -> str:
    """Also fit to be read as plain text: no code is broken into two lines."""
    parts = {
        "Rules": [f"[`{name}`]({links[name]})" for name in one.rules],
        "Probes": [f"[`{name}`](probes.md#{name})" for name in one.probes],
        "Mitigations": [f"[`{name}`](mitigations.md#{kinds[name]})" for name in one.mitigations],
        "By hand": [f"`runbookd {command}`" for command in one.commands],
    }
    title = one.title if one.title.endswith("?") else f"{one.title}."
    said = [f"**{title}** {one.today}", *(f"{name}: {', '.join(those)}." for name, those in parts.items() if those)]
    whole = re.sub("`[^`]+`", lambda code: code[0].replace(" ", UNBROKEN), " ".join(said))
    return wrapped(f"{number}. {whole}", "    ").replace(UNBROKEN, " ")


def rule_links() -> dict[str, str]:
    """Of each rule that is in force or may be switched on without a file: its section of the page."""
    rules = [entry.rule for entry in catalogue(packaged("alerts.yaml"), scan()).entries]
    return {rule.alert: re.sub(r"^docs/runbook\.md", "", rule.runbook or "") for rule in rules}


def mitigation_kinds() -> dict[str, str]:
    """By the name of each shipped mitigation, and of each kind: the kind."""
    shipped = load(packaged("alerts.yaml"), scan()).config.mitigations
    kinds = {kind: kind for kind in scan().mitigations}
    return kinds | dict([FALLBACK]) | {name: options.kind for name, options in shipped.items()}


if __name__ == "__main__":
    sys.stdout.write(page(sys.stdin.read()))
