"""The shelf of mitigation kinds: one file each."""
