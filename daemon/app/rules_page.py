"""The page about rules, made from the shelf and the shipped files: `make docs` writes it to `docs/rules.md`."""

import sys
from collections.abc import Iterable

from daemon.adapters.config.packaged import packaged
from daemon.app.kind_page import field_table, joined, kind_page, options, says, table, wrapped
from daemon.app.rule_catalogue import Entry, Origin, catalogue
from daemon.app.rule_fields import fields
from daemon.app.shelf import scan
from daemon.app.written import flow, plain
from daemon.domain.alerts_config import Level, Rule

HEAD = """\
Rules stand in `alerts.yaml`; each is of a kind. Here are the kinds, the fields that all rules have, and the rules that
are in force without a file of yours. `runbookd rules list` shows those that are in force on your machine,
`runbookd rules show NAME` all values of one of them, `runbookd rules kinds` the kinds.

This page is made from the code: `make docs` writes it. A kind that is missing can be added, in one file:
[adding-a-rule.md](adding-a-rule.md). What to do when a rule fires: [runbook.md](runbook.md)."""
UNITS = """\
A duration is written as `30s`, `10m`, `1h30m` or `7d`, a percentage as `5%`. A selection is a map of fields and what
they must be: a value, a list (any of), a glob, `4xx`, `true`, `false`, `absent` or `present`; or the name of one that
stands in `selections:`. "Unless said" is what holds for a field that is left out: where it says *needed*, it cannot be;
where nothing stands there, it does not apply, or its meaning says what holds."""
EVERY_RULE = "What is different with a kind stands with the kind."
EVERY_LEVEL = "`for` and `keep_firing_for` are taken from the rule where the level does not say them."
SHIPPED = """\
They are in force without a file of yours, and with one that says `extends: runbook`. There, a rule of the same name
changes them, and `enabled: false` switches one off. Each name leads to what it means and what to do."""
BUILT_IN = """\
They are about runbookd itself, and in force beneath every file. A rule of the same name changes them, too."""


def page() -> str:
    """All of it, as Markdown."""
    kinds = scan().rules
    return joined(
        "# Rules",
        HEAD,
        "## Kinds",
        "\n".join(wrapped(f"- [`{kind}`](#{kind}): {says(model)}", "  ") for kind, model in kinds.items()),
        UNITS,
        *(kind_page(kind, model) for kind, model in kinds.items()),
        "## Fields of every rule",
        EVERY_RULE,
        field_table(fields(Rule)),
        "## Fields of every level",
        EVERY_LEVEL,
        field_table(fields(Level)),
        *_rules_without_a_file(),
    )


def _rules_without_a_file() -> tuple[str, ...]:
    entries = catalogue(packaged("alerts.yaml"), scan()).entries
    shipped = [entry for entry in entries if entry.origin is Origin.SHIPPED]
    built_in = [entry for entry in entries if entry.origin is Origin.BUILT_IN]
    return "## Shipped rules", SHIPPED, _rule_table(shipped), "## Built-in rules", BUILT_IN, _rule_table(built_in)


def _rule_table(entries: Iterable[Entry]) -> str:
    rows = [(_name(one.rule), f"[{one.rule.kind}](#{one.rule.kind})", _about(one.rule), *_what(one)) for one in entries]
    return table(("rule", "kind", "of what", "raises", "does"), rows)


def _name(rule: Rule) -> str:
    link = (rule.runbook or "").removeprefix("docs/")
    return f"[`{rule.alert}`]({link})" if link else f"`{rule.alert}`"


def _about(rule: Rule) -> str:
    """Which items, what its kind must be told, and told apart by what."""
    names = ["of", *(field.name for field in options(type(rule)) if field.is_needed), "by"]
    said = plain(rule)
    return f"`{flow({name: said[name] for name in names if said[name] not in (None, [])})[1:-1]}`"


def _what(entry: Entry) -> tuple[str, str]:
    """When it raises, and what it does."""
    raises = [f"{severity}: {text}".removesuffix(": ") for severity, text in entry.raises.items()]
    acts = [f"{severity}: {names}" for severity, names in entry.mitigates.items()]
    return "; ".join(raises), "; ".join(["tells", *acts])


if __name__ == "__main__":
    sys.stdout.write(page())
