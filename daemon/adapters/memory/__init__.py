"""What the engine needs, in memory: for rules that are tried out before they are trusted."""
