"""Words as tuples of whole numbers: what the loop equations turn, reverse and compare.

A Gaussian letter is ``4·matrix + 2·conjugated + flipped``: the adjoint of a complex matrix is both, its transpose
flipped alone. Real matrices are never conjugated, symmetric ones never flipped either; the conjugate of a hermitian
matrix is its transpose. A product of diagonal matrices is one negative number, the place of its list of factors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sympy import Expr

from tpsym.matrices import Diagonal, Factor, Gaussian, Kind, Word

Code = tuple[int, ...]


@dataclass(slots=True)
class Alphabet:
    """The matrices of a computation by number, and the products of diagonal matrices met so far."""

    matrices: list[Gaussian] = field(default_factory=list)
    functions: list[Diagonal] = field(default_factory=list)
    products: list[tuple[int, ...]] = field(default_factory=list)
    _numbers: dict[object, int] = field(default_factory=dict)
    _cyclic: dict[Code, Code] = field(default_factory=dict)

    def matrix(self, matrix: Gaussian) -> int:
        """The number of a matrix."""
        if matrix not in self._numbers:
            self._numbers[matrix] = len(self.matrices)
            self.matrices.append(matrix)
        return self._numbers[matrix]

    def product(self, factors: Iterable[int]) -> int:
        """The (negative) number of a product of diagonal matrices, given by their places in ``functions``."""
        key = tuple(sorted(factors))
        if key not in self._numbers:
            self._numbers[key] = -1 - len(self.products)
            self.products.append(key)
        return self._numbers[key]

    def diagonal(self, letter: Diagonal) -> int:
        """The number of one diagonal matrix."""
        if letter not in self._numbers:
            self._numbers[letter] = len(self.functions)
            self.functions.append(letter)
        return self.product([self._numbers[letter]])

    def encode(self, word: Word) -> Code:
        """A word of the caller."""
        return tuple(self._letter(x) for x in word)

    def _letter(self, letter: Factor | Diagonal) -> int:
        if isinstance(letter, Diagonal):
            return self.diagonal(letter)
        kind = letter.matrix.kind
        code = 4 * self.matrix(letter.matrix)
        if not letter.adjoint or letter.matrix.is_selfadjoint:
            return code
        return code + (3 if kind == "complex" else 1)

    def kind(self, letter: int) -> Kind:
        return self.matrices[letter >> 2].kind

    def transpose(self, word: Code) -> Code:
        """``(ab…c)ᵀ``."""
        return tuple(x if x < 0 or self.kind(x) == "symmetric" else x ^ 1 for x in reversed(word))

    def row_size(self, letter: int) -> Expr:
        """The ratio of the row space of a Gaussian letter."""
        matrix = self.matrices[letter >> 2]
        return (matrix.columns if letter & 1 else matrix.rows).ratio

    def joined(self, word: Code) -> Code:
        """Neighbouring diagonal matrices multiplied, around the end too."""
        if all(x >= 0 for x in word):
            return word
        if all(x < 0 for x in word):
            return (self.product(k for x in word for k in self.products[-1 - x]),)
        start = next(i for i, x in enumerate(word) if x >= 0)
        found: list[int] = []
        for x in word[start:] + word[:start]:
            if x < 0 and found[-1] < 0:
                found[-1] = self.product(self.products[-1 - found[-1]] + self.products[-1 - x])
            else:
                found.append(x)
        return tuple(found)

    def cyclic(self, word: Code) -> Code:
        """The least of the words with the same trace: rotations, and those of the transpose."""
        known = self._cyclic.get(word)
        if known is None:
            joined = self.joined(word)
            both = (joined, self.transpose(joined))
            known = min(w[i:] + w[:i] for w in both for i in range(len(w)))
            self._cyclic[word] = known
        return known

    def pairing(self, a: int, b: int) -> tuple[bool, bool]:
        r"""Whether ``E a_{ij} b_{kl}`` contains :math:`δ_{il} δ_{jk}` (straight), :math:`δ_{ik} δ_{jl}` (twisted)."""
        if a >> 2 != b >> 2:
            return False, False
        kind, flipped = self.kind(a), bool((a ^ b) & 1)
        if kind == "symmetric":
            return True, True
        if kind == "hermitian":
            return not flipped, flipped
        if kind == "complex" and not (a ^ b) & 2:
            return False, False
        return flipped, not flipped
