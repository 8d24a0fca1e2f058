"""The algebraic equation of a Cauchy transform, with the moments that say which of its roots is meant."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import lcm, prod
from typing import Any

from flint import Ordering, fmpq, fmpq_mpoly_ctx, fmpq_poly, fmpz_mpoly, fmpz_mpoly_ctx, fmpz_poly
from sympy import Expr, Integer, Poly, Rational, Symbol, factor_list

from tpsym.freeprob.failures import Unavailable

MOST_MOMENTS = 256
LARGEST = 6000
"""Degree of the discriminant in z times that in a parameter, up to which a law is told by cases of the parameter."""


class CurveError(ValueError):
    """The equation and the moments do not belong together, or no compact law satisfies them."""


class NotDecided(Unavailable):
    """A question about the law that has no answer here; ``reason`` says what would help."""


@dataclass(frozen=True, slots=True)
class Curve:
    r"""``polynomial`` Q with Q(G(z), z) = 0 for :math:`G(z) = \lim tr (z - A)^{-1}`.

    Q is a primitive, irreducible integer polynomial in g, z and parameters. ``moments(k)`` are m_0 = 1, …, m_k, exact;
    G(z) = Σ m_k z^{-k-1} near infinity is the one root of Q that is meant.
    """

    polynomial: Expr
    g: Symbol
    z: Symbol
    moments: Callable[[int], tuple[Expr, ...]] = field(compare=False)
    certified: bool
    method: str

    @property
    def parameters(self) -> tuple[Symbol, ...]:
        free = self.polynomial.free_symbols - {self.g, self.z}
        return tuple(sorted(free, key=lambda s: s.name))

    def at(self, values: Mapping[Symbol, Rational]) -> Curve:
        """The equation at rational values of parameters.

        Where it falls apart there, the factor that the moments satisfy; raises ``CurveError`` if none does.
        """

        def moments(k: int) -> tuple[Expr, ...]:
            return tuple(m.xreplace(dict(values)) for m in self.moments(k))

        generators = (self.g, self.z, *(s for s in self.parameters if s not in values))
        polynomial = self.polynomial.xreplace(dict(values)).expand()
        factors = [f for f, _ in factor_list(polynomial, *generators)[1] if f.has(self.g)]
        if len(factors) != 1:
            factors = [satisfied(factors, self.g, self.z, moments)]
        _, primitive = Poly(factors[0], *generators).clear_denoms(convert=True)[1].primitive()
        return Curve(primitive.as_expr(), self.g, self.z, moments, self.certified, self.method)


def rows_of(polynomial: Expr, g: Symbol, z: Symbol) -> tuple[fmpz_poly, ...]:
    """Coefficients of g^0, g^1, …, each a polynomial in z; raises ``NotDecided`` if there are parameters left."""
    parameters = polynomial.free_symbols - {g, z}
    if parameters:
        names = ", ".join(sorted(s.name for s in parameters))
        raise NotDecided(f"numbers need a value for {names}")
    _, poly = Poly(polynomial, g, z).clear_denoms(convert=True)
    if not poly.domain.is_ZZ:
        raise NotDecided("the equation has irrational coefficients, for which nothing is decided here")
    table: dict[int, dict[int, int]] = {}
    for (i, j), coefficient in poly.terms():
        table.setdefault(int(i), {})[int(j)] = int(coefficient)
    if not table or max(table) == 0:
        raise CurveError("the equation does not contain G")
    return tuple(dense(table.get(i, {})) for i in range(max(table) + 1))


def dense(terms: Mapping[int, int]) -> fmpz_poly:
    return fmpz_poly([terms.get(j, 0) for j in range(max(terms, default=-1) + 1)])


def rational_moments(moments: Callable[[int], tuple[Expr, ...]], k: int) -> list[fmpq]:
    values = [Rational(m) for m in moments(k)]
    return [fmpq(int(v.p), int(v.q)) for v in values]


def residual_is_zero(rows: Sequence[fmpz_poly], moments: Sequence[fmpq]) -> bool:
    """Whether Σ rows_i(1/w) (Σ m_k w^{k+1})^i vanishes as far as these moments determine it."""
    length = len(moments)
    degree = max(row.degree() for row in rows)
    series, power, total = fmpq_poly([0, *moments]), fmpq_poly([1]), fmpq_poly([])
    for row in rows:
        reversed_row = fmpq_poly([row[j] for j in range(degree, -1, -1)])
        total += reversed_row * power
        power = fmpq_poly((power * series).coeffs()[: length + 1])
    return all(c == 0 for c in total.coeffs()[: length + 1])


def satisfied(factors: Sequence[Expr], g: Symbol, z: Symbol, moments: Callable[[int], tuple[Expr, ...]]) -> Expr:
    """The one factor that the moment series satisfies; with parameters left it is found at a sample of them."""
    rest = sorted(set().union(*(f.free_symbols for f in factors)) - {g, z}, key=lambda s: s.name)
    sample = {s: Rational(7919 + 100 * i, 1009) for i, s in enumerate(rest)}
    candidates = [(f, rows_of(f.xreplace(sample), g, z)) for f in factors]
    k = 16
    while candidates and k <= MOST_MOMENTS:
        known = rational_moments(lambda n: tuple(m.xreplace(sample) for m in moments(n)), k)
        candidates = [(f, rows) for f, rows in candidates if residual_is_zero(rows, known)]
        if len(candidates) == 1:
            return candidates[0][0]
        k *= 2
    raise CurveError("no one factor of the equation is satisfied by the moments")


def to_flint(polynomial: Expr, generators: Sequence[Symbol]) -> fmpz_mpoly:
    """An integer polynomial in these symbols; denominators are cleared."""
    _, poly = Poly(polynomial, *generators).clear_denoms(convert=True)
    context: Any = fmpz_mpoly_ctx.get(tuple(f"x{i}" for i in range(len(generators))), Ordering.lex)
    return context.from_dict({tuple(map(int, m)): int(c) for m, c in poly.terms()})


def from_flint(polynomial: fmpz_mpoly, generators: Sequence[Symbol]) -> Expr:
    terms = {tuple(map(int, m)): Integer(int(c)) for m, c in polynomial.to_dict().items()}
    return Poly.from_dict(terms or {(0,) * len(generators): Integer(0)}, *generators).as_expr()


def integer_factors(polynomial: fmpz_mpoly) -> list[fmpz_mpoly]:
    """The irreducible factors, primitive.

    Over the rational numbers: ``fmpz_mpoly.factor`` of python-flint 0.9 fails to sort factors with coefficients beyond
    64 bits.
    """
    context: Any = polynomial.context()
    rational: Any = fmpq_mpoly_ctx.get(context.names(), Ordering.lex)
    found = []
    for factor, _ in rational.from_dict(polynomial.to_dict()).factor()[1]:
        terms = factor.to_dict()
        common = lcm(*(int(c.q) for c in terms.values()))
        whole = context.from_dict({m: int(c * common) for m, c in terms.items()})
        found.append(whole.primitive()[1])
    return found


def singular_factors(polynomial: Expr, g: Symbol, others: Sequence[Symbol]) -> tuple[fmpz_mpoly, ...]:
    """The irreducible factors of discriminant × leading coefficient in g, polynomials in ``others`` (z first).

    At other points z the roots in g are finite and distinct, so that G is analytic there on every sheet.

    Raises:
        CurveError: the equation has a square factor.
        NotDecided: there is a parameter, and the discriminant is too large to be worked with.
    """
    poly = to_flint(polynomial, (g, *others))
    degree, *rest = map(int, poly.degrees())
    leading = leading_in_first(poly, degree)
    if len(others) == 1:
        discriminant = _discriminant(poly, degree, rest[0])
    else:
        if (2 * degree - 2) ** 2 * prod(max(r, 1) for r in rest) > LARGEST:
            raise NotDecided(f"the equation has degree {degree} in G, too large to be looked at with a parameter or an "
                             "irrational number in it: give them rational values")
        discriminant = poly.discriminant(0) if degree > 1 else poly.context().constant(1)
    if discriminant == 0:
        raise CurveError("the equation has a square factor")
    found: dict[str, fmpz_mpoly] = {}
    for part in (discriminant, leading):
        for factor in integer_factors(part):
            found.setdefault(str(factor), factor)
    return tuple(found.values())


def _discriminant(poly: fmpz_mpoly, degree: int, width: int) -> fmpz_mpoly:
    """The discriminant in the first of two variables, of ``degree`` there and ``width`` in the other.

    By its values at whole numbers and Newton's interpolation: far quicker than ``fmpz_mpoly.discriminant`` where
    coefficients have hundreds of digits.
    """
    context: Any = poly.context()
    rows: list[dict[int, int]] = [{} for _ in range(degree + 1)]
    for (i, j), c in poly.to_dict().items():
        rows[int(i)][int(j)] = int(c)
    columns = [dense(row) for row in rows]
    points: list[int] = []
    values: list[fmpq] = []
    k = 0
    while len(points) <= (2 * degree - 2) * width:
        at = fmpz_poly([row(k) for row in columns])
        if at.degree() == degree:
            points.append(k)
            values.append(fmpq(at.discriminant()))
        k = -k if k > 0 else 1 - k
    found = _interpolated(points, values)
    return context.from_dict({(0, j): int(c.p) for j, c in enumerate(found.coeffs()) if c != 0})


def _interpolated(points: Sequence[int], values: Sequence[fmpq]) -> fmpq_poly:
    """The polynomial of least degree with these values, by divided differences."""
    slopes = list(values)
    for j in range(1, len(points)):
        for i in range(len(points) - 1, j - 1, -1):
            slopes[i] = (slopes[i] - slopes[i - 1]) / (points[i] - points[i - j])
    found = fmpq_poly([])
    for point, slope in zip(reversed(points), reversed(slopes), strict=True):
        found = found * fmpq_poly([-point, 1]) + fmpq_poly([slope])
    return found


def singular_expressions(polynomial: Expr, g: Symbol, others: Sequence[Symbol]) -> list[Expr]:
    return [from_flint(f, (g, *others)) for f in singular_factors(polynomial, g, others)]


def leading_in_first(poly: fmpz_mpoly, degree: int) -> fmpz_mpoly:
    terms = {(0, *m[1:]): c for m, c in poly.to_dict().items() if m[0] == degree}
    return poly.context().from_dict(terms)
