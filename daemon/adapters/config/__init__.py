"""Settings and the alerts file, read and checked at the gate."""
