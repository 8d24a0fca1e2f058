"""The rules of the Master Theorem, one function each (Yang, Tensor Programs III and IVb)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, Function, S, Symbol

from tpsym.derivation import rule
from tpsym.functions import delta, step
from tpsym.gauss.expectation import E
from tpsym.limit.gram import scaled, solve_gram
from tpsym.limit.jumps import check_jumps
from tpsym.limit.named import name_number
from tpsym.limit.parity import is_gradient
from tpsym.limit.series import Grows, Series, SizeUnknown, make
from tpsym.limit.states import Unclosed, correlated_with, hidden_products, loops_of
from tpsym.limit.variables import label_latex, variance_factor
from tpsym.program.instructions import (
    MatMul,
    Matrix,
    Moment,
    Nonlin,
    OuterNonlin,
    Vector,
    column_slot,
    scalar_slot,
    vector_slot,
)

if TYPE_CHECKING:
    from tpsym.limit.interpret import Limit

Covariance = Function("Cov")
Mean = Function("E")


@rule("ZInit", source="Yang2020TP3", locator="Definition 2.6")
def z_init(limit: Limit, node: int) -> Series:
    """An initial vector is its own Gaussian: Z^h as sampled, Ẑ^h = Z^h, Ż^h = 0."""
    instruction = limit.program[node]
    assert isinstance(instruction, Vector)
    variance = limit.program.covariance(node, node)
    if variance == 0:
        limit._hat[node], limit._dot[node] = instruction.mean, S.Zero
        limit.record(z_init.rule, node, limit.z_symbol(node), instruction.mean)
        return make({S.Zero: instruction.mean}, None)
    gaussian = limit.variables.raw(node)
    limit._hat[node], limit._dot[node] = instruction.mean + gaussian, S.Zero
    if instruction.mean != 0:
        limit.record(z_init.rule, node, limit.z_symbol(node), instruction.mean + gaussian)
    limit.record(z_init.rule, node, Covariance(gaussian, gaussian), variance)
    relatives = limit.families.setdefault(instruction.family, [])
    for other in relatives:
        value = limit.program.covariance(node, other)
        if value != 0:
            pair = Covariance(limit.hat(other) - limit.program[other].mean, gaussian)  # type: ignore[union-attr]
            limit.record(z_init.rule, node, pair, value)
    relatives.append(node)
    return make({S.Zero: instruction.mean + gaussian}, None)


@rule("ZNonlin", source="Yang2020TP3", locator="Definition 2.6")
def z_nonlin(limit: Limit, node: int) -> Series:
    r"""Z^{φ(x¹,…;θ)} = φ(Z^{x¹},…;θ̊): the same function of the limits."""
    instruction = limit.program[node]
    assert isinstance(instruction, Nonlin)
    check_jumps(limit, instruction)
    series = limit.expand_in(instruction.payload, arguments_of(limit, instruction), continuous=True)
    terms = {e: limit.variables.combine(node, c) for e, c in series.terms.items()}
    result = Series(terms, series.error)
    symbol = limit.z_symbol(node)
    for e, c in series.terms.items():
        if c != symbol:
            limit.record(z_nonlin.rule, node, limit.n ** (-e) * symbol if e != 0 else symbol, c)
    return result


def arguments_of(limit: Limit, instruction: Nonlin | Moment) -> dict[Symbol, Series]:
    values = {vector_slot(i): limit.z(v) for i, v in enumerate(instruction.vectors)}
    if not values:
        return {scalar_slot(i): limit.scalar(s) for i, s in enumerate(instruction.scalars)}
    return values | {scalar_slot(i): number_of(limit, s) for i, s in enumerate(instruction.scalars)}


def number_of(limit: Limit, node: int) -> Series:
    """The limit of a scalar as it enters a random variable."""
    series = limit.scalar(node)
    return Series({e: name_number(limit, c) for e, c in series.terms.items()}, series.error)


@rule("ZMoment", source="Yang2020TP3", locator="Theorem 2.10, Appendix E")
def z_moment(limit: Limit, node: int) -> Series:
    r"""(1/n) Σ_α φ(x_α; θ) → E φ(Z^x; θ̊) almost surely."""
    instruction = limit.program[node]
    assert isinstance(instruction, Moment)
    if not instruction.vectors:
        return function_of_scalars(limit, instruction)
    check_jumps(limit, instruction)
    inner = limit.expand_in(instruction.payload, arguments_of(limit, instruction), continuous=True)
    result = limit.mean(inner)
    symbol = scalar_symbol(limit, node)
    for c in inner.terms.values():
        value, used = limit.expectation_with_rules(c)
        note = f"by {', '.join(used)}" if used else ""
        limit.record(z_moment.rule, node, symbol, Mean(c))
        limit.record(expectation_rule.rule, node, Mean(c), value, note=note)
    return result


def function_of_scalars(limit: Limit, instruction: Moment) -> Series:
    """The same function of the limits; unknown where a scalar keeps its randomness."""
    try:
        return limit.expand_in(instruction.payload, arguments_of(limit, instruction), continuous=False)
    except (SizeUnknown, Grows):
        return Series({}, sp.oo)  # no limit as a number; its law is asked for elsewhere


@rule("Expectation", source="Stein1981", locator="Gaussian calculus")
def expectation_rule(limit: Limit, expr: Expr) -> Expr:
    """A Gaussian expectation in closed form, or left unevaluated."""
    return limit.expectation(expr)


def scalar_symbol(limit: Limit, node: int) -> Symbol:
    label = limit.label(node)
    if label.startswith("#"):
        return Symbol(f"θ{label[1:]}", real=True)
    symbol = Symbol(f"lim {label}", real=True)
    limit.variables.latex.setdefault(symbol, rf"\lim {label_latex(label)}")
    return symbol


@rule("ZHat", source="Yang2020TP3", locator="Definition 2.6")
def z_hat_covariance(limit: Limit, first: int, second: int) -> Expr:
    r"""Cov(Ẑ^{Wx}, Ẑ^{Wy}) = σ_W² E[Z^x Z^y]; with Wᵀ, ρσ_W² for ρ = rows/columns."""
    a, b = limit.program[first], limit.program[second]
    assert isinstance(a, MatMul)
    assert isinstance(b, MatMul)
    matrix = limit.program[a.matrix]
    assert isinstance(matrix, Matrix)
    x, y = limit.z(a.vector).leading()[1], limit.z(b.vector).leading()[1]
    factor = variance_factor(matrix, transposed=a.transposed)
    moment, used = limit.expectation_with_rules(x * y)
    value = scaled(factor, moment)
    left = Covariance(limit._hat[first], limit._hat[second])
    limit.record(z_hat_covariance.rule, second, left, factor * Mean(x * y))
    note = f"by {', '.join(used)}" if used else ""
    limit.record(expectation_rule.rule, second, factor * Mean(x * y), value, note=note)
    return value


def z_matmul(limit: Limit, node: int) -> Series:
    r"""Z^{Wx} = Ẑ^{Wx} + Ż^{Wx}, at the leading power of n."""
    instruction = limit.program[node]
    assert isinstance(instruction, MatMul)
    x = limit.z(instruction.vector)
    hat = limit.variables.raw(node)
    limit._hat[node] = hat
    if not x.terms:
        limit._hat[node], limit._dot[node] = S.Zero, S.Zero
        return x
    top, _ = x.leading()
    # now, not when they are first asked for: deep programs must not recurse
    limit.hat_covariance(hat, hat)
    for other in products(limit, instruction.matrix, transposed=instruction.transposed):
        if other < node:
            with suppress(Unclosed):  # across layers; refused if it is asked for
                limit.hat_covariance(limit._hat[other], hat)
    created = z_dot(limit, node)
    limit._dot[node] = created
    symbol = limit.z_symbol(node)
    if created != 0:
        limit.record(z_matmul_rule.rule, node, symbol, hat + created)
    value = limit.variables.combine(node, hat + created) if created != 0 else hat
    return Series({top: value}, top)


@rule("ZMatMul", source="Yang2020TP3", locator="Definition 2.6")
def z_matmul_rule(hat: Expr, created: Expr) -> Expr:
    """Z^{Wx} is the sum of its Gaussian part and of its correlation part."""
    return hat + created


@rule("ZDot", source="Yang2020TP3", locator="Definition 2.6, Remark 2.12")
def z_dot(limit: Limit, node: int) -> Expr:
    r"""The part of Z^{Wx} created by earlier uses of W's transpose.

    .. math:: \dot Z^{Wx} = \sigma_W^2 \sum_i Z^{y_i} \, E\, \partial Z^x / \partial \hat Z^{W^\top y_i}

    over the distinct y_i with Wᵀy_i used in x; zero if there are none. Where Z^x has no derivative
    in the ordinary sense the coefficients solve C a = b with C_ij = E Z^{y_i} Z^{y_j} and
    b_i = E Ẑ^{Wᵀy_i} Z^x, which is the same by Stein's lemma.
    """
    instruction = limit.program[node]
    assert isinstance(instruction, MatMul)
    earlier = transposed_products(limit, instruction)
    hidden = hidden_products(limit, instruction)
    if not earlier and not hidden:
        return S.Zero
    if limit.independence and gradients_independent(limit, instruction, earlier, hidden):
        symbol = Symbol(f"Ż({limit.label(node)})", real=True)
        limit.record(gradient_independence.rule, node, symbol, S.Zero)
        return S.Zero
    if hidden:
        raise correlated_with(limit, node, hidden[0])
    matrix = limit.program[instruction.matrix]
    assert isinstance(matrix, Matrix)
    _, x = limit.z(instruction.vector).leading()
    if is_smooth(x):
        factor = variance_factor(matrix, transposed=instruction.transposed)
        slopes = [limit.slope(instruction.vector, limit._hat[p]) for p in earlier]
        coefficients, how = [scaled(factor, limit.expectation(slope)) for slope in slopes], ""
    else:
        coefficients = covariance_solve(limit, instruction, earlier, matrix)
        how = "covariance-solve form (Remark 2.12): there is no derivative"
    coefficients = [name_number(limit, a) for a in coefficients]
    total = sp.Add(*(a * multiplied(limit, p) for a, p in zip(coefficients, earlier, strict=True)))
    symbol = Symbol(f"Ż({limit.label(node)})", real=True)
    limit.record(z_dot.rule, node, symbol, total, note=how)
    return total


@rule("GIA", source="Yang2020TP2", locator="Condition 1, Definition A.3")
def gradient_independence(created: Expr) -> Expr:
    """Wᵀ acts as if independent of W: what it multiplies is odd in readouts that no product with W depends on."""
    return created


def gradients_independent(limit: Limit, instruction: MatMul, earlier: list[int], hidden: list[int]) -> bool:
    """Whether the check of gradient independence shows that a product has no correlation part."""
    others = [limit.program[p].vector for p in earlier]  # type: ignore[union-attr]
    others += [k for loop in loops_of(limit, hidden) for k in (*loop.initial, *loop.exit)]
    return is_gradient(limit.program, instruction.vector, others, limit.parities)


def products(limit: Limit, matrix: int, *, transposed: bool) -> list[int]:
    """Interpreted products with a matrix in one orientation, those that vanish left out."""
    found = []
    for node in limit.program.graph.successors(matrix):
        instruction = limit.program[node]
        if isinstance(instruction, MatMul) and instruction.transposed == transposed and limit._hat.get(node, 0) != 0:
            found.append(node)
    return sorted(found)


def multiplied(limit: Limit, node: int) -> Expr:
    """Z of the vector y of a product Wᵀy, at leading order."""
    instruction = limit.program[node]
    assert isinstance(instruction, MatMul)
    return limit.z(instruction.vector).leading()[1]


def transposed_products(limit: Limit, instruction: MatMul) -> list[int]:
    """The products with the transpose of the same matrix whose hats Z^x is a function of."""
    _, x = limit.z(instruction.vector).leading()
    gaussians = [s for s in x.free_symbols if s in limit.variables.forms]
    return [
        p
        for p in products(limit, instruction.matrix, transposed=not instruction.transposed)
        if any(limit.variables.coefficient(s, limit._hat[p]) != 0 for s in gaussians)
    ]


def is_smooth(x: Expr) -> bool:
    """Whether the chain rule applies: no jumps (kinks have weak derivatives)."""
    return not x.has(step, sp.sign, sp.Piecewise, delta, sp.Heaviside, sp.floor)


def covariance_solve(limit: Limit, instruction: MatMul, earlier: list[int], matrix: Matrix) -> list[Expr]:
    r"""a = ρ^{∓1} C⁺ b with C_ij = E Z^{y_i}Z^{y_j}, b_i = E Ẑ^{Wᵀy_i} Z^x (TP III, Remarks 2.12 and F.7)."""
    _, x = limit.z(instruction.vector).leading()
    sources = [multiplied(limit, p) for p in earlier]
    gram = sp.Matrix(len(earlier), len(earlier), lambda i, j: limit.expectation(sources[i] * sources[j]))
    b = sp.Matrix([limit.expectation(limit._hat[p] * x) for p in earlier])
    ratio = matrix.rows.ratio / matrix.columns.ratio
    scale = ratio if instruction.transposed else 1 / ratio
    return [scale * a for a in solve_gram(limit, gram, b)]


@rule("ZOuterNonlin", source="Yang2023TP4b", locator="Theorem 2.6.10")
def z_outer(limit: Limit, node: int) -> Series:
    r"""|y⟩ = f(|x⟩) with f(ξ) = E ψ(ξ; |x⟩^{(1)}; …; |x⟩^{(r)}; c̊) over i.i.d. copies of the vectors."""
    instruction = limit.program[node]
    assert isinstance(instruction, OuterNonlin)
    if instruction.payload.has(limit.n):
        raise SizeUnknown("a power of n inside an outer nonlinearity")
    check_jumps(limit, instruction)
    rows = {vector_slot(i): limit.z(v).limit() for i, v in enumerate(instruction.vectors)}
    scalars = {scalar_slot(i): limit.scalar(s).limit() for i, s in enumerate(instruction.scalars)}
    value: Expr = instruction.payload.xreplace(scalars)
    for copy in range(instruction.order):
        columns = {column_slot(copy, i): limit.z(v).limit() for i, v in enumerate(instruction.vectors)}
        value = average_copy(limit, value, columns)
    if any(not e.free_symbols.isdisjoint(rows) for e in value.atoms(E)):
        raise SizeUnknown(f"the mean over columns in {limit.label(node)} has no closed form as a function of the row; "
                          "particles do (tpsym train)")
    value = value.xreplace(rows)
    result = limit.variables.combine(node, value)
    limit.record(z_outer.rule, node, limit.z_symbol(node), value)
    return make({S.Zero: result}, S.Zero)


def average_copy(limit: Limit, value: Expr, columns: dict[Symbol, Expr]) -> Expr:
    """E over one copy; the rows and the other copies stay as parameters."""
    return limit.expectation(value.xreplace(columns))
