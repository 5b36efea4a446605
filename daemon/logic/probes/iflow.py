"""`iflow`: known-good canaries of iFlow in both modes, and whether the upstream or the account is what fails."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from daemon.domain.alerts_config import ProbeOptions
from daemon.domain.event import Fault
from daemon.domain.probe import Ask, ProbeResult, Reply
from daemon.domain.units import Duration, say_duration
from daemon.logic.canary import MODES, Answer, answer, canary, no_quota
from daemon.logic.probe import Found, Sight, told
from daemon.logic.provider_canaries import TOKENS, is_empty, is_ours, models_of, no_models

EXAMPLE = """\
iflow: {models: [glm-4.6], every: 10m}
"""
COSTS = True

_LOCAL = "iflow executor: missing api key"
"""What the upstream says where it has nothing to ask iFlow with."""
_SAID: Mapping[Fault, str] = {
    Fault.NO_CREDENTIAL: "the upstream has no usable credential of iFlow: sign in anew",
    Fault.MODEL_NOT_FOUND: "the account is not offered this model: ask for one that the upstream lists",
    Fault.PROVIDER_AUTH: "iFlow refuses the account",
    Fault.PROVIDER_QUOTA: "the account's quota is spent",
    Fault.PROVIDER_RATE_LIMITED: "iFlow limits the account",
}


class IflowOptions(ProbeOptions):
    """Asks each model for one word, at once and as a stream."""

    models: tuple[str, ...] = ()
    """Known-good models, as clients ask for them; else the first that the upstream lists as iFlow's."""
    most: int = Field(2, ge=1)
    """How many are asked where none is named."""
    patience: Duration = 900.0
    """A model that the upstream rests is not looked at for so long; then its rest is bad."""


def requests(options: IflowOptions, sight: Sight) -> Sequence[Ask]:
    """Both modes of each model."""
    if not sight.reachable:
        return []
    asked = (model for model in _models(options, sight) if not no_quota(model, sight))
    return [ask for model in asked for ask in _asks(model)]


def _asks(model: str) -> list[Ask]:
    return [canary(model, stream=stream, tokens=TOKENS) for stream in MODES]


def _models(options: IflowOptions, sight: Sight) -> tuple[str, ...]:
    found = models_of("iflow", options.models, sight)
    return found if options.models else found[: options.most]


def verdict(options: IflowOptions, sight: Sight, replies: Sequence[Reply]) -> Found:
    """A model is bad where one mode is; a rest of the upstream's own says nothing of the account for a while."""
    models = _models(options, sight) if sight.reachable else ()
    if not models:
        return Found(results=[told("iflow", sight, None, no_models("iflow", sight))])
    rest, since, tokens = iter(replies), dict[str, int](), 0
    results: list[ProbeResult] = []
    for model in models:
        if spent := no_quota(model, sight):
            results.append(told("iflow", sight, None, spent, subject=model))
            continue
        answers = [answer(ask, next(rest), sight.wires) for ask in _asks(model)]
        results.append(_one(model, answers, options, sight, since))
        tokens += sum(one.tokens for one in answers)
    return Found(results=results, memory={"resting_since": since}, tokens=tokens)


def _one(
    model: str, answers: Sequence[Answer], options: IflowOptions, sight: Sight, since: dict[str, int]
) -> ProbeResult:
    if any(map(is_ours, answers)):
        reason = next((one.reason for one in answers if is_ours(one)), "")
        return told("iflow", sight, None, reason, subject=model)
    if any(one.fault is Fault.LOCAL_COOLDOWN for one in answers):
        since[model] = sight.memory.get("resting_since", {}).get(model, sight.now)
        return _resting(model, (sight.now - since[model]) / 1000, options, sight)
    trouble = "; ".join(_troubles(answers))
    return told("iflow", sight, not trouble, f"{model}: {trouble}" if trouble else "", subject=model)


def _resting(model: str, seconds: float, options: IflowOptions, sight: Sight) -> ProbeResult:
    """The upstream answers for iFlow while it rests the account."""
    if seconds < options.patience:
        return told("iflow", sight, None, "the upstream rests the account: iFlow was not asked", subject=model)
    reason = f"{model}: the upstream has rested the account for {say_duration(seconds)}"
    return told("iflow", sight, False, reason, subject=model)


def _troubles(answers: Sequence[Answer]) -> Iterator[str]:
    """The same in both modes is said once."""
    said = {mode: _trouble(one) for mode, one in zip(MODES.values(), answers, strict=True)}
    if len(set(said.values())) == 1:
        yield from filter(None, set(said.values()))
        return
    yield from (f"{mode}: {trouble}" for mode, trouble in said.items() if trouble)


def _trouble(one: Answer) -> str:
    if one.ok:
        return "the answer is empty" if is_empty(one) else ""
    error = one.facts.error if one.facts else None
    if error is not None and error.message.startswith(_LOCAL):
        return "the upstream has no API key of iFlow: its own setting, not the account's fault"
    words = _SAID.get(one.fault, "iFlow fails") if one.fault else "iFlow fails"
    return f"{words} ({one.reason})"


OPTIONS = IflowOptions
