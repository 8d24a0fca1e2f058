r"""What gradient descent on outputs with a fixed kernel has added up to, as matrices.

With F₀ the initial outputs at N training examples, :math:`f_t(x) = f_0(x) - k_x S_t (F_0, 1)^\top`: the response
:math:`S_t`, N by N + 1, acts on F₀ and on the number 1. It is linear where error signals are,
:math:`\chi_i = a_i f_i + b_i`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy as sp
from sympy import Dummy, Expr, ImmutableMatrix, Symbol

MOST_TERMS = 200
"""Terms of an entry of a response beyond which it is not written out."""
SHORT = 120
"""Operations up to which polynomials are multiplied out."""
LARGEST = 4
"""Examples up to which an inverse is written out."""
Vanishes = Callable[[Expr], bool]
"""Whether an eigenvalue is zero."""
Weight = Callable[[Expr], Expr]
"""A function of the kernel matrix, by what it does to an eigenvalue that is not zero."""


class NoClosedForm(ValueError):
    """What is asked for has no closed form here; the message says why."""


@dataclass(frozen=True, slots=True)
class Signals:
    """Error signals :math:`a_i f_i + b_i` by example."""

    slopes: tuple[Expr, ...]
    constants: tuple[Expr, ...]


def after(
    kernel: ImmutableMatrix, signals: Signals, batches: Sequence[Sequence[int]], momentum: Expr
) -> ImmutableMatrix:
    """The response after one step for each batch, as polynomials in everything it depends on.

    Raises:
        NoClosedForm: they have too many terms.
    """
    size = kernel.rows
    start = sp.Matrix.hstack(sp.eye(size), sp.zeros(size, 1))
    total, moving = sp.zeros(size, size + 1), sp.zeros(size, size + 1)
    slopes = sp.diag(*signals.slopes)
    for batch in batches:
        now = sp.Matrix(slopes * (start - kernel * total))
        now[:, size] += sp.Matrix(signals.constants)
        seen = sp.diag(*(sp.Rational(list(batch).count(i), len(batch)) for i in range(size)))
        moving = (momentum * moving + seen * now).applyfunc(sp.expand)
        total = (total + moving).applyfunc(sp.expand)
        if max(len(sp.Add.make_args(e)) for e in total) > MOST_TERMS:
            raise NoClosedForm(f"{len(batches)} steps with {size} examples have too many terms to be written out")
    return ImmutableMatrix(total)


def in_closed_form(
    kernel: ImmutableMatrix, signals: Signals, weight: Weight, at_zero: Expr, vanishes: Vanishes
) -> ImmutableMatrix:
    r"""The full-batch response :math:`\frac{a}{N}\,\varphi(\tfrac{a}{N} K)\,(1, b/a)` for a function φ of matrices.

    ``at_zero`` is φ(0).

    Raises:
        NoClosedForm: error signals have different slopes, or the eigenvalues are not known.
    """
    size = kernel.rows
    slope = signals.slopes[0]
    if any(sp.expand(other - slope) != 0 for other in signals.slopes):
        raise NoClosedForm("error signals have slopes that depend on the example")
    constants = sp.Matrix(signals.constants)
    if slope == 0:
        return ImmutableMatrix.hstack(sp.zeros(size, size), constants * at_zero / size)

    def at(eigenvalue: Expr) -> Expr:
        return at_zero if vanishes(eigenvalue) else weight(eigenvalue)

    inner = spectral(kernel * slope / size, at)
    return ImmutableMatrix.hstack(inner * slope / size, inner * constants / size)


def spectral(matrix: ImmutableMatrix, at: Weight) -> ImmutableMatrix:
    """A function of a symmetric matrix of one or two rows, or with equal diagonal and equal other entries.

    Raises:
        NoClosedForm: another matrix.
    """
    size = matrix.rows
    diagonal = [matrix[i, i] for i in range(size)]
    others = [matrix[i, j] for i in range(size) for j in range(i)]
    if all(e == 0 for e in others):
        return ImmutableMatrix(sp.diag(*map(at, diagonal)))
    if len(set(diagonal)) == 1 and len(set(others)) == 1:
        a, b = diagonal[0], others[0]
        together, apart = at(a + (size - 1) * b), at(a - b)
        ones = sp.ones(size, size)
        return ImmutableMatrix(apart * sp.eye(size) + (together - apart) / size * ones)
    if size > 2:
        raise NoClosedForm(f"the eigenvalues of the kernel at {size} examples have no closed form")
    (a, d), (b,) = diagonal, others
    root = sp.sqrt((a - d) ** 2 + 4 * b**2)
    high, low = (a + d + root) / 2, (a + d - root) / 2
    identity = sp.eye(2)
    parts = at(high) * (matrix - low * identity) - at(low) * (matrix - high * identity)
    return ImmutableMatrix(parts / root)


def steps_weight(steps: Expr) -> Weight:
    r"""φ(λ) = (1 − (1 − λ)^t)/λ: what t steps add up to."""
    return lambda eigenvalue: (1 - (1 - eigenvalue) ** steps) / eigenvalue


def flow_weight(time: Expr) -> Weight:
    r"""φ(λ) = (1 − e^{−λt})/λ."""
    return lambda eigenvalue: (1 - sp.exp(-eigenvalue * time)) / eigenvalue


def inverse_response(kernel: ImmutableMatrix, signals: Signals) -> ImmutableMatrix:
    """The response for ever, K⁻¹(1, b/a), of a kernel of any size known to be invertible."""
    if any(a == 0 for a in signals.slopes):
        raise NoClosedForm("error signals that do not depend on the output go on for ever")
    if kernel.rows > LARGEST and not all(e.is_Rational for e in kernel):
        raise NoClosedForm(f"the inverse of the kernel at {kernel.rows} examples is too long to be written out")
    targets = sp.Matrix([b / a for a, b in zip(signals.slopes, signals.constants, strict=True)])
    inverse = kernel.inv()
    return ImmutableMatrix.hstack(inverse, inverse * targets)


def tidy(expr: Expr) -> Expr:
    """Multiplied out where it is a polynomial that is not too long, else as it is."""
    return sp.expand(expr) if expr.count_ops() < SHORT and expr.is_polynomial() else expr


@dataclass(frozen=True)
class Letters:
    """Letters for long values, one for each: algebra does not look inside."""

    names: dict[Expr, Symbol]
    values: dict[Symbol, Expr]

    def of(self, value: Expr) -> Expr:
        """The letter of a value; numbers stay."""
        if value.is_Rational:
            return value
        if value not in self.names:
            letter = Dummy(f"k{len(self.names)}", real=True)
            self.names[value] = letter
            self.values[letter] = value
        return self.names[value]

    def back(self, expr: Expr) -> Expr:
        """What an expression in letters stands for."""
        found: Expr = expr.xreplace(self.values)
        return found
