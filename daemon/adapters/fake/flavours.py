"""Flavours: in what the builds of the upstream differ that the fake one can be, by their version."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavour:
    """What a build serves of the management API, and what it shows."""

    version: str
    """In `X-CPA-VERSION` of every answer."""
    is_newer: bool = True
    """It counts per credential and has a usage queue; an older one keeps statistics instead."""
    resets_quota: bool = True
    patches_credentials: bool = True
    shows_priority: bool = True
    """In the list of credentials; it heeds one in any case."""


FLAVOURS = {
    flavour.version: flavour
    for flavour in (
        Flavour(version="7.2.142"),
        Flavour(version="6.9.2", is_newer=False, resets_quota=False),
        Flavour(version="6.8.38", is_newer=False, resets_quota=False, shows_priority=False),
        Flavour(version="6.6.9", is_newer=False, resets_quota=False, patches_credentials=False, shows_priority=False),
    )
}
NEWEST, LEGACY = "7.2.142", "6.9.2"
