"""The page about mitigations, made from the shelf and the shipped file: `make docs` writes it."""

import sys

from daemon.adapters.config.alerts_file import load
from daemon.adapters.config.packaged import packaged
from daemon.app.kind_page import field_table, joined, says, table, told, wrapped
from daemon.app.rule_fields import fields
from daemon.app.shelf import scan
from daemon.app.written import flow, plain
from daemon.domain.alerts_config import AlertsConfig, MitigationOptions

HEAD = """\
A mitigation changes where traffic goes while an alert fires, and is undone when it ends. `mitigations:` in
`alerts.yaml` gives it a name, a level's `mitigate:` asks for it. `runbookd mitigations list` shows what is in force and
what was, `runbookd audit` every step of it.

This page is made from the code: `make docs` writes it."""
CAREFUL = """\
Start in shadow, and let it do more when you have seen what it would have done.

1. `mode: {soft: shadow, upstream: shadow}` in `alerts.yaml`, or `RUNBOOKD_MITIGATION_MODE=shadow`, which the file can
   only lower. Nothing is changed; what would have been done is noted in the audit and said in messages.
2. `runbookd rehearse` sums up what the days in shadow would have brought: how often it would have acted, on what, and
   how often the alert went by itself soon after.
3. `mode: {soft: auto, upstream: ask}`. Soft ones live in our own proxy and lapse by themselves two minutes after the
   control plane dies; they are the first to trust. For the others the message asks: nothing happens before somebody
   approves.
4. `mode: {soft: auto, upstream: auto}`, when the questions have become dull.

Whatever the mode, a human may `hold` one (nothing changes until `release`), `revert` it, or `apply` it: on the command
line, by the API, on the dashboard. What a human changes at the upstream meanwhile is left as it is."""
RULES = """\
- Soft before upstream: what lives in our own proxy lapses by itself; what is written to the upstream is journaled
  before it is written, read back after, and given back by compare-and-set.
- Nothing is begun on too little evidence, while events are missing, or without a rule that fires at this moment.
- A value that is no longer what we set was set by somebody else: it is left alone, and that is said.
- A setting that an upstream is known to ignore is noted, not written, and marked `no effect known` wherever it is
  shown."""


def page() -> str:
    """All of it, as Markdown."""
    kinds = scan().mitigations
    return joined(
        "# Mitigations",
        HEAD,
        "## From shadow to auto",
        CAREFUL,
        "## What holds for all of them",
        RULES,
        field_table(field for field in fields(MitigationOptions) if field.name != "kind"),
        "## Kinds",
        "\n".join(wrapped(f"- [`{kind}`](#{kind}): {says(model)}", "  ") for kind, model in kinds.items()),
        *(_kind(kind, model) for kind, model in kinds.items()),
        "## Shipped",
        _shipped(),
    )


def _kind(kind: str, model: type[MitigationOptions]) -> str:
    return joined(
        f"## {kind}", wrapped(says(model)), wrapped(told(model)), field_table(fields(model, but=MitigationOptions))
    )


def _shipped() -> str:
    shelves = scan()
    config = load(packaged("alerts.yaml"), shelves).config
    rows = [
        (f"`{name}`", f"[{options.kind}](#{options.kind})", f"`{flow(_said(options))}`", _asked_by(config, name))
        for name, options in config.mitigations.items()
    ]
    fallback = ("`fallback`", "[model_alias](#model_alias)", "the line of `fallbacks:` of each model that fails")
    return table(("name", "kind", "what", "asked for by"), [(*fallback, _asked_by(config, "fallback")), *rows])


def _said(options: MitigationOptions) -> dict[str, object]:
    """What its kind adds."""
    names = {field.name for field in fields(type(options), but=MitigationOptions)}
    return {name: value for name, value in plain(options).items() if name in names}


def _asked_by(config: AlertsConfig, name: str) -> str:
    asking = (
        f"{rule.alert} ({severity})"
        for rule in config.rules
        for severity, level in rule.levels.items()
        if name in level.mitigate
    )
    return ", ".join(asking) or "-"


if __name__ == "__main__":
    sys.stdout.write(page())
