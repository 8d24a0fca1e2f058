"""The order of names that people expect: ``a[2]`` before ``a[10]``."""

from __future__ import annotations

import re


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """A sort key: digits compare as numbers."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)
