"""Polynomials in a few Gaussian matrices and diagonals, for tests."""

from __future__ import annotations

from collections.abc import Sequence

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.functions import step
from tpsym.matrices import Diagonal, Factor, Gaussian, Polynomial, Space, Word, polynomial

SQUARE = Space("n", S.One)
RATIO = Symbol("lambda", positive=True)
X, Y, Z = (Factor(Gaussian(name, SQUARE, SQUARE, S.One, "symmetric")) for name in "XYZ")
W, V = (Factor(Gaussian(name, SQUARE, SQUARE, S.One)) for name in "WV")
WT, VT = Factor(W.matrix, True), Factor(V.matrix, True)
TALL = Factor(Gaussian("Y", SQUARE, Space("m", 1 / RATIO), RATIO))
H = tuple(Symbol(f"$h{i}", real=True) for i in range(5))


def of(*terms: tuple[object, Word]) -> Polynomial:
    """``Σ c · word``."""
    return polynomial([(sp.S(c), tuple(w)) for c, w in terms], SQUARE, SQUARE)


def products(count: int) -> Polynomial:
    """``JᵀJ`` for a product J of independent square matrices."""
    letters = [Gaussian(f"G{i}", SQUARE, SQUARE, S.One) for i in range(count)]
    return of((1, tuple([Factor(g, True) for g in letters] + [Factor(g) for g in reversed(letters)])))


def jacobian(diagonals: Sequence[Expr]) -> Polynomial:
    """``JᵀJ`` for ``J = D_L W_L … D_1 W_1``."""
    word: list[object] = []
    for i, expr in reversed(list(enumerate(diagonals))):
        word += [Diagonal(SQUARE, expr), Factor(Gaussian(f"G{i}", SQUARE, SQUARE, S.One))]
    back = [x if isinstance(x, Diagonal) else Factor(x.matrix, True) for x in reversed(word)]  # type: ignore[attr-defined]
    return of((1, tuple(back + word)))  # type: ignore[arg-type]


def independent(expr: Expr) -> Expr:
    """The mean over independent standard Gaussian coordinates ``H`` of polynomials in them and in their steps."""
    total = S.Zero
    for term in sp.Add.make_args(sp.expand(expr)):
        value = S.One
        for factor in sp.Mul.make_args(term):
            base, power = factor.as_base_exp()
            if isinstance(base, step):
                value *= sp.Rational(1, 2)
            elif base in H:
                value *= 0 if power % 2 else sp.factorial2(power - 1)
            else:
                value *= factor
        total += value
    return total
