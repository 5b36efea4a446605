"""Classes of traffic in the alerts file: those of the page load, and what would do nothing is told."""

from pathlib import Path

from daemon.logic.mitigations.pin_thinking import PinThinking
from tests.adapters.config.conftest import Load

PAGE = Path(__file__).parents[3] / "docs" / "workloads.md"
HEAD = "version: 1\n"


def warned(load: Load, *workloads: str) -> list[str]:
    found = load(HEAD + "workloads:\n" + "".join(f"  - {one}\n" for one in workloads)).warnings
    return [str(one).partition(": ")[2] for one in found]


def test_the_example_of_the_page_loads(load_text: Load) -> None:
    text = PAGE.read_text().partition("```yaml\n")[2].partition("```")[0]
    loaded = load_text(text)
    assert loaded.warnings == ()
    editor, nightly = loaded.config.workloads
    assert (editor.name, editor.match.header, editor.priority) == ("editor", {"x-app": "ide-*"}, "latency")
    assert (nightly.fallbacks, nightly.exclude) == ({"gpt-5.5": ("gpt-5.4-mini",)}, ("gpt-5.3-codex",))
    pin = loaded.config.mitigations["editors-think"]
    assert isinstance(pin, PinThinking)
    assert (pin.workload, pin.level, pin.by) == ("editor", "high", "suffix")


def test_the_shipped_file_has_none(load_text: Load) -> None:
    assert load_text(HEAD + "extends: runbook\n").config.workloads == ()


def test_what_would_do_nothing_is_told(load_text: Load) -> None:
    assert warned(load_text, "{name: a, match: {model: m}, priority: latency, fallbacks: {m: [n]}}") == [
        "workloads[0].fallbacks: does nothing: what is latency is led away only by what names it"
    ]
    assert warned(load_text, "{name: a, match: {model: m}, fallbacks: {m: [n]}, exclude: [n]}") == [
        "workloads[0].fallbacks.m: nothing is left that may stand in for 'm': all are excluded"
    ]


def test_for_some_of_the_traffic_two_ways_may_cross(load_text: Load) -> None:
    ways = "  a: {kind: reroute, model: x, to_model: y}\n  b: {kind: reroute, model: y, to_model: x, workload: w}\n"
    assert load_text(f"{HEAD}workloads: [{{name: w, match: {{model: z}}}}]\nmitigations:\n{ways}").warnings == ()
