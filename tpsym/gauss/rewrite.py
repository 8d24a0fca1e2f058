"""Integrands brought to sums of products of a few kinds of factor.

After rewriting, what depends on the variables is built by sums, products and whole powers from: the
variables, ``step``, ``delta``, ``Phi``, ``erf``, ``tanh``, ``softplus``, ``sin``, ``cos`` and unknown
functions of affine forms, ``exp`` of polynomials of degree ≤ 2, and factors nothing is known about.
A function of a piecewise expression is split on every step inside it:
f(arg) = s f(arg|s=1) + (1−s) f(arg|s=0).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from tpsym.functions import Phi, Unknown, delta, gelu, leaky_relu, relu, sigmoid, silu, softplus, step

TOTAL = (Phi, delta, softplus, Unknown, sp.erf, sp.tanh, sp.sin, sp.cos, sp.exp, sp.atan, sp.asinh)
"""Functions of all real arguments: these may be split on steps. log(s x) with s = 0 may not."""


LIKE_THEIR_ARGUMENT = (sp.tanh, sp.erf, sp.atan, sp.asinh, sp.sinh)
"""Functions with the sign of their argument."""


@dataclass(frozen=True)
class Affine:
    """Σ coefficients·variable + offset."""

    coefficients: dict[Symbol, Expr]
    offset: Expr

    @property
    def expr(self) -> Expr:
        return sp.Add(self.offset, *(c * v for v, c in self.coefficients.items()))

    def scaled(self, by: Expr) -> Affine:
        return Affine({v: c * by for v, c in self.coefficients.items()}, self.offset * by)


def nonzero(expr: Expr) -> bool:
    """Whether an expression is not recognised as zero."""
    if expr.is_zero:
        return False
    return not (expr.is_Add and len(expr.args) <= 12 and sp.expand(expr) == 0)


@dataclass
class Rewriter:
    """Rewrites expressions in the given real variables; shared subexpressions once."""

    variables: tuple[Symbol, ...]
    memo: dict[Expr, Expr] = field(default_factory=dict)

    def depends(self, expr: Expr) -> bool:
        return not expr.free_symbols.isdisjoint(self.variables)

    def affine(self, expr: Expr) -> Affine | None:
        """The expression as an affine form in the variables, if it is one."""
        found = self._affine(expr)
        if found is None and expr.is_polynomial(*self.variables):
            found = self._affine(sp.expand(expr))
        if found is None:
            return None
        order = {v: i for i, v in enumerate(self.variables)}
        kept = sorted((v for v, c in found.coefficients.items() if nonzero(c)), key=order.__getitem__)
        return Affine({v: found.coefficients[v] for v in kept}, found.offset)

    def _affine(self, expr: Expr) -> Affine | None:
        if not self.depends(expr):
            return Affine({}, expr)
        if expr in self.variables:
            return Affine({expr: sp.S.One}, sp.S.Zero)
        if expr.is_Mul:
            scale, rest = expr.as_independent(*self.variables, as_Add=False)
            inner = self._affine(rest) if scale != 1 else None
            return inner and inner.scaled(scale)
        if expr.is_Add:
            total: dict[Symbol, Expr] = {}
            offsets = []
            for part in map(self._affine, expr.args):
                if part is None:
                    return None
                offsets.append(part.offset)
                for v, c in part.coefficients.items():
                    total[v] = total.get(v, sp.S.Zero) + c
            return Affine(total, sp.Add(*offsets))
        return None

    def __call__(self, expr: Expr) -> Expr:
        """The expression rewritten."""
        if not self.depends(expr) or expr in self.variables:
            return expr
        if expr not in self.memo:
            self.memo[expr] = self._rewrite(expr)
        return self.memo[expr]

    def _rewrite(self, expr: Expr) -> Expr:
        if expr.is_Add or expr.is_Mul:
            return expr.func(*map(self, expr.args))
        if isinstance(expr, sp.Piecewise):
            return self.piecewise(expr)
        if expr.is_Pow and not isinstance(expr, sp.exp):
            return self.power(expr)
        simpler = expand_definition(expr)
        if simpler is not None:
            return self(simpler)
        if isinstance(expr, step):
            return self.step(self(expr.args[0]))
        if not isinstance(expr, TOTAL):
            return expr
        first = list(expr.args[:2]) if isinstance(expr, Unknown) else []
        arguments = [self(a) for a in expr.args[len(first) :]]
        head: Callable[..., Expr] = lambda *args: self.factor(expr.func(*first, *args))  # noqa: E731
        return self.split(arguments, head)

    def power(self, expr: Expr) -> Expr:
        if expr.exp.is_Integer and expr.exp > 0:
            return self(expr.base) ** expr.exp
        if self.depends(expr.exp):
            return self(sp.exp(expr.exp * sp.log(expr.base)))
        one, other = expr.base.as_independent(sp.exp) if expr.base.is_Add else (None, expr.base)
        if one == 1 and expr.exp.is_Integer and isinstance(other, sp.exp):
            return self(sigmoid(-other.args[0]) ** -expr.exp)
        return expr

    def split(self, arguments: list[Expr], head: Callable[..., Expr]) -> Expr:
        """head(arguments) with every step inside the arguments brought outside."""
        atom = next((s for a in arguments for s in sorted(a.atoms(step), key=str) if self.depends(s)), None)
        if atom is None:
            return head(*arguments)
        on = self.split([a.xreplace({atom: sp.S.One}) for a in arguments], head)
        off = self.split([a.xreplace({atom: sp.S.Zero}) for a in arguments], head)
        return off if on == off else atom * on + (1 - atom) * off

    def factor(self, expr: Expr) -> Expr:
        """A function of arguments without steps, its form's sign and scale normalised."""
        if isinstance(expr, delta) and expr.args[0].is_nonzero:
            return sp.S.Zero
        if not self.depends(expr) or not isinstance(expr, sp.Function):
            return self(expr) if self.depends(expr) else expr
        simpler = expand_definition(expr)
        if simpler is not None:
            return self(simpler)
        if isinstance(expr, sp.exp):
            return self.exponential(expr.args[0])
        arguments = expr.args[2:] if isinstance(expr, Unknown) else expr.args
        forms = [self.affine(a) for a in arguments]
        if any(f is None for f in forms):
            return expr
        exprs = [f.expr for f in forms if f is not None]
        if isinstance(expr, Unknown):
            return Unknown(*expr.args[:2], *exprs)
        return self.head(expr.func, exprs[0], forms[0]) if len(exprs) == 1 else expr

    def head(self, function: Any, argument: Expr, form: Affine | None) -> Expr:
        assert form is not None
        if not form.coefficients:
            return function(form.offset)
        flipped = bool(next(iter(form.coefficients.values())).could_extract_minus_sign())
        minus = form.scaled(sp.S.NegativeOne).expr
        if function is delta:
            return self.delta(form)
        if not flipped:
            return function(argument)
        if function is Phi:
            return 1 - Phi(minus)
        if function is softplus:
            return softplus(minus) - minus
        if function in (sp.tanh, sp.erf, sp.sin):
            return -function(minus)
        return function(minus) if function is sp.cos else function(argument)

    def exponential(self, argument: Expr) -> Expr:
        """exp of a polynomial of degree ≤ 2, its constant part outside; anything else as it is."""
        if not argument.is_polynomial(*self.variables):
            return sp.exp(argument)
        constant, rest = sp.expand(argument).as_independent(*self.variables, as_Add=True)
        return sp.exp(constant) * sp.exp(rest)

    def step(self, argument: Expr) -> Expr:
        """step of an affine form, oriented so that its leading coefficient is 1 where signs allow."""
        return self.split([argument], self.plain_step)

    def plain_step(self, argument: Expr) -> Expr:
        form = self.affine(argument)
        if form is None:
            return self.product_step(argument)
        if not form.coefficients:
            return step(form.offset)
        lead = next(iter(form.coefficients.values()))
        if lead.is_positive:
            return step(form.scaled(1 / lead).expr)
        if lead.is_negative:
            return 1 - step(form.scaled(1 / lead).expr)
        if lead.could_extract_minus_sign():
            return 1 - step(form.scaled(sp.S.NegativeOne).expr)
        return step(form.expr)

    def product_step(self, argument: Expr) -> Expr:
        """step(xy) = step(x) step(y) + step(−x) step(−y); exp > 0 drops out."""
        product = sp.factor(argument) if argument.is_polynomial() else argument
        factors = [f for f in sp.Mul.make_args(sp.factor_terms(product)) if not f.is_positive]
        signs: list[Expr] = []
        for f in factors:
            while isinstance(f, LIKE_THEIR_ARGUMENT):
                f = f.args[0]
            base, exponent = f.as_base_exp()
            if exponent.is_Integer and self.depends(base):
                signs += [base] if exponent % 2 else [base, base]
            else:
                signs.append(f)
        rest = [f for f in signs if not f.is_number]
        # a single factor that is a number times the argument cannot be taken apart further
        if len(rest) == 1 and sp.cancel(argument / rest[0]).is_number:
            return step(argument)
        positive, negative = sp.S.One, sp.S.Zero
        for f in signs:
            above, below = self.step(f), self.step(-f)
            positive, negative = above * positive + below * negative, above * negative + below * positive
        return positive

    def delta(self, form: Affine) -> Expr:
        """δ(c·f) = δ(f)/|c|, the leading coefficient made 1."""
        lead = next(iter(form.coefficients.values()))
        return delta(form.scaled(1 / lead).expr) / sp.Abs(lead)

    def piecewise(self, expr: Expr) -> Expr:
        """Branches weighted by the indicator of their condition and of no earlier one."""
        total, left = sp.S.Zero, sp.S.One
        for value, condition in expr.args:
            holds = self.condition(condition)
            total += left * holds * self(value)
            left *= 1 - holds
        return total

    def condition(self, condition: Any) -> Expr:
        """The indicator of a condition, up to a set of probability zero."""
        if condition in (sp.true, sp.false):
            return sp.S.One if condition == sp.true else sp.S.Zero
        if isinstance(condition, sp.And):
            return sp.Mul(*map(self.condition, condition.args))
        if isinstance(condition, sp.Or):
            return 1 - sp.Mul(*(1 - self.condition(a) for a in condition.args))
        if isinstance(condition, sp.Not):
            return 1 - self.condition(condition.args[0])
        if isinstance(condition, sp.Gt | sp.Ge):
            gap = condition.lhs - condition.rhs
            return self(step(gap)) if isinstance(condition, sp.Gt) else 1 - self(step(-gap))
        if isinstance(condition, sp.Lt | sp.Le):
            gap = condition.rhs - condition.lhs
            return self(step(gap)) if isinstance(condition, sp.Lt) else 1 - self(step(-gap))
        if isinstance(condition, sp.Eq | sp.Ne):
            gap = condition.lhs - condition.rhs
            apart = self(step(gap)) + self(step(-gap))
            return apart if isinstance(condition, sp.Ne) else 1 - apart
        raise TypeError(f"a condition that is not built from comparisons: {condition}")


def expand_definition(expr: Expr) -> Expr | None:
    """A function through step, Phi, tanh and exp, if it is defined by them."""
    x = expr.args[0] if expr.args else sp.S.Zero
    match expr:
        case relu():
            return x * step(x)
        case leaky_relu():
            return expr.args[1] * x + (1 - expr.args[1]) * x * step(x)
        case sp.Abs():
            return x * (2 * step(x) - 1)
        case sp.sign():
            return step(x) - step(-x)
        case sp.Heaviside():
            return step(x)
        case sp.DiracDelta():
            return delta(x) if len(expr.args) == 1 else None
        case sp.Max():
            rest = expr.func(*expr.args[1:])
            return rest + (x - rest) * step(x - rest)
        case sp.Min():
            rest = expr.func(*expr.args[1:])
            return x + (rest - x) * step(x - rest)
        case gelu():
            return x * Phi(x)
        case sigmoid():
            return (1 + sp.tanh(x / 2)) / 2
        case silu():
            return x * (1 + sp.tanh(x / 2)) / 2
        case sp.sinh():
            return (sp.exp(x) - sp.exp(-x)) / 2
        case sp.cosh():
            return (sp.exp(x) + sp.exp(-x)) / 2
        case sp.erfc():
            return 1 - sp.erf(x)
    return None
