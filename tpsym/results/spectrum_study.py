"""The spectrum of a matrix of a program as an object: ``program.spectrum("W @ W.T")``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from sympy import Expr, Symbol

from tpsym.errors import NOWHERE, TpError, fail
from tpsym.freeprob.failures import Unavailable
from tpsym.freeprob.spectrum import Spectrum
from tpsym.gauss.numeric import value as ball_value
from tpsym.matrices import Polynomial
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.settings import evaluated
from tpsym.program.values import Operator, Scalar, describe
from tpsym.results.answers import needed
from tpsym.results.kernels import Values, exact_values
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.results.setting_texts import parse_settings
from tpsym.results.spectra import Cases, by_condition, engine, law_of
from tpsym.results.spectral_matrix import limiting
from tpsym.results.spectral_moments import finite_moment
from tpsym.results.spectrum_numbers import Atom, NumericLaw, numeric_law
from tpsym.results.spectrum_values import at_values, known_values, no_value, stand_ins
from tpsym.simulate.matrices import eigenvalues, parameters_read, sample_matrix
from tpsym.syntax.parse import parse_expression

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Real = NDArray[np.float64]
Draw = Callable[[Any], "Figure"]
Point: TypeAlias = Expr | Fraction | int | float | str
"""A number or an expression; a float stands for the decimal it prints as, text is of the language."""

WIDTH = 1000
DIGITS = 20
T, W = Symbol("t", real=True), Symbol("w", real=True)


@dataclass(frozen=True, slots=True)
class Edge:
    """An end of the support, under the ``condition`` that there are so many.

    The density is about c·|x - position|^exponent beside it.
    """

    position: Expr
    exponent: Expr
    condition: Any


@dataclass(frozen=True, repr=False)
class SpectrumStudy:
    """The limiting law of the eigenvalues of a symmetric matrix; everything is worked out when it is asked for.

    What is exact is in terms of the parameters, but for those given ``values`` by :meth:`at`. What is numeric (``pdf``
    to ``plot``) has the other parameters at their settings or defaults. Eigenvalues are those of the matrix as it is
    written, never rescaled.

    Raises:
        TpError: ``no-limit`` where the law or what is asked of it is not known, with the reason; ``no-value`` where a
            number needs a parameter that has none.
    """

    text: str
    values: Mapping[str, Expr]
    _model: Model = field(repr=False, compare=False)
    _side: LimitQuestions = field(repr=False, compare=False)
    _operator: Operator = field(compare=False)
    _polynomial: Polynomial = field(compare=False)
    _draw: Draw | None = field(default=None, compare=False)

    def at(self, values: Values | None = None, /, **named: Any) -> SpectrumStudy:
        """The spectrum at values of parameters, put in exactly: ``.at({"lambda": "1/2"})`` or ``.at(rho=2)``.

        Raises:
            TpError: a value is no number, or the file has no such parameter.
        """
        given = {**(values or {}), **named}
        texts = parse_settings(f"{name}={value}" for name, value in given.items() if isinstance(value, str))
        exact = exact_values(self._model, given | evaluated(texts))
        return replace(self, values={**self.values, **exact})

    # --- exact ---------------------------------------------------------------------------------------------

    @cached_property
    def law(self) -> Spectrum:
        """The law as :mod:`tpsym.freeprob` has it."""
        with _told():
            return self._law(self._swap)

    def moment(self, k: int) -> Expr:
        """``lim (1/n) tr A^k``."""
        with _told():
            return self.law.moment(_order(k, 0))

    def free_cumulant(self, k: int) -> Expr:
        """The free cumulant κ_k, k ≥ 1."""
        with _told():
            return self.law.free_cumulant(_order(k, 1))

    def finite_n(self, k: int) -> Expr:
        """``E (1/n) tr A^k`` at every n, exactly."""
        with _told():
            return finite_moment(self._side, self._polynomial, _order(k, 0), NOWHERE).xreplace(self._swap)

    @property
    def equation(self) -> sp.Eq:
        """The algebraic equation ``P(G, z) = 0`` of ``G(z) = lim tr (z - A)^{-1}``; see :attr:`certified`."""
        with _told():
            return sp.Eq(self.law.curve.polynomial, 0, evaluate=False)

    @property
    def certified(self) -> bool:
        """Whether the equation is proved. Where it is a guess from moments, so is all that rests on it."""
        with _told():
            return self.law.curve.certified

    @property
    def support(self) -> sp.Basic:
        """The closed intervals that carry the density, as a set of sympy, by cases where parameters decide.

        Atoms outside of them do not belong to it.
        """
        with _told():
            pairs = [(_intervals(ends), condition) for condition, ends in self.law.support()]
        return pairs[0][0] if len(pairs) == 1 else sp.Piecewise(*pairs)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The ends of the intervals of the support, increasing, with their exponents."""
        with _told():
            ends, exponents = self.law.support(), self.law.edge_exponents()
        count = max((len(values) for _, values in ends), default=0)
        return tuple(
            Edge(_member(ends, k), _member(exponents, k), sp.Or(*(c for c, values in ends if len(values) > k)))
            for k in range(count)
        )

    def atom(self, t: Point) -> Expr:
        """The mass at a point, by cases where parameters decide."""
        with _told():
            return by_condition(self.law.atom(self._point(t)))

    def density(self, t: Point = T) -> Expr:
        """The density of the continuous part at t in closed form."""
        with _told():
            return self.law.density(self._point(t))

    def r_transform(self, w: Point = W) -> Expr:
        """R(w) = Σ κ_{k+1} w^k in closed form."""
        with _told():
            return self.law.r_transform(self._point(w))

    def s_transform(self, w: Point = W) -> Expr:
        """Voiculescu's S-transform in closed form."""
        with _told():
            return self.law.s_transform(self._point(w))

    # --- numeric -------------------------------------------------------------------------------------------

    @cached_property
    def numbers(self) -> NumericLaw:
        """The law in double precision."""
        with _told():
            law = self._law(self._known)
            missing = law.curve.polynomial.free_symbols - {law.curve.g, law.curve.z}
            if missing:
                raise no_value(missing)
            return numeric_law(law)

    def pdf(self, x: ArrayLike) -> Real:
        """The density of the continuous part; infinite at edges where it diverges."""
        return self.numbers.pdf(x)

    def cdf(self, x: ArrayLike) -> Real:
        """The mass of (-∞, x]."""
        return self.numbers.cdf(x)

    def ppf(self, q: ArrayLike) -> Real:
        """The least x with cdf(x) ≥ q."""
        return self.numbers.ppf(q)

    def rvs(
        self, size: int | tuple[int, ...] | None = None, *, random_state: int | np.random.Generator | None = None
    ) -> Real:
        """Independent draws of the limiting law; :meth:`sample` has eigenvalues of one matrix."""
        return self.numbers.rvs(size, random_state=random_state)

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The point masses, increasing."""
        return self.numbers.atoms

    @property
    def mean(self) -> float:
        return self._numeric(self.moment(1))

    @property
    def var(self) -> float:
        return self._numeric(self.moment(2) - self.moment(1) ** 2)

    @property
    def std(self) -> float:
        return sqrt(self.var)

    def sample(self, n: int = WIDTH, seed: int = 0) -> Real:
        """The eigenvalues, increasing, of the matrix in one random draw of the program at width n.

        Sizes and inner products of data that are left open are those of orthonormal data of size one.
        """
        with _told():
            values = {s: float(e) for s, e in self.drawn_at.items()}
            program, context = self._side.context.builder.program(), self._side.context
            return eigenvalues(sample_matrix(program, self._operator, context.nodes, n=_width(n), seed=seed,
                                             values=values))

    @cached_property
    def drawn_at(self) -> Mapping[Symbol, Expr]:
        """The values that a matrix is drawn with."""
        context = self._side.context
        needed = parameters_read(context.builder.program(), self._operator, context.nodes)
        known = {s: e for s, e in self._known.items() if s in needed}
        instead = stand_ins(self._model, needed - known.keys())
        missing = needed - known.keys() - instead.keys()
        if missing:
            raise no_value(missing)
        return dict(sorted((known | instead).items(), key=lambda pair: pair[0].name))

    @property
    def depends_on(self) -> set[Symbol]:
        """Parameters that the matrix depends on, its law or what it is computed from."""
        context = self._side.context
        return parameters_read(context.builder.program(), self._operator, context.nodes, every_width=False)

    def plot(self, n: int = WIDTH, seed: int = 0, *, bins: int | None = None) -> Figure:
        """The eigenvalues of a sampled matrix as a histogram with the density over it, as a matplotlib figure."""
        from tpsym.results.spectrum_plots import spectrum_plot

        if self._draw is None:
            raise fail("no-figure", "nothing draws this", fix="ask program.spectrum(…) for it")
        return self._draw(spectrum_plot(self, n=n, seed=seed, bins=bins))

    # --- inside --------------------------------------------------------------------------------------------

    def _law(self, values: Mapping[Symbol, Expr]) -> Spectrum:
        if not values:
            return law_of(self._side, self._polynomial, NOWHERE)
        limit, mean = limiting(self._side, self._polynomial, NOWHERE)
        return engine(at_values(limit, values), lambda expr: mean(expr).xreplace(dict(values)))

    @property
    def _swap(self) -> dict[Symbol, Expr]:
        known = known_values(self._model, self.values)
        return {s: e for s, e in known.items() if s.name in self.values}

    @property
    def _known(self) -> dict[Symbol, Expr]:
        return known_values(self._model, self.values)

    def _numeric(self, expr: Expr) -> float:
        """An expression in moments as a number; means without closed form are integrated."""
        known = self._known
        found = expr.xreplace(known)
        written = {s: e.xreplace(known) for s, e in needed(found, self._side.limit.definitions)}
        missing = set().union(found.free_symbols, *(e.free_symbols for e in written.values())) - written.keys()
        if missing:
            raise no_value(missing)
        return float(ball_value(found, {}, digits=DIGITS, definitions=written)[0].value)

    def _point(self, t: Point) -> Expr:
        if isinstance(t, Expr):
            return t
        if isinstance(t, str):
            return _expression(self._model, t)
        try:
            return sp.Rational(str(t))
        except (TypeError, ValueError):
            raise fail("number-expected", f"{t!r} is no number") from None

    def __repr__(self) -> str:
        at = ", ".join(f"{name} = {value}" for name, value in self.values.items())
        return f"<spectrum of {self.text}{' at ' + at if at else ''}>"


class _told:
    """Turns what is not known into errors with the reason."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NoLimit | Unavailable):
            raise fail("no-limit", error.reason) from None


def _expression(model: Model, text: str) -> Expr:
    node = parse_expression(text)
    try:
        found = evaluate(model.context, node, model.context.scope)
    except TpError as error:
        raise error.located(source=text, filename="<point>") from None
    if not isinstance(found, Scalar):
        raise fail("number-expected", f"{text} is {describe(found)}, not a number")
    return found.expr


def _order(k: int, least: int) -> int:
    if not isinstance(k, int) or k < least:
        raise fail("bad-order", f"there is no moment or cumulant of order {k}", expected=f"a whole number ≥ {least}")
    return k


def _width(n: int) -> int:
    if not isinstance(n, int) or n < 1:
        raise fail("bad-size", f"there is no matrix of width {n}", expected="a whole number ≥ 1")
    return n


def _intervals(ends: tuple[Expr, ...]) -> sp.Set:
    pairs = zip(ends[::2], ends[1::2], strict=True)
    parts = [sp.Interval(low, high) for low, high in pairs]
    return parts[0] if len(parts) == 1 else sp.Union(*parts, evaluate=False)


def _member(found: Cases, k: int) -> Expr:
    return by_condition([(condition, values[k]) for condition, values in found if len(values) > k])


__all__ = ["Draw", "Edge", "SpectrumStudy"]
