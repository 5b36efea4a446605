"""Lists of models: where upstreams of each kind have theirs, and how they are read."""

from collections.abc import Sequence
from typing import Any

from daemon.domain.event import Wire
from daemon.domain.inventory import ModelEntry
from daemon.domain.probe import Reply

PATHS = {
    Wire.OPENAI_CHAT: "/v1/models",
    Wire.ANTHROPIC_MESSAGES: "/v1/models?limit=1000",
    Wire.GEMINI_GENERATE_CONTENT: "/v1beta/models?pageSize=1000",
}
"""In the order in which they are tried: whoever serves several serves the first whole and undisguised."""
GEMINI_PREFIX = "models/"


def entries_of(body: Any) -> Sequence[ModelEntry] | None:
    """The models of a decoded list, whichever its shape; None where it is none. Odd entries are left out."""
    if not isinstance(body, dict):
        return None
    if isinstance(listed := body.get("data"), list):
        return [_entry(one["id"], one.get("owned_by")) for one in listed if _names(one, "id")]
    if isinstance(listed := body.get("models"), list):
        named = [one["name"] for one in listed if _names(one, "name")]
        return [_entry(name.removeprefix(GEMINI_PREFIX)) for name in named] if named else None
    return None


def may_speak_otherwise(reply: Reply) -> bool:
    """Whether it is worth to ask in another manner: a refusal of our key as CLIProxyAPI words it is final."""
    if reply.status not in (400, 401, 403, 404, 405):
        return False
    said = reply.json()
    return not (isinstance(said, dict) and isinstance(said.get("error"), str))


def _names(entry: Any, field: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(field), str)


def _entry(model: str, owner: Any = None) -> ModelEntry:
    return ModelEntry(model_id=model, owned_by=owner if isinstance(owner, str) else None)
