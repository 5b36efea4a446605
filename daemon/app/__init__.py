"""Builds, starts and stops the processes: the only place that wires."""
