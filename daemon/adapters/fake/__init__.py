"""A fake upstream: four wires, a management API and faults by scenario, for tests and the demo."""
