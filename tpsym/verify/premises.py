"""Where a claim is to hold: ``assume`` and ``where`` as conditions, the free symbols, the Gram matrices of data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, Symbol

from tpsym.errors import Span, fail
from tpsym.functions import Unknown
from tpsym.program.calls import truth
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import assignments, evaluate
from tpsym.program.scope import Context, Scope
from tpsym.program.values import Condition, Data, Family, Finite, Scalar, describe
from tpsym.syntax import tree
from tpsym.verify.domain import Domain, Gram

NO_VALUES = (sp.zoo, sp.nan, sp.oo, -sp.oo)

Definitions = Mapping[Symbol, Expr]


@dataclass(frozen=True, slots=True)
class Premises:
    """Conditions on parameters; ``substitution`` gives those a value was stated for."""

    conditions: tuple[sp.Basic, ...] = ()
    substitution: Mapping[Symbol, Expr] = field(default_factory=dict)


def assumption(model: Model, node: tree.Assume) -> Iterator[sp.Basic]:
    """An ``assume`` as conditions on parameters, one per member of its ranges."""
    for scope in assignments(model.context, node.clauses, model.context.scope):
        value = evaluate(model.context, node.condition, scope)
        if not isinstance(value, Condition):
            raise fail("condition-expected", f"assume needs a condition, not {describe(value)}", node.span,
                       expected="something like q > 0 or dot(x, x) == 1")
        yield from on_parameters(model.context, value, node.span)


def on_parameters(context: Context, value: Condition, span: Span) -> Iterator[sp.Basic]:
    """A condition as sympy conditions that must all hold."""
    condition = truth(context, value, span)
    if context.vector_symbols(condition) or condition.free_symbols & context.nodes.keys():
        raise fail("random-condition", "this condition is about random quantities, not about parameters", span,
                   fix="put it inside the expectation: E[if(…, …, 0)]")
    yield from condition.args if isinstance(condition, sp.And) else (condition,)


def where(
    context: Context, items: Sequence[tree.Expr | tree.Binding], scope: Scope
) -> tuple[Scope, Premises]:
    """Local names, conditions and parameter values of a ``where``; a value given to a parameter replaces it."""
    inner = scope.child()
    conditions: list[sp.Basic] = []
    substitution: dict[Symbol, Expr] = {}
    for item in items:
        if not isinstance(item, tree.Binding):
            value = evaluate(context, item, inner)
            if not isinstance(value, Condition):
                raise fail("condition-expected", f"where needs conditions, not {describe(value)}", item.span)
            conditions.extend(on_parameters(context, value, item.span))
            continue
        value = evaluate(context, item.value, inner)
        known = parameter(context, item.target, inner)
        if known is None:
            fresh = standing_alone(scope, item.target)
            inner.names[item.target.name.id] = value
            if fresh is not None and isinstance(value, Scalar):
                substitution[fresh] = value.expr.xreplace(substitution)
        elif isinstance(value, Scalar):
            given = value.expr.xreplace(substitution)
            substitution = {s: e.xreplace({known: given}) for s, e in substitution.items()} | {known: given}
            if any(e.has(*NO_VALUES) for e in substitution.values()):
                raise fail("undefined-value", "this gives a parameter no value", item.value.span)
        else:
            raise fail("number-expected", f"a parameter is a number, not {describe(value)}", item.value.span)
    allowed = [c for s, e in substitution.items() for c in declared(s, e)]
    return inner, Premises((*conditions, *allowed), substitution)


def parameter(context: Context, target: tree.Target, scope: Scope) -> Symbol | None:
    """The declared parameter or finite size a ``where`` gives a value to, if it is one."""
    known = scope.find(target.name.id)
    if isinstance(known, Finite) and isinstance(known.size, Symbol):
        return known.size
    if target.indices and known is not None:
        node = tree.Index(target.name, target.indices, span=target.span)
        known = evaluate(context, node, scope)
    if isinstance(known, Scalar) and known.expr in context.parameters:
        return known.expr
    return None


def standing_alone(scope: Scope, target: tree.Target) -> Symbol | None:
    """The real number that a name such as t in ``law.density(t)`` stands for; what was stated of it stays true of
    its value.
    """
    alone = Symbol(target.name.id, real=True)
    known = None if target.indices else scope.find(target.name.id)
    return alone if isinstance(known, Scalar) and known.expr == alone else None


def declared(symbol: Symbol, value: Expr) -> Iterator[sp.Basic]:
    """What the declaration of a parameter says about a value given to it."""
    if symbol.is_positive:
        yield sp.Gt(value, 0)
    elif symbol.is_nonnegative:
        yield sp.Ge(value, 0)
    if symbol.is_integer:
        yield sp.Eq(value, sp.floor(value))


def reachable(expressions: Sequence[sp.Basic], definitions: Definitions) -> list[Symbol]:
    """The named values that expressions rest on, each after those it rests on itself."""
    seen: set[Symbol] = set()
    todo = [s for e in expressions for s in e.free_symbols if s in definitions]
    while todo:
        symbol = todo.pop()
        if symbol not in seen:
            seen.add(symbol)
            todo.extend(s for s in definitions[symbol].free_symbols if s in definitions)
    return [s for s in definitions if s in seen]


def spelled_out(condition: sp.Basic, definitions: Definitions) -> sp.Basic:
    """A condition on parameters alone: a named value in it is no free quantity."""
    for symbol in reversed(reachable([condition], definitions)):
        condition = condition.xreplace({symbol: definitions[symbol]})
    return condition


def domain_of(context: Context, expressions: Sequence[Expr], definitions: Definitions, premises: Premises) -> Domain:
    """The free symbols of expressions over named values, the Gram matrices of the data, and what binds them."""
    substitution = dict(premises.substitution)
    conditions = [spelled_out(c, definitions).xreplace(substitution) for c in premises.conditions]
    conditions = [c for c in conditions if c is not sp.true]
    parts = [*expressions, *(definitions[s] for s in reachable(expressions, definitions)), *conditions]
    parts = [p.xreplace(substitution) for p in parts]
    names = {u.args[0] for p in parts for u in p.atoms(Unknown)}
    free = set[Symbol]().union(*(p.free_symbols for p in parts)) - definitions.keys() - names
    grams, facts, rest = gram_matrices(context, free, substitution)
    return Domain(tuple(sorted(rest, key=str)), grams, (*facts, *conditions))


def gram_matrices(
    context: Context, free: set[Symbol], substitution: Mapping[Symbol, Expr]
) -> tuple[tuple[Gram, ...], list[sp.Basic], set[Symbol]]:
    """A Gram matrix for the data vectors of each size, products that are given as facts, and the other symbols."""
    used = sorted({name for pair, s in context.grams.items() if s in free for name in pair})
    sizes = {name: data_size(context, name).xreplace(substitution) for name in used}
    grams: list[Gram] = []
    facts: list[sp.Basic] = []
    inside: set[Symbol] = set()
    for size in dict.fromkeys(sizes.values()):
        names = [name for name in used if sizes[name] == size]
        entries: dict[tuple[int, int], Symbol] = {}
        for i, a in enumerate(names):
            for j, b in enumerate(names[i:], start=i):
                value = context.gram(a, b)
                if not isinstance(value, Symbol):
                    known, value = value, Symbol(f"dot({a}, {b})", real=True)
                    facts.append(sp.Eq(value, known))
                    free = free | known.free_symbols
                entries[(i, j)] = value
        inside |= set(entries.values())
        grams.append(Gram(entries, size))
    return tuple(grams), facts, free - inside


def data_size(context: Context, name: str) -> Expr:
    """The dimension of a data point, from its name."""
    found = context.scope.find(name.partition("[")[0])
    if isinstance(found, Family):
        found = next(iter(found.members.values()))
    assert isinstance(found, Data)
    return found.size.size
