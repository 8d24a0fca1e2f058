"""What the update of an array adds to what it acts on, by the rule of the optimizer.

After finitely many steps the change of a matrix is a sum of outer products, so that

.. math:: \\Delta W z = -\\eta \\sum_s Q(dy_s x_s^\\top) z,

a vector along :math:`dy_s` times a contraction of :math:`x_s` with z. The contraction has the size of the law of
large numbers unless a symmetry makes its mean vanish, else that of the central limit theorem.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tpsym.polyhedra.forms import Form, number
from tpsym.scaling.arrays import HALF, Array
from tpsym.scaling.payload import Pair
from tpsym.scaling.sizes import EVEN, ONE, Known, Parts, Signature, Size, shifted, sums, total, untagged
from tpsym.transform.optimizers import Rule

Alignment = Literal["worst", "everett_full", "none"]
"""How what an array meets is aligned with it: ``worst`` as the symmetries of the program allow it,
``everett_full`` the same but for initial arrays and changed vectors, ``none`` nothing (Everett et al., 2024)."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """The sizes of Σ_β a_β b_β by the law that each pair of parts obeys; ``symmetry`` are the flips that make means
    vanish, by pair."""

    size: Size
    large: bool
    symmetries: tuple[Signature, ...]


def contracted(a: Parts, b: Parts, growth: Fraction, *, aligned: bool | None = None) -> Contraction:
    """A sum over a width of growth n^growth; ``aligned`` overrides what the symmetries say."""
    forms: set[Form] = set()
    symmetries: list[Signature] = []
    large = False
    for s, x in a.items():
        for t, y in b.items():
            both = s * t
            coherent = not both.odd if aligned is None else aligned
            large = large or coherent
            if both.odd:
                symmetries.append(both)
            forms |= {f + (growth if coherent else growth * HALF) for f in sums(x, y)}
    return Contraction(frozenset(forms), large, tuple(symmetries))


def policy(alignment: Alignment, *, updated: bool) -> bool | None:
    """Whether an initial (or updated) array and a changed (or any) vector are aligned; ``None``: by symmetry."""
    if alignment == "none":
        return False
    return False if alignment == "everett_full" and not updated else None


@dataclass(frozen=True, slots=True)
class Outer:
    """One outer product of an update: the vectors along rows and columns as they have been so far."""

    left: Parts
    right: Parts


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one optimizer; ``scale`` is the power of n in front of all adjoints."""

    rule: Rule
    scale: Form
    alignment: Alignment
    known: Known
    wide: bool = True

    @property
    def per_coordinate(self) -> int:
        """The exponent of 1/n between an adjoint of coordinate size and the gradient."""
        return 1 if self.wide else 0

    def amplitude(self, array: Array) -> Form:
        """The exponent of what multiplies the outer product in the update of the program's array."""
        if self.linear(array):
            found = array.rate + array.slope * 2 + self.scale
            found = found if array.kind == "scalar" else found - self.per_coordinate
            if self.rule == "sgd" or array.eps is None:
                return found
            found = found - array.eps
            return found + array.deviation if self.rule == "adafactor" else found
        found = array.rate + array.slope
        if self.rule == "muon":
            return found - (array.rows + array.columns) * HALF
        return found + array.deviation if self.rule == "adafactor" else found

    def linear(self, array: Array) -> bool:
        """Whether the update is linear in the gradient as far as sizes go: SGD, or ε in sight of the gradient."""
        return self.rule == "sgd" or (array.eps is not None and self.rule in ("adam", "adagrad", "adafactor"))

    def gradient(self, array: Array, outer: Outer) -> Size:
        """The size of the entries of the gradient with respect to the trained array."""
        shift = self.scale + array.slope - (0 if array.kind == "scalar" else self.per_coordinate)
        return frozenset(f + shift for f in sums(total(outer.left), total(outer.right)))

    def direction(self, array: Array, parts: Parts) -> Parts:
        """A vector as an update keeps it: as it is, or brought to size one."""
        return untagged(parts) if self.linear(array) else self.unit(parts)

    def unit(self, parts: Parts) -> Parts:
        """A vector divided by its size; where several parts may be the largest each counts as if it were."""
        plain = self.known.pruned(untagged(parts))
        tops = self.known.maximal(total(plain))
        if len(tops) == 1:
            (top,) = tops
            return shifted(plain, -top)
        return dict.fromkeys(plain, ONE)

    def applied(self, array: Array, outer: Outer, z: Pair, *, transposed: bool) -> tuple[Parts, Contraction]:
        """``ΔW z``, or ``ΔWᵀ z``, for one outer product of the update of a matrix."""
        left, right = self.direction(array, outer.left), self.direction(array, outer.right)
        if transposed:
            left, right = right, left
        width = array.rows if transposed else array.columns
        aligned = policy(self.alignment, updated=True)
        first = contracted(right, untagged(z.initial), width, aligned=aligned)
        second = contracted(right, untagged(z.change), width, aligned=aligned)
        size = self.known.maximal(frozenset(map(self.known.reduced, first.size | second.size)))
        shift = self.amplitude(array)
        parts = {s._replace(tag=array.name): frozenset(f + shift for f in sums(x, size)) for s, x in left.items()}
        return parts, first

    def moved(self, array: Array, outer: Outer) -> Parts:
        """The change of an input layer on data, of a vector or of a scalar."""
        shift = self.amplitude(array)
        left = self.direction(array, outer.left)
        if array.kind == "scalar":
            return {EVEN._replace(tag=array.name): frozenset(f + shift for f in total(left))}
        return {s._replace(tag=array.name): frozenset(f + shift for f in x) for s, x in left.items()}

    def decayed(self, array: Array, value: Parts) -> Parts:
        """What weight decay takes away from what an initial array gives."""
        if array.decay is None:
            return {}
        return {s._replace(tag=array.name): x for s, x in shifted(untagged(value), array.rate + array.decay).items()}

    def kernel(self, array: Array, first: Outer, later: Outer) -> Size:
        """The size of what the update of an array adds to the output to first order, ⟨∇f, ΔW⟩."""
        shift = self.amplitude(array) + self.scale
        shift = shift if array.kind == "scalar" else shift + (array.rows + array.columns - self.per_coordinate)
        sizes: Size = frozenset({number(0)})
        for a, b in ((first.left, later.left), (first.right, later.right)):
            sizes = sums(sizes, sums(total(self.direction(array, a)), total(b)))
        return frozenset(f + shift for f in sizes)
