"""Telling time: instants as an explanation writes them, in UTC."""

from datetime import UTC, datetime


def say_instant(at: int, near: int) -> str:
    """`03:10:05 UTC`; with its date where that is not the one of `near`. Both are epoch ms."""
    when, there = (datetime.fromtimestamp(one // 1000, UTC) for one in (at, near))
    form = "%H:%M:%S UTC" if when.date() == there.date() else "%Y-%m-%d %H:%M:%S UTC"
    return when.strftime(form)
