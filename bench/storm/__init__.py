"""A storm for the proxy: an upstream and clients that misbehave on purpose, and answers that are known beforehand."""
