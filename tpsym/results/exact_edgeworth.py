"""``edgeworth(s)``: the distribution function of a sum of central-limit size with its first corrections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, S, Symbol
from sympy.core.function import AppliedUndef

from tpsym.derivation import Step, rule
from tpsym.errors import Span, fail
from tpsym.exact.edgeworth import edgeworth_polynomials
from tpsym.exact.sums import cumulants_of
from tpsym.functions import Phi, step
from tpsym.limit.variables import label_latex
from tpsym.program.arithmetic import plain
from tpsym.program.evaluate import evaluate
from tpsym.program.instructions import Dimension
from tpsym.program.known_functions import SIGNATURES
from tpsym.program.messages import no_named_arguments, wrong_arity
from tpsym.program.names import limit_question
from tpsym.program.scope import Context, Scope, integer
from tpsym.program.values import Method, Scalar, Value, describe
from tpsym.results.answers import Answer, Table
from tpsym.results.exact import by_powers, expanded
from tpsym.results.exact_graphs import functions_alone
from tpsym.results.exact_means import CoordinateMeans
from tpsym.results.exact_parts import Closed, Terms
from tpsym.results.exact_terms import Expansion
from tpsym.results.reasons import NoLimit, reasons, stand_in
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

MAX_ORDER = 8


@dataclass(frozen=True, slots=True)
class Stated(Method):
    """A function of the limit side that can be stated by itself; ``content`` are the answers, by question and place."""

    content: Callable[[str, Span], tuple[Answer, ...]] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SumLaw:
    """A sum of i.i.d. coordinates: ``cumulants`` κ_1 … κ_{order+2} of the scalar, as functions of n."""

    cumulants: tuple[Expr, ...]
    n: Symbol

    @property
    def order(self) -> int:
        return len(self.cumulants) - 2

    @property
    def variance(self) -> Expr:
        return self.cumulants[1]

    @property
    def higher(self) -> tuple[Expr, ...]:
        """λ_3, λ_4, … with cumulants λ_j n^{1 - j/2}."""
        return tuple(
            sp.expand(c * self.n ** (sp.Rational(j, 2) - 1)) for j, c in enumerate(self.cumulants[2:], start=3)
        )


@rule("Edgeworth expansion", source="Cramer1928")
def edgeworth_expansion(law: SumLaw, x: Expr) -> Expr:
    r"""``Φ(y) - φ(y) Σ_r n^{-r/2} q_r(y)`` at the standardised argument y, from the exponential of the cumulants."""
    y = Symbol("y", real=True)
    at = (x - law.cumulants[0]) / sp.sqrt(law.variance)
    polynomials = edgeworth_polynomials(law.variance, law.higher, y, law.order)
    correction = sp.Add(S.Zero, *(
        law.n ** sp.Rational(-r, 2) * sp.factor_terms(q) for r, q in enumerate(polynomials, start=1)
    ))
    density = sp.exp(-at**2 / 2) / sp.sqrt(2 * sp.pi)
    return Phi(at) - density * correction.xreplace({y: at})


def ask_edgeworth(side: LimitQuestions, context: Context, node: tree.Call, scope: Scope) -> Value:
    """The handler of ``edgeworth(s)``."""
    order = _order(context, node, scope)
    if len(node.args) != 1:
        raise wrong_arity("edgeworth", 1, len(node.args), node.span, signature=SIGNATURES["edgeworth"])
    place = node.args[0].span
    limit = limit_question(node.args[0], declared=context.declared)
    if limit is not None:
        what = f"{format_expression(limit)} is a limit; edgeworth(s) is about a scalar of the program at finite n"
        raise fail("limit-in-exact", what, limit.span, expected="a scalar of the program")
    value = plain(context, evaluate(context, node.args[0], scope), place)
    if not isinstance(value, Scalar):
        raise fail("number-expected", f"edgeworth needs a scalar of the program, this is {describe(value)}", place,
                   fix="sqrt(n)*mean(x) is one")
    expansion, terms = expanded(context, value, place)
    summed = summand(expansion, terms)
    known: list[SumLaw] = []

    def law() -> SumLaw:
        if not known:
            known.append(sum_law(expansion, terms, summed, order))
        return known[0]

    def apply(context: Context, call: tree.Call, scope: Scope) -> Value:
        x = _argument(context, call, scope)
        return Scalar(stand_in(x) if side.dry else edgeworth_expansion(law(), x))

    name = format_expression(node.args[0])
    return Stated("edgeworth", apply, lambda text, span: (stated(side, law(), name, text, span),))


def _order(context: Context, node: tree.Call, scope: Scope) -> int:
    """The power of n^{-1/2} up to which terms are taken."""
    order = 2
    for name, value in node.kwargs:
        if name != "order":
            raise no_named_arguments("edgeworth", value.span)
        order = integer(evaluate(context, value, scope), value.span, what="the order of an expansion")
        if not 0 <= order <= MAX_ORDER:
            raise fail("bad-order", f"the order of an expansion cannot be {order}", value.span,
                       expected=f"a number in 0..{MAX_ORDER}")
    return order


def _argument(context: Context, call: tree.Call, scope: Scope) -> Expr:
    if call.kwargs:
        raise no_named_arguments("edgeworth(s)", call.kwargs[0][1].span)
    if len(call.args) != 1:
        raise wrong_arity("edgeworth(s)", 1, len(call.args), call.span, signature=SIGNATURES["edgeworth"])
    place = call.args[0].span
    value = plain(context, evaluate(context, call.args[0], scope), place)
    if not isinstance(value, Scalar) or value.expr.free_symbols & context.nodes.keys():
        what = "a random number" if isinstance(value, Scalar) else describe(value)
        raise fail("number-expected", f"a distribution function is taken at a number, this is {what}", place)
    return value.expr


# --- the law ------------------------------------------------------------------------------------------


def summand(expansion: Expansion, terms: Terms) -> tuple[Expr, Expr, Dimension]:
    """A scalar as constant + Σ_i f(i): the constant, f and where it is summed.

    Raises:
        TpError: anything else than a sum over coordinates of initial vectors, or one whose values may lie on a lattice.
    """
    constant, functions, sizes = S.Zero, S.Zero, []
    for key, c in terms.items():
        parts = [expansion.parts[k] for k in key]
        if not parts and not expansion.random_scalars(c):
            constant += c
            continue
        function = functions_alone(expansion, parts[0]) if len(parts) == 1 else None
        if function is None or expansion.random_scalars(c):
            what = "edgeworth is known for a sum over the coordinates of initial vectors, such as sqrt(n)*mean(x)"
            raise fail("not-available", what, expansion.span)
        assert isinstance(parts[0], Closed)
        sizes.append(parts[0].dimension)
        functions += c * function
    if not sizes or any(s != sizes[0] for s in sizes):
        what = "there is no sum over coordinates here" if not sizes else "sums over two widths are not available here"
        raise fail("not-available", what, expansion.span)
    if functions.has(step, sp.sign, sp.Heaviside, sp.Piecewise, AppliedUndef):
        what = "the expansion needs a summand with a density (Cramér's condition), which is not known for jumps"
        raise fail("not-available", what, expansion.span)
    return constant, functions, sizes[0]


def sum_law(expansion: Expansion, terms: Terms, summed: tuple[Expr, Expr, Dimension], order: int) -> SumLaw:
    """The cumulants of the scalar.

    Raises:
        NoLimit: a moment that does not exist, no variance, or no scalar of central-limit size.
    """
    context, span = expansion.context, expansion.span
    constant, function, dimension = summed
    means = CoordinateMeans(context)
    with reasons(span):
        moments = [means(sp.expand(function**j)) for j in range(1, order + 3)]
    size = context.size(dimension)
    first, *rest = (by_powers(size * c, context.n) for c in cumulants_of(moments))
    law = SumLaw((by_powers(constant + first, context.n), *rest), context.n)
    if law.variance == 0:
        raise NoLimit("this sum is not random: its variance is 0", span)
    if law.variance.has(context.n) or any(c.has(context.n) for c in law.higher):
        what = f"this sum has variance {law.variance}".replace("**", "^")
        raise NoLimit(f"{what}; an expansion is stated at the scale of the central limit, as of sqrt(n)*mean(x)", span)
    return law


def stated(side: LimitQuestions, law: SumLaw, name: str, text: str, span: Span) -> Answer:
    """The distribution function of a scalar at a point x, with the cumulants it is made from."""
    x = Symbol("x", real=True)
    event = Symbol(f"{name} ≤ x")
    side.limit.variables.latex.setdefault(event, label_latex(name) + r" \le x")
    left = sp.Function("P", real=True)(event)
    value = edgeworth_expansion(law, x)
    rows = tuple((sp.Integer(j), c) for j, c in enumerate(law.cumulants, start=1))
    order = sp.Rational(law.order, 2)
    note = f"up to o(n^(-{order})), where the law of a coordinate has a density and {law.order + 2} moments"
    table = Table("Cumulants", ("order", "cumulant"), rows, "Cumulants of independent coordinates add.")
    step = Step(edgeworth_expansion.rule, left, value, span)
    return Answer(text, left, value, (), (step,), span, note=note, tables=(table,))
