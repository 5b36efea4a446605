"""Apprise and webhooks, in one child process."""
