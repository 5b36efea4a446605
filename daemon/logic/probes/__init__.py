"""The shelf of probes: one file each."""
