"""The shelf of wire protocols: one file each."""
