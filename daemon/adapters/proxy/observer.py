"""Watches all requests of a worker, and makes one event out of each."""

import asyncio
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from daemon.adapters.proxy.destinations import NOWHERE
from daemon.adapters.proxy.fuses import FusedWires
from daemon.adapters.proxy.open_requests import OpenRequests
from daemon.adapters.proxy.tap import Ask, Observation
from daemon.domain.event import Event, EventIds, Fault, Outcome, Source, Wire, emitted_at_of
from daemon.domain.facts import ErrorFacts, RequestFacts, ResponseFacts
from daemon.domain.soft_routing import WorkloadClass
from daemon.domain.thinking import thinking_match
from daemon.domain.usage import TokenUsage
from daemon.logic.client import client_family, marked_attempt, turn_id
from daemon.logic.faults import classify
from daemon.logic.forwarding import CANARY
from daemon.logic.marks import Failures, auth_index_of, client_key, retry_after_seconds
from daemon.logic.wire import WireProtocol
from daemon.ports import Clock, EventSink

log = logging.getLogger(__name__)

MOST_NAME = 256
_NOTHING = Ask(method="", destination=NOWHERE, sent={})
_NO_USAGE = TokenUsage()
_NO_ERROR = ErrorFacts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The secrets of this installation that the data plane needs."""

    hashing: bytes
    canary: bytes

    def hashed(self, kind: bytes, value: bytes | str | None) -> str | None:
        """Sixteen hex digits that nobody can compute without the key of this installation."""
        if value is None:
            return None
        data = value.encode() if isinstance(value, str) else value
        return blake2b(data, digest_size=8, key=self.hashing, person=kind).hexdigest()

    def client_of(self, ask: Ask) -> str | None:
        """The `client_key_id` of a request."""
        return self.hashed(b"client key", client_key(ask.sent, ask.query))


class Observer:
    """Every `begin` has one `finish`, which offers one event to the sink."""

    def __init__(
        self,
        *,
        wires: Sequence[WireProtocol],
        sink: EventSink,
        clock: Clock,
        ids: EventIds,
        node_id: str,
        keys: Keys,
        open_requests: OpenRequests | None = None,
        class_of: Callable[[Ask, str | None], WorkloadClass | None] = lambda ask, model: None,
    ) -> None:
        """`class_of` tells the class of traffic of a request with this model."""
        self.fuses = FusedWires(wires)
        self._sink = sink
        self._clock = clock
        self._ids = ids
        self._node_id = node_id
        self._keys = keys
        self._open = open_requests
        self._class_of = class_of
        self._failures = Failures()
        self._has_failed = False
        self._finished: list[Observation] = []
        self._loop = asyncio.get_running_loop()

    def begin(self, ask: Ask) -> Observation:
        """From here on the request is watched."""
        seen = Observation(ask, self.fuses, self._clock.monotonic)
        if self._open is not None and (about := ask.destination.about):
            seen.place = self._open.enter(self._clock.now(), about)
        return seen

    def tell_of_unfinished(self) -> None:
        """Offers the events of what a former process of this worker left unfinished."""
        for one in self._open.unfinished() if self._open is not None else ():
            now = self._clock.now()
            event_id = self._ids.next(now)
            self._sink.offer(
                Event(
                    event_id=event_id,
                    emitted_at=emitted_at_of(event_id),
                    started_at=one.started_at,
                    duration_ms=max(0, now - one.started_at),
                    node_id=self._node_id,
                    method=one.method,
                    endpoint=one.endpoint,
                    wire=Wire(one.wire),
                    outcome=Outcome.ABORTED_BY_RESTART,
                )
            )

    def is_canary(self, ask: Ask) -> bool:
        """Whether the request is one of our own, by the secret that only we know."""
        mark = ask.sent.get(CANARY)
        return mark is not None and hmac.compare_digest(mark, self._keys.canary)

    def finish(self, seen: Observation) -> None:
        """A request has come to its end. Its event is made behind whatever else this turn of the loop has to do: no
        answer waits for it, and several in a row cost less each."""
        seen.ended = self._clock.monotonic()
        if self._open is not None:
            self._open.leave(seen.place)
        self._finished.append(seen)
        if len(self._finished) == 1:
            self._loop.call_soon(self.settle)

    def settle(self) -> None:
        """Offers the events of what has finished. Never raises: the traffic must not suffer."""
        finished, self._finished = self._finished, []
        for seen in finished:
            try:
                self._sink.offer(self._event(seen, seen.request(), seen.response()))
            except Exception:
                if not self._has_failed:
                    log.exception("events are lost: they cannot be made")
                self._has_failed = True

    def refuse(self, ask: Ask | None, status: int, fault: Fault) -> None:
        """Offers the event of a request that was not forwarded; None: it could not even be parsed."""
        seen = Observation(ask or _NOTHING, self.fuses, self._clock.monotonic)
        seen.wire, seen.endpoint = None, NOWHERE.endpoint
        seen.status, seen.ending.refused = status, fault
        self.finish(seen)

    def _event(self, seen: Observation, asked: RequestFacts, said: ResponseFacts | None) -> Event:
        began, ended, now = seen.began, seen.ended, self._clock.now()
        event_id = self._ids.next(now)
        outcome, fault = _judge(seen, said)
        turn_key, attempt = self._attempt(seen, outcome, ended)
        duration_ms = round((ended - began) * 1000)
        is_canary = self.is_canary(seen.ask)
        workload = seen.workload or (None if is_canary else self._class_of(seen.ask, asked.model))
        requested, processed = asked.thinking, said.thinking_processed if said else None
        usage, error = (said and said.usage) or _NO_USAGE, (said and said.error) or _NO_ERROR
        retry_after = retry_after_seconds(seen.retry_after, now) if seen.retry_after else None
        return Event(
            event_id=event_id,
            emitted_at=emitted_at_of(event_id),
            started_at=now - duration_ms,
            duration_ms=duration_ms,
            ttfb_ms=None if seen.first_byte is None else round((seen.first_byte - began) * 1000),
            ttft_ms=None if seen.first_content is None else round((seen.first_content - began) * 1000),
            largest_gap_ms=None if seen.largest_gap is None else round(seen.largest_gap * 1000),
            node_id=self._node_id,
            method=seen.ask.method[:MOST_NAME],
            endpoint=seen.endpoint,
            wire=seen.wire.WIRE if seen.wire else Wire.OTHER,
            stream=seen.stream or asked.stream,
            status=seen.status,
            outcome=outcome,
            fault=fault,
            requested_model=_name(asked.model),
            model_id=_name(seen.sent_model or asked.model),
            response_model=_name(said.response_model) if said else None,
            prefix=_prefix(asked.model),
            auth_index=auth_index_of(seen.trace_id) if seen.trace_id else None,
            workload=None if workload is None else workload.name,
            client_key_id=self._keys.client_of(seen.ask),
            turn_key=turn_key,
            attempt=attempt,
            client=client_family(seen.ask.sent.get(b"user-agent")),
            source=Source.CANARY if is_canary else Source.CLIENT,
            usage_present=_usage_present(asked, outcome, said),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            total_tokens=usage.total_tokens,
            thinking_requested_mode=requested.mode if requested else None,
            thinking_requested_level=requested.level if requested else None,
            thinking_requested_budget=requested.budget if requested else None,
            thinking_processed_mode=processed.mode if processed else None,
            thinking_processed_level=processed.level if processed else None,
            thinking_processed_budget=processed.budget if processed else None,
            thinking_match=thinking_match(requested, processed),
            thinking_evidence="response_echo" if processed else None,
            finish_reason=_name(said.finish_reason) if said else None,
            empty_payload=said.empty_payload if said else None,
            has_tool_result_image=asked.has_tool_result_image,
            has_tool_use=said.has_tool_use if said else None,
            retry_after_seconds=retry_after if retry_after is not None else error.retry_after_seconds,
            quota_reset_seconds=error.quota_reset_seconds,
            trace_id=seen.trace_id,
            mitigation_ids=seen.mitigation_ids,
            request_bytes=seen.request_bytes,
            response_bytes=seen.response_bytes,
        )

    def _attempt(self, seen: Observation, outcome: Outcome, now: float) -> tuple[str | None, int]:
        turn = self._keys.hashed(b"turn", turn_id(seen.ask.sent))
        marked = marked_attempt(seen.ask.sent)
        if turn is None:
            return None, marked
        attempt = marked or self._failures.attempt(turn, seen.began)
        self._failures.note(turn, attempt, failed=outcome is Outcome.FAILED, now=now)
        return turn, attempt


def _judge(seen: Observation, said: ResponseFacts | None) -> tuple[Outcome, Fault | None]:
    ending = seen.ending
    if ending.refused is not None or ending.ours:
        return Outcome.DENIED, ending.refused
    return classify(
        status=seen.status if seen.was_answered else None,
        facts=said,
        upstream_fault=ending.upstream_fault,
        client_gone=ending.client_gone,
        drained=ending.drained,
    )


def _usage_present(asked: RequestFacts, outcome: Outcome, said: ResponseFacts | None) -> bool | None:
    """None where no usage was to be expected, or nobody could read the answer."""
    if said is None or (said.usage is None and (outcome is not Outcome.OK or not asked.wants_usage)):
        return None
    return said.usage is not None


def _prefix(model: str | None) -> str | None:
    prefix, slash, _ = (model or "").partition("/")
    return _name(prefix) if slash else None


def _name(text: str | None) -> str | None:
    """Bounded, and such that it can be written down: JSON may hold halves of surrogate pairs."""
    if text is None or (text.isascii() and 0 < len(text) <= MOST_NAME):
        return text
    return text[:MOST_NAME].encode(errors="replace").decode() or None
