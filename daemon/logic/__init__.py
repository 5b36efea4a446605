"""The judgements: sans-IO; values in, values out. No clock, no network, no file, no randomness, no logging."""
