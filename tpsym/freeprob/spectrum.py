"""The limiting law of the eigenvalues of a self-adjoint polynomial, from its moments to its density."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import sympy as sp
from sympy import Expr, Rational, S, Symbol

from tpsym.freeprob import transforms
from tpsym.freeprob.atoms import mass
from tpsym.freeprob.cells import Cells, Range, decompose, mass_by_cells
from tpsym.freeprob.covariance import Mean, constant_mean
from tpsym.freeprob.curve import Curve, CurveError
from tpsym.freeprob.density import density, density_by_cells
from tpsym.freeprob.edges import Structure, structure
from tpsym.freeprob.equation import inner_curve, transported
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.law import Law, law
from tpsym.freeprob.moments import Moments
from tpsym.freeprob.normalise import Affine
from tpsym.freeprob.point_density import at_point, density_at
from tpsym.freeprob.stand_ins import (
    StandIns,
    irrational_numbers,
    is_polynomial,
    near_rational,
    one_weight,
    range_of,
    rational_near,
    stand_ins,
)
from tpsym.matrices import Polynomial

T = TypeVar("T")
Cases = list[tuple[Any, T]]
"""Values with conditions on the one parameter; a single one with ``true`` where there is nothing to tell apart."""


@dataclass(frozen=True)
class Spectrum:
    r"""The law whose moments are :math:`\lim (1/n) tr A^k`.

    Everything that is asked for is computed then; each method raises :class:`Unavailable` where it is not known.
    ``A = scale · A' + shift`` throughout, so that scales and shifts need no cells of their own.
    """

    moments: Moments = field(compare=False)

    def moment(self, k: int) -> Expr:
        """``lim (1/n) tr A^k``."""
        return self.moments(k)[k]

    def free_cumulant(self, k: int) -> Expr:
        """κ_k, for k ≥ 1."""
        return self._cumulants(k)[k - 1]

    def _cumulants(self, k: int) -> tuple[Expr, ...]:
        found = transforms.free_cumulants(self.moments.inner(k))
        scale, shift = self.moments.affine.scale, self.moments.affine.shift
        return tuple(sp.expand(scale**i * c + (shift if i == 1 else 0)) for i, c in enumerate(found, start=1))

    @cached_property
    def _found(self) -> Curve | Unavailable:
        """The equation of the normalised polynomial A', or why there is none: both take long to find."""
        try:
            return inner_curve(self.moments)
        except Unavailable as reason:
            return reason

    @property
    def inner(self) -> Curve:
        """The equation of the normalised polynomial A'."""
        if isinstance(self._found, Unavailable):
            raise self._found
        return self._found

    @cached_property
    def curve(self) -> Curve:
        """The algebraic equation of G(z) = lim tr (z − A)^{-1}."""
        affine = self.moments.affine
        return transported(self.inner, affine.scale, affine.shift, self.moments)

    def r_transform(self, w: Expr) -> Expr:
        """R(w) = Σ κ_{k+1} w^k in closed form."""
        return transforms.r_transform(self.curve, self._cumulants, w)

    def s_transform(self, w: Expr) -> Expr:
        """Voiculescu's S-transform in closed form."""
        return transforms.s_transform(self.curve, self.moments, w)

    # --- from the equation -----------------------------------------------------------------------------

    @cached_property
    def _settled(self) -> tuple[Curve, StandIns, Range | None]:
        """The equation with rational coefficients in at most one parameter, which may stand for something else."""
        if is_polynomial(self.inner) and len(self.inner.parameters) <= 1:
            return self.inner, StandIns({}, {}), None
        weight = one_weight(self.moments.affine.inner)
        if weight is not None:
            curve = inner_curve(self.moments.replaced(weight.named))
            if len(curve.parameters) == 1 and is_polynomial(curve):
                return curve, weight, next(map(range_of, weight.values.values()))
        curve, names = self._named
        if len(curve.parameters) > 1 or not is_polynomial(curve):
            raise Unavailable("the equation has several irrational numbers or parameters; give them rational values")
        return curve, names, next((range_of(names.values[s]) for s in curve.parameters if s in names.values), None)

    @cached_property
    def _named(self) -> tuple[Curve, StandIns]:
        """The equation with symbols in place of what is no polynomial in parameters."""
        names = stand_ins(self.inner, self.moments.numbers)
        return inner_curve(self.moments.replaced(names.named)), names

    def _cases(self, whole: Callable[[Curve], T], by_cells: Callable[[Curve, Range | None], Cases[T]]) -> Cases[T]:
        with decided():
            curve, names, within = self._settled
            if not curve.parameters:
                return [(sp.true, whole(curve))]
            found = by_cells(curve, within)
            if len(found) > 1 and irrational_numbers(self.inner):
                raise Unavailable("which case the irrational coefficient belongs to could not be told")
            return [(names.read(condition), names.read(value)) for condition, value in found]

    @cached_property
    def _structure(self) -> Structure:
        return structure(self._settled[0])

    @cached_property
    def _cells(self) -> Cells:
        curve, _, within = self._settled
        return decompose(curve, within=within)

    def support(self) -> Cases[tuple[Expr, ...]]:
        """The endpoints, increasing, of the intervals with a density; atoms outside are not among them."""
        found: Cases[Any] = self._cases(
            lambda _: tuple((a.expr, b.expr) for a, b in self._structure.support),
            lambda *_: self._cells.support(),
        )
        return [(c, tuple(self._moved(e) for pair in ends for e in pair)) for c, ends in found]

    def edge_exponents(self) -> Cases[tuple[Rational, ...]]:
        """e by endpoint of ``support``: the density is about c |t − a|^e beside it."""
        found: Cases[Any] = self._cases(
            lambda _: [(e.expr, e.left, e.right) for e in self._structure.edges],
            lambda *_: self._cells.edges(),
        )
        return [(c, tuple(_rational(side) for side in outer(edges))) for c, edges in found]

    def atom(self, t: Expr) -> Cases[Expr]:
        """The mass at t."""
        scale, shift = self.moments.affine.scale, self.moments.affine.shift
        with decided():
            curve, names, _ = self._settled
        place = sp.cancel((t - shift) / scale).xreplace(dict(names.named))
        if place.free_symbols - set(curve.parameters):
            return [(c, _mass_at(t, atoms)) for c, atoms in self.atoms()]
        found: Cases[Expr] = self._cases(
            lambda curve: mass(curve, place), lambda curve, within: mass_by_cells(curve, place, within=within)
        )
        return found

    def atoms(self) -> Cases[tuple[tuple[Expr, Expr], ...]]:
        """All atoms, as pairs of a point and its mass."""
        found: Cases[Any] = self._cases(
            lambda curve: tuple((p.expr, mass(curve, p.expr)) for p in self._structure.atoms),
            lambda *_: self._cells.atoms(),
        )
        return [(c, tuple((self._moved(t), m) for t, m in pairs)) for c, pairs in found]

    def density(self, t: Expr) -> Expr:
        """The density of the continuous part at t, zero outside of its support.

        In closed form, or at a rational t as an algebraic number over π.
        """
        scale, shift = self.moments.affine.scale, self.moments.affine.shift
        place = (t - shift) / scale
        try:
            return self._density_in(t)
        except Unavailable:
            if not place.is_Rational or self.inner.parameters or not is_polynomial(self.inner):
                raise
        with decided():
            return density_at(self.inner, place) / scale

    def _density_in(self, t: Expr) -> Expr:
        scale, shift = self.moments.affine.scale, self.moments.affine.shift
        mark = sp.Dummy("t", real=True)  # a parameter may be called t
        found: Cases[Any] = self._cases(
            lambda curve: density(curve, mark), lambda curve, within: density_by_cells(curve, mark, within=within)
        )
        value = found[0][1] if len(found) == 1 else sp.Piecewise(*((v, c) for c, v in found))
        return at_point(moved_density(value, mark, scale, shift), mark, t)

    def law(self, values: Mapping[Symbol, Rational] | None = None) -> Law:
        """The law at values of the parameters, with ``pdf``, ``cdf``, ``ppf``, ``rvs`` in double precision."""
        with decided():
            given = dict(values or {})
            if is_polynomial(self.curve):
                return law(self.curve.at(given))
            curve, names = (self.inner, StandIns({}, {})) if is_polynomial(self.inner) else self._named
            affine = self.moments.affine
            scale, shift = (near_rational(x.xreplace(given)) for x in (affine.scale, affine.shift))
            at = given | {name: rational_near(x.xreplace(given)) for name, x in names.values.items()}
            moved = Affine(affine.inner, scale, shift).moved(curve.at(at).moments)
            return law(transported(curve.at(at), scale, shift, moved))

    def _moved(self, t: Expr) -> Expr:
        affine = self.moments.affine
        moved = t if affine.scale == 1 and affine.shift == 0 else sp.expand(affine.scale * t + affine.shift)
        return as_square(moved)


@contextmanager
def decided() -> Iterator[None]:
    """Turns an equation that contradicts its moments into :class:`Unavailable`."""
    try:
        yield
    except CurveError as error:
        raise Unavailable(str(error)) from None


def moved_density(value: Expr, mark: Symbol, scale: Expr, shift: Expr) -> Expr:
    """The density of ``scale · A' + shift``, its conditions written in the new variable."""
    if isinstance(value, sp.Piecewise):
        pieces = []
        for inner, condition in value.args:
            relations = condition.atoms(sp.core.relational.Relational)
            moved = condition.xreplace({r: _solved(r, mark, scale, shift) for r in relations})
            pieces.append((moved_density(inner, mark, scale, shift), moved))
        return sp.Piecewise(*pieces)
    inner = value.xreplace({mark: (mark - shift) / scale})
    moved = inner.replace(_is_root, lambda root: _monic(_cleared(root), mark)) / scale
    roots = [f for f in sp.Mul.make_args(moved) if _is_root(f) and f.has(mark)]
    return sp.Mul(*roots) * sp.cancel(moved / sp.Mul(*roots)) if roots else moved


def as_square(expr: Expr) -> Expr:
    """``1 − 2√λ + λ`` as ``(1 − √λ)²``, where that is shorter."""
    roots = {s: sp.Dummy(positive=True) for s in expr.free_symbols if s.is_positive}
    inner = sp.factor(expr.xreplace({s: y**2 for s, y in roots.items()}))
    found: Expr = inner.xreplace({y: sp.sqrt(s) for s, y in roots.items()})
    return found if sp.count_ops(found) < sp.count_ops(expr) else expr


def _is_root(expr: Expr) -> bool:
    return bool(expr.is_Pow and expr.exp == S.Half)


def _monic(root: Expr, mark: Symbol) -> Expr:
    """``sqrt((2b − 2t)(t − a))`` as ``sqrt(2) sqrt((b − t)(t − a))``."""
    outside: Expr = S.One
    inside: list[Expr] = []
    for factor in sp.Mul.make_args(root):
        if not _is_root(factor):
            outside *= factor
            continue
        for part in sp.Mul.make_args(factor.base):
            if not (part.is_polynomial(mark) and sp.degree(part, mark) == 1):
                inside.append(part)
                continue
            slope = sp.Poly(part, mark).LC()
            zero = as_square(sp.expand(-part.xreplace({mark: S.Zero}) / slope))
            rises = slope.is_positive or not slope.could_extract_minus_sign()
            inside.append(mark - zero if rises else zero - mark)
            outside *= sp.sqrt(slope if rises else -slope)
    return outside * sp.sqrt(sp.Mul(*inside))


def _cleared(root: Expr) -> Expr:
    """``sqrt(a/c · b/c)`` as ``sqrt(a b)/c`` for positive denominators."""
    parts = [sp.fraction(sp.together(f)) for f in sp.Mul.make_args(root.base)]
    top, bottom = sp.Mul(*(a for a, _ in parts)), sp.Mul(*(b for _, b in parts))
    return sp.sqrt(top) / sp.sqrt(bottom) if bottom.is_positive else root


def _solved(relation: Any, mark: Symbol, scale: Expr, shift: Expr) -> Any:
    """``a < t`` in terms of ``scale · t + shift``."""
    if not relation.has(mark):
        return relation
    left, right = (mark if side == mark else as_square(sp.expand(scale * side + shift)) for side in relation.args)
    return relation.func(left, right)


def _mass_at(t: Expr, atoms: Iterable[tuple[Expr, Expr]]) -> Expr:
    """The mass at a point given by parameters that the atoms do not all depend on."""
    for place, weight in atoms:
        gap = sp.cancel(sp.expand(t - place))
        if gap == 0:
            return weight
        if not gap.is_nonzero:
            raise Unavailable(f"whether {t} is the atom {place} depends on the parameters")
    return S.Zero


def outer(edges: Iterable[tuple[Any, Any, Any]]) -> list[Any]:
    """The exponents at the ends of the support, in order: those of edges with a density on one side only."""
    found = []
    for _, left, right in edges:
        if (left is None) != (right is None):
            found.append(right if left is None else left)
    return found


def _rational(value: Any) -> Rational:
    return sp.Rational(value.numerator, value.denominator)


def spectrum(polynomial: Polynomial, *, mean: Mean = constant_mean) -> Spectrum:
    """The law of a self-adjoint square polynomial; ``mean`` averages functions of the coordinates of diagonals.

    Raises:
        Unavailable: the polynomial is not square or not self-adjoint.
    """
    if polynomial.rows != polynomial.columns:
        raise Unavailable("a spectrum needs a square matrix")
    adjoint = {w: c for c, w in polynomial.adjoint.terms}
    if any(sp.expand(c - adjoint.get(w, S.Zero)) != 0 for c, w in polynomial.terms):
        raise Unavailable("a spectrum needs a matrix that is equal to its transpose")
    return Spectrum(Moments(polynomial, mean))
