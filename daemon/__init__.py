"""runbookd: the provider-operations runbook of an AI proxy, as a daemon."""

__version__ = "0.1.0"
