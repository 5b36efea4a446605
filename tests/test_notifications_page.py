"""`docs/notifications.md` shows messages as they are sent."""

import re
from pathlib import Path

from tests.notifications_page import page

PAGE = Path(__file__).parents[1] / "docs" / "notifications.md"
TOLD = page()
MESSAGES = re.findall(r"^```text\n(.*?)^```$", TOLD, re.MULTILINE | re.DOTALL)


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text() == TOLD, "docs/notifications.md is not what is sent any more: make docs"


def test_the_same_night_tells_the_same() -> None:
    assert page() == TOLD


def test_no_message_is_too_long_for_a_channel() -> None:
    assert len(MESSAGES) == 12
    assert [message for message in MESSAGES if len(message) > 3500 or len(message.partition("\n")[0]) > 80] == []
