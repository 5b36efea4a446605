"""Whether the channels of the receivers are any: each URL is shown to its library when the rules are loaded."""

import logging
from collections.abc import Mapping, Sequence

from daemon.adapters.config.secrets import mask
from daemon.adapters.notify.process import AppriseProcess
from daemon.domain.notification import Channel

log = logging.getLogger(__name__)


async def check_channels(notifier: AppriseProcess, receivers: Mapping[str, Sequence[Channel]]) -> None:
    """Logs those that will take no message, without what is secret in them; the others work. Nothing is sent."""
    pairs = [(name, channel) for name, channels in receivers.items() for channel in channels]
    found = await notifier.instantiates([channel for _, channel in pairs])
    for (name, channel), (_, is_taken, why) in zip(pairs, found, strict=True):
        if not is_taken:
            log.error("receiver '%s': %s is refused: %s", name, mask(channel.url), why)
