"""A small fake upstream with four wires, a management API and faults by scenario."""
