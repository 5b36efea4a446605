"""The work, in order: async, through ports only."""
