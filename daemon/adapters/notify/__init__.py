"""Apprise, in one child process."""
