"""The words: frozen dataclasses and nothing that acts."""
