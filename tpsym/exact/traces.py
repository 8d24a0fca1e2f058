r"""Expectations of products of traces at finite n, by loop equations.

One Gaussian letter is integrated out against every partner (integration by parts, Isserlis): a straight pairing of
two letters of one word cuts it, ``Tr(a u b v) → Tr(u) Tr(v)``, of two words joins them,
``Tr(a u) Tr(b v) → Tr(u v)``; a twisted one reverses a part, ``Tr(a u b v) → Tr(u vᵀ)``,
``Tr(a u) Tr(b v) → Tr(u vᵀ)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.exact.letters import Alphabet, Code
from tpsym.exact.recursions import by_recursion
from tpsym.exact.sizes import Poly, Sizes, check_states
from tpsym.exact.sums import Mean, expected_sums
from tpsym.matrices import Diagonal, Gaussian, Polynomial, Space, Word

State = tuple[Code, ...]
Contribution = dict[tuple[int, ...], Poly]
"""Polynomials in the sizes by the traces of diagonal matrices (numbers of products) that multiply them."""


@dataclass(slots=True)
class LoopEquations:
    """Traces of words of an alphabet, as polynomials in sizes; a pairing of a matrix with itself counts one.

    ``sizes`` maps the ratios of spaces to polynomials. Remembers what it has computed.
    """

    alphabet: Alphabet
    sizes: Sizes
    n: Symbol
    _known: dict[State, Contribution] = field(default_factory=dict)

    def expected(self, words: Iterable[Code]) -> Contribution:
        """``E ∏ Tr(w)`` for words that are not empty."""
        return self._scaled(self._normal(words), self.sizes.one)

    def _size(self, letter: int) -> Poly:
        return self.sizes[self.alphabet.row_size(letter) * self.n]

    def _normal(self, words: Iterable[Code]) -> tuple[State, tuple[int, ...]]:
        """Words by their trace: those with Gaussian letters, and the diagonal ones."""
        found = [self.alphabet.cyclic(w) for w in words]
        diagonal = tuple(sorted(w[0] for w in found if len(w) == 1 and w[0] < 0))
        return tuple(sorted(w for w in found if len(w) > 1 or w[0] >= 0)), diagonal

    def _scaled(self, normal: tuple[State, tuple[int, ...]], factor: Poly) -> Contribution:
        state, diagonal = normal
        inner = self._solve(state)
        return {tuple(sorted(key + diagonal)) if diagonal else key: factor * p for key, p in inner.items()}

    def _solve(self, state: State) -> Contribution:
        if not state:
            return {(): self.sizes.one}
        known = self._known.get(state)
        if known is not None:
            return known
        counts = Counter(x >> 2 for w in state for x in w if x >= 0)
        total: Contribution = {}
        if all(c % 2 == 0 for c in counts.values()):
            matrix = min(counts, key=lambda k: (counts[k], k))
            for (normal, empty), count in self._contractions(state, matrix).items():
                factor = self.sizes.one * count
                for ratio in empty:
                    factor *= self.sizes[ratio * self.n]
                for key, p in self._scaled(normal, factor).items():
                    total[key] = total[key] + p if key in total else p
        check_states(len(self._known))
        self._known[state] = total
        return total

    def _contractions(
        self, state: State, matrix: int
    ) -> Counter[tuple[tuple[State, tuple[int, ...]], tuple[Expr, ...]]]:
        """The terms of one integration by parts: words left, the sizes of traces of nothing, how often."""
        found: Counter[tuple[tuple[State, tuple[int, ...]], tuple[Expr, ...]]] = Counter()
        index = next(i for i, w in enumerate(state) if any(x >= 0 and x >> 2 == matrix for x in w))
        word, rest = state[index], state[:index] + state[index + 1 :]
        start = next(i for i, x in enumerate(word) if x >= 0 and x >> 2 == matrix)
        letter, tail = word[start], word[start + 1 :] + word[:start]
        rows, columns = self.alphabet.row_size(letter), self.alphabet.row_size(letter ^ 1)

        def add(words: tuple[tuple[Code, Expr], ...], others: State, count: int) -> None:
            empty = tuple(ratio for w, ratio in words if not w)
            found[self._normal([*(w for w, _ in words if w), *others]), empty] += count

        for j, x in enumerate(tail):
            straight, twisted = self.alphabet.pairing(letter, x) if x >= 0 else (False, False)
            u, v = tail[:j], tail[j + 1 :]
            if straight:
                add(((u, columns), (v, rows)), rest, 1)
            if twisted:
                add(((u + self.alphabet.transpose(v), rows),), rest, 1)
        for other, count in Counter(rest).items():
            left = list(rest)
            left.remove(other)
            for j, x in enumerate(other):
                straight, twisted = self.alphabet.pairing(letter, x) if x >= 0 else (False, False)
                v = other[j + 1 :] + other[:j]
                if straight:
                    add(((tail + v, rows),), tuple(left), count)
                if twisted:
                    add(((tail + self.alphabet.transpose(v), rows),), tuple(left), count)
        return found


def check_word(word: Word) -> None:
    """Raises ValueError where the spaces of neighbours differ, around the end too."""
    for a, b in zip(word, word[1:] + word[:1], strict=True):
        if a.columns != b.rows:
            raise ValueError(f"a product over {a.columns.name} and {b.rows.name} has no trace")


def spaces_of(words: Iterable[Word]) -> list[Space]:
    """The index sets of the letters."""
    return list(dict.fromkeys(s for w in words for x in w for s in (x.rows, x.columns)))


def pairing_weight(words: Iterable[Word], n: Symbol) -> Expr:
    """``∏ (v/n)^p`` over the matrices, p half the number of their letters; n may occur in the variance."""
    counts: Counter[Gaussian] = Counter(x.matrix for w in words for x in w if not isinstance(x, Diagonal))
    return sp.Mul(*((m.variance / n) ** sp.Rational(c, 2) for m, c in counts.items()))


def expected_traces(words: Sequence[Word], n: Symbol, *, mean: Mean | None = None) -> Expr:
    """``E ∏ Tr(w)`` (traces without 1/n), exactly, as a function of n and of the parameters of ratios and variances.

    Coordinates of a :class:`Diagonal` are i.i.d. and independent of the matrices; ``mean`` gives the mean of a
    function of one coordinate (needed only where there are such letters). Letters of spaces of size one
    (``ratio = 1/n``) are vectors.

    Raises:
        ValueError: an empty word, neighbours that do not fit, or a diagonal matrix without ``mean``.
    """
    if any(not w for w in words):
        raise ValueError("the trace of an empty word is the size of a space")
    for word in words:
        check_word(word)
    known = by_recursion(words[0], n) if len(words) == 1 else None
    return sp.expand(pairing_weight(words, n) * (known if known is not None else loop_equations(words, n, mean)))


def loop_equations(words: Sequence[Word], n: Symbol, mean: Mean | None = None) -> Expr:
    """:func:`expected_traces` with a weight of one for every pairing of entries."""
    alphabet = Alphabet()
    codes = [alphabet.encode(w) for w in words]
    equations = LoopEquations(alphabet, Sizes([s.ratio * n for s in spaces_of(words)], n), n)
    found = equations.expected(codes)
    total = [
        equations.sizes.expr(p) * diagonal_mean(alphabet, key, n, mean) for key, p in found.items()
    ]
    return sp.Add(S.Zero, *total)


def diagonal_mean(alphabet: Alphabet, key: tuple[int, ...], n: Symbol, mean: Mean | None) -> Expr:
    """``E ∏ Σ_i φ(i)`` for products of diagonal matrices, by space."""
    if not key:
        return S.One
    if mean is None:
        raise ValueError("diagonal matrices need the mean of a function of a coordinate")
    by_space: dict[Space, list[Expr]] = {}
    for number in key:
        factors = [alphabet.functions[k] for k in alphabet.products[-1 - number]]
        by_space.setdefault(factors[0].space, []).append(sp.Mul(*(f.expr for f in factors)))
    return sp.Mul(*(expected_sums(found, space.ratio * n, mean) for space, found in by_space.items()))


def expected_trace(polynomial: Polynomial, n: Symbol, *, mean: Callable[[Expr], Expr] | None = None) -> Expr:
    """``E Tr(P)`` of a square polynomial in random matrices."""
    if polynomial.rows != polynomial.columns:
        raise ValueError("only a square matrix has a trace")
    parts = [
        c * (expected_traces([w], n, mean=mean) if w else polynomial.rows.ratio * n) for c, w in polynomial.terms
    ]
    return sp.expand(sp.Add(S.Zero, *parts))
