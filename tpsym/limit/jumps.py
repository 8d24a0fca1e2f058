r"""Whether a discontinuous function is applied where its argument almost surely has no jump.

Yang's Theorem 2.10 (Tensor Programs III) covers every polynomially bounded function in a program of
products and fixed coordinatewise functions. With scalars or powers of n inside (Appendix E) functions must
be continuous where their arguments almost surely are: sign(relu(x) + θ z) with θ → 0 is sign(z), not 0,
wherever relu(x) = 0 (Remarks E.12, E.13). An argument is written out in what it is computed from, scalars
kept as unknowns; on each branch of its kinks it must be identically zero (then the function is constant
nearby) or have a leading term that is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.functions import leaky_relu, relu, step
from tpsym.gauss.degenerate import dependencies
from tpsym.limit.nondegenerate import jumping
from tpsym.limit.series import AT_THE_JUMP, Grows, Series, SizeUnknown
from tpsym.limit.signs import split_signs
from tpsym.program.instructions import (
    Instruction,
    MatMul,
    Moment,
    Nonlin,
    OuterNonlin,
    RandomScalar,
    State,
    Vector,
    column_slot,
    scalar_slot,
    vector_slot,
)
from tpsym.program.values import node_symbol

if TYPE_CHECKING:
    from tpsym.limit.interpret import Limit

JUMPS = (step, sp.sign)
KINKS = (relu, sp.Abs, leaky_relu, step, sp.sign, sp.Max, sp.Min, sp.Piecewise)
MAX_BRANCHES = 64
"""Branches looked at; an argument with more is refused."""


def is_pure(limit: Limit, node: int) -> bool:
    """Whether a vector comes from initial vectors by products and fixed functions alone (NETSOR⊤)."""
    known = limit.pure.get(node)
    if known is None:
        match limit.program[node]:
            case Vector():
                known = True
            case State(loop=number):
                loop = limit.program.loops[number]
                limit.pure[node] = True  # by induction over layers
                known = all(is_pure(limit, k) for k in (*loop.initial, *loop.exit))
            case MatMul(vector=vector):
                known = is_pure(limit, vector)
            case Nonlin(payload=payload, vectors=vectors, scalars=()):
                known = not payload.has(limit.n) and all(is_pure(limit, v) for v in vectors)
            case _:
                known = False
        limit.pure[node] = known
    return known


def check_jumps(limit: Limit, instruction: Nonlin | Moment | OuterNonlin) -> None:
    """Refuse discontinuous functions where what decides on the side may be hidden.

    Raises:
        SizeUnknown: an argument of a jump may have an atom there.
    """
    if not has_jump(instruction.payload):
        return
    fixed = not isinstance(instruction, OuterNonlin) and not instruction.scalars
    if fixed and not instruction.payload.has(limit.n) and all(is_pure(limit, v) for v in instruction.vectors):
        return
    random = {vector_slot(i) for i in range(len(instruction.vectors))}
    random |= {s for s in instruction.payload.free_symbols if s.name.startswith("$c")}
    values: dict[Symbol, Expr] = {}
    for argument in jump_arguments(instruction.payload):
        if argument.free_symbols.isdisjoint(random):
            continue
        values = values or slot_sources(limit, instruction)
        if not avoids_zero(limit, argument.xreplace(values)):
            raise SizeUnknown(f"{AT_THE_JUMP} with positive probability")


def misses_jumps(limit: Limit, expr: Expr) -> bool:
    """The same question about an expression over node symbols."""
    nodes = {s: k for s in expr.free_symbols if (k := node_of(s)) is not None}
    parts = {s for s in expr.free_symbols if s.name.startswith(("$hat", "$dot"))}
    if not has_jump(expr) or (not expr.has(limit.n) and all(limit.pure[k] for k in nodes.values())):
        return True
    values = {s: source_form(limit, k) for s, k in nodes.items() if is_vector(limit, s)}
    return all(
        argument.free_symbols.isdisjoint(parts) and avoids_zero(limit, argument.xreplace(values))
        for argument in jump_arguments(expr)
        if not argument.free_symbols.isdisjoint(values.keys() | parts)
    )


def has_jump(payload: Expr) -> bool:
    return payload.has(*JUMPS, sp.Piecewise) or any(p.exp.could_extract_minus_sign() for p in payload.atoms(sp.Pow))


def jump_arguments(payload: Expr) -> Iterator[Expr]:
    """What must not vanish: arguments of jumps, gaps of conditions, denominators."""
    yield from jumping(payload)
    for part in payload.atoms(sp.Pow):
        if part.exp.could_extract_minus_sign():
            yield part.base


def slot_sources(limit: Limit, instruction: Nonlin | Moment | OuterNonlin) -> dict[Symbol, Expr]:
    """Each slot as an expression in products, initial vectors and scalars; columns are copies of their own."""
    forms = [source_form(limit, v) for v in instruction.vectors]
    values: dict[Symbol, Expr] = {vector_slot(i): f for i, f in enumerate(forms)}
    values |= {scalar_slot(i): node_symbol(s) for i, s in enumerate(instruction.scalars)}
    if isinstance(instruction, OuterNonlin):
        for copy in range(instruction.order):
            for i, form in enumerate(forms):
                own = {s: Symbol(f"{s.name}@{copy}", real=True) for s in form.free_symbols if is_vector(limit, s)}
                values[column_slot(copy, i)] = form.xreplace(own)
    return values


def node_of(symbol: Symbol) -> int | None:
    """The node a symbol, or the copy of a symbol, stands for."""
    name = symbol.name.partition("@")[0]
    return int(name[1:]) if name.startswith("$") and name[1:].isdigit() else None


def is_vector(limit: Limit, symbol: Symbol) -> bool:
    node = node_of(symbol)
    return node is not None and not isinstance(limit.program[node], Moment | RandomScalar)


def source_form(limit: Limit, node: int) -> Expr:
    """A vector as an expression in products, initial vectors and scalars."""
    todo = [node]
    while todo:
        current = todo[-1]
        instruction = limit.program[current]
        if not isinstance(instruction, Nonlin):
            limit.source_forms[current] = node_symbol(current)
        missing = [v for v in inner_vectors(instruction) if v not in limit.source_forms]
        if missing:
            todo.extend(missing)
            continue
        todo.pop()
        if isinstance(instruction, Nonlin) and current not in limit.source_forms:
            slots = {vector_slot(i): limit.source_forms[v] for i, v in enumerate(instruction.vectors)}
            slots |= {scalar_slot(i): node_symbol(s) for i, s in enumerate(instruction.scalars)}
            limit.source_forms[current] = instruction.payload.xreplace(slots)
    return limit.source_forms[node]


def inner_vectors(instruction: Instruction) -> tuple[int, ...]:
    return instruction.vectors if isinstance(instruction, Nonlin) else ()


def avoids_zero(limit: Limit, argument: Expr) -> bool:
    """Whether the sign of an expression in sources is, almost surely, that of its leading term."""
    argument = split_signs(argument)
    whole, found = leading(limit, argument), branches(argument)
    if whole is None or found is None:
        return False
    for branch in found:
        if sp.expand(branch) == 0:
            continue
        term = leading(limit, branch)
        if term is None or sp.expand(term[0] - whole[0]) != 0:
            return False
        parts = branches(term[1])
        if parts is None or any(vanishes(limit, part) for part in parts):
            return False
    return True


def leading(limit: Limit, argument: Expr) -> tuple[Expr, Expr] | None:
    """Exponent and coefficient of the leading term, ``None`` if unknown or zero; copies keep their mark."""
    values: dict[Symbol, Series] = {}
    for s in argument.free_symbols:
        node, copy = node_of(s), s.name.partition("@")[2]
        if node is not None:
            series = limit.z(node) if is_vector(limit, s) else limit.scalar(node)
            terms = {e: marked(limit, c, copy) for e, c in series.terms.items()} if copy else series.terms
            values[s] = Series(terms, series.error)
    try:
        top, coefficient = limit.expand_in(argument, values, continuous=True).leading()
    except (Grows, SizeUnknown):
        return None
    return (top, coefficient) if coefficient != 0 else None


def marked(limit: Limit, coefficient: Expr, copy: str) -> Expr:
    """The coefficient in an independent copy of its Gaussians."""
    gaussians = coefficient.free_symbols & limit.variables.forms.keys()
    return coefficient.xreplace({g: Symbol(f"{g.name}@{copy}", real=True) for g in gaussians})


def branches(expr: Expr) -> set[Expr] | None:
    """The expressions that an expression with kinks is on the two sides of each; ``None`` if too many."""
    todo, done = [expr], set()
    while todo:
        current = todo.pop()
        kinks = [k for k in current.atoms(*KINKS) if not any(a.has(*KINKS) for a in k.args)]
        if not kinks:
            done.add(current)
        else:
            kink = min(kinks, key=sp.default_sort_key)
            todo.extend(current.xreplace({kink: side}) for side in sides(kink))
        if len(todo) + len(done) > MAX_BRANCHES:
            return None
    return done


def sides(kink: Expr) -> tuple[Expr, ...]:
    """The values a kink takes, one of which it has near almost every point."""
    first = kink.args[0]
    match kink:
        case relu():
            return (first, S.Zero)
        case sp.Abs():
            return (first, -first)
        case leaky_relu():
            return (first, kink.args[1] * first)
        case step():
            return (S.One, S.Zero)
        case sp.sign():
            return (S.One, S.NegativeOne)
        case sp.Piecewise():
            return tuple(value for value, _ in kink.args)
    return tuple(kink.args)


def vanishes(limit: Limit, coefficient: Expr) -> bool:
    """Whether an analytic function of Gaussians is zero: as it stands, or because they are dependent."""
    expanded = sp.expand(coefficient)
    if expanded == 0:
        return True
    known = {g.name: g for g in limit.variables.forms}
    pairs = [
        (g, known[g.name.partition("@")[0]])
        for g in sorted(expanded.free_symbols, key=str)
        if g.name.partition("@")[0] in known
    ]
    rows = [[covariance(limit, g, h) for h in pairs] for g in pairs]
    dependent = dependencies([g for g, _ in pairs], rows)
    return bool(dependent) and sp.expand(expanded.xreplace(dependent)) == 0


def covariance(limit: Limit, a: tuple[Symbol, Symbol], b: tuple[Symbol, Symbol]) -> Expr:
    """Covariance of two Gaussians or copies of them, named values written out; copies are independent."""
    if a[0].name.partition("@")[2] != b[0].name.partition("@")[2]:
        return S.Zero
    return limit.written_out(limit.covariance(a[1], b[1]))
