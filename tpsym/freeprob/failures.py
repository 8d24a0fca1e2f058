"""Why something about a spectrum is not known."""

from __future__ import annotations


class Unavailable(Exception):
    """What was asked about a law cannot be given; ``reason`` says which hypothesis fails or what was not found."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
