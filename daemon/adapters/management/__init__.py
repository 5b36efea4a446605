"""The upstream's management API and cold requests, through httpx."""
