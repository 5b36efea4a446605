"""The world: one library behind each door."""
