"""Expectations in words: what has to be so, as one line says it."""

from collections.abc import Callable, Mapping

from daemon.domain.expectation import Expectation
from daemon.domain.units import say_duration


def say_expectation(wanted: Expectation) -> str:
    """`by 28m ProviderRateLimited (warning) is firing`."""
    return f"{_when(wanted)}{_SAYS[wanted.kind](wanted)}"


def _when(wanted: Expectation) -> str:
    if wanted.at is not None:
        return f"at {say_duration(wanted.at)} "
    if wanted.by is not None:
        return f"by {say_duration(wanted.by)} "
    if wanted.from_ is None and wanted.to is None:
        return ""
    last = "the end" if wanted.to is None else say_duration(wanted.to)
    return f"from {say_duration(wanted.from_ or 0.0)} to {last} "


def _named(name: str | None, wanted: Expectation) -> str:
    of = [wanted.severity.value] if wanted.severity else []
    of += [f"{label} {value}" for label, value in wanted.labels.items()]
    return f"{name} ({', '.join(of)})" if of else str(name)


def _alert(wanted: Expectation) -> str:
    return f"{_named(wanted.alert, wanted)} is {wanted.state}"


def _never(wanted: Expectation) -> str:
    return f"{_named(wanted.never, wanted)} never fires"


def _mitigation(wanted: Expectation) -> str:
    target = f" ({wanted.target})" if wanted.target else ""
    times = "" if wanted.times is None else f" {_times(wanted.times)} for each target"
    return f"{wanted.mitigation}{target} {'has been' if wanted.at is None else 'is'} {wanted.state}{times}"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _upstream(wanted: Expectation) -> str:
    said = (f"{name}: {str(value).lower()}" for name, value in (wanted.upstream or {}).items())
    return f"the upstream has {', '.join(said)}"


def _messages(wanted: Expectation) -> str:
    assert wanted.messages is not None
    counted, (fewest, most) = wanted.messages, wanted.messages.bounds
    many = str(fewest) if fewest == most else f"{fewest} to {most}"
    noun = "message" if most == 1 else "messages"
    about = f" about {counted.alert}" if counted.alert else ""
    titled = f" with {counted.title!r} in the title" if counted.title else ""
    return f"{counted.to} get {many} {noun}{about}{titled}"


def _message(wanted: Expectation) -> str:
    assert wanted.message is not None
    return f"{wanted.message.to} get a message that says {_words(wanted.message.contains)}"


def _explain(wanted: Expectation) -> str:
    return f"the explanation of {wanted.explain} says {_words(wanted.contains)}"


def _audit(wanted: Expectation) -> str:
    return f"the audit of {wanted.audit} says {_words(wanted.contains)}"


def _words(contains: tuple[str, ...] | None) -> str:
    return " and ".join(repr(word) for word in contains or ())


_SAYS: Mapping[str, Callable[[Expectation], str]] = {
    "alert": _alert,
    "never": _never,
    "mitigation": _mitigation,
    "upstream": _upstream,
    "messages": _messages,
    "message": _message,
    "explain": _explain,
    "audit": _audit,
}
