"""Sums over further coordinates: each copy of a vector flips signs on its own."""

from __future__ import annotations

from tpsym.polyhedra.forms import Form
from tpsym.scaling.arrays import HALF
from tpsym.scaling.payload import Pair
from tpsym.scaling.sizes import Parts, Signature, Size


def copied(pair: Pair, copy: int) -> Pair:
    """A vector at another coordinate: its sources flip on their own."""

    def renamed(parts: Parts) -> Parts:
        return {
            Signature(frozenset(f"{copy}·{s}" for s in k.odd), frozenset(f"{copy}·{s}" for s in k.mixed), k.tag): size
            for k, size in parts.items()
        }

    return Pair(renamed(pair.initial), renamed(pair.change))


def summed(parts: Parts, order: int, width: Form | int | object) -> Parts:
    """Means over the copies: what is odd in the sources of one has the size of the central limit theorem."""
    found: dict[Signature, Size] = {}
    prefixes = tuple(f"{copy}·" for copy in range(order))
    for s, size in parts.items():
        small = {p for p in prefixes if any(isinstance(k, str) and k.startswith(p) for k in s.odd)}
        key = Signature(
            frozenset(k for k in s.odd if not (isinstance(k, str) and k.startswith(prefixes))),
            frozenset(k for k in s.mixed if not (isinstance(k, str) and k.startswith(prefixes))), s.tag,
        )
        loss = HALF * len(small) * width  # type: ignore[operator]
        found[key] = found.get(key, frozenset()) | frozenset(f - loss for f in size)
    return found
