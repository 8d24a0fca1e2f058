"""Declarations: sizes, parameters, data, nonlinearities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import TpError, fail
from tpsym.functions import NONLINEARITIES, unknown
from tpsym.program.arithmetic import plain
from tpsym.program.blocks import check_indices, store
from tpsym.program.evaluate import assignments, evaluate, indices
from tpsym.program.families import add_layers, symbolic
from tpsym.program.instructions import Dimension
from tpsym.program.messages import unknown_name, written
from tpsym.program.names import mentioned
from tpsym.program.scope import Context, Key, Scope, power_of, width_symbol
from tpsym.program.values import (
    Data,
    Family,
    Finite,
    ListValue,
    Nonlinearity,
    Operator,
    Scalar,
    Size,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree

DOMAINS = {name: {name: True} for name in ("real", "positive", "nonnegative", "integer")}
"""Domain of a parameter → what sympy may assume."""


def number(context: Context, node: tree.Expr, scope: Scope, *, what: str) -> Expr:
    """An expression that has to be a finite number (parameters allowed)."""
    value = plain(context, evaluate(context, node, scope), node.span)
    if not isinstance(value, Scalar):
        raise fail("number-expected", f"{what} has to be a number, not {describe(value)}", node.span)
    if value.expr.free_symbols & context.nodes.keys():
        raise fail(
            "number-expected",
            f"{what} has to be a number, not one that the program computes (those are random)",
            node.span,
        )
    if value.expr.has(S.Infinity, S.NegativeInfinity):
        raise fail("not-finite", f"{what} has to be finite", node.span)
    return value.expr


def fresh(context: Context, name: tree.Name, *, family: bool = False) -> None:
    """A declared name may not be declared twice; a family may be declared piece by piece."""
    known = context.scope.names.get(name.id)
    if known is not None and not (family and isinstance(known, Family)):
        raise twice(name, context.declared.get(name.id))
    context.declared.setdefault(name.id, name.span.line)


def twice(name: tree.Name, line: int | None) -> TpError:
    """The error for a name that stands for something already."""
    where = f" in line {line}" if line else ""
    return fail("declared-twice", f"{name.text!r} is already declared{where}", name.span, fix="choose another name")


def fresh_member(context: Context, target: tree.Target, keys: tuple[Key, ...]) -> None:
    """A member of a family may not be declared twice."""
    known = context.scope.names.get(target.name.id)
    if isinstance(known, Family) and keys in known.members:
        text = f"{target.name.text}[{', '.join(map(str, keys))}]"
        raise fail("declared-twice", f"{text} is already declared", target.span, fix="choose other indices")


def declare_size(context: Context, node: tree.Size) -> None:
    for name, value in node.items:
        fresh(context, name)
        if node.kind == "width":
            context.scope.names[name.id] = width(context, name, value)
            continue
        size = count(context, name, None if node.kind == "depth" and context.open_depths else value)
        if node.kind == "dim":
            context.scope.names[name.id] = Finite(name.text, size)
        else:
            context.depths.add(name.id)
            context.scope.names[name.id] = Scalar(size)


def count(context: Context, name: tree.Name, value: tree.Expr | None) -> Expr:
    """A dim or depth: given, set from outside, or a symbol."""
    given = context.overrides.get(name.id)
    if isinstance(given, ListValue):
        raise fail("bad-size", f"--set {name.id}: a size is one number, not a list")
    if given is not None:
        if not (given.is_Integer and given > 0):
            what = f"--set {name.id}: {written(given)} is not a size"
            raise fail("bad-size", what, expected="a whole number ≥ 1")
        return given
    if value is None:
        return Symbol(name.id, positive=True, integer=True)
    size = number(context, value, context.scope, what="a size")
    if not (size.is_Integer and size > 0):
        expected = "a whole number ≥ 1, or no value for a symbol"
        raise fail("bad-size", f"{written(size)} is not a size", value.span, expected=expected)
    return size


def width(context: Context, name: tree.Name, value: tree.Expr | None) -> Dimension:
    """A width; the first one is the unit, others come at a fixed ratio to it or (for scaling exponents) to a power."""
    if context.base is None:
        if value is not None:
            raise fail(
                "width-with-value",
                "the first width goes to infinity and has no value",
                value.span,
                fix=f"width {name.text} for an infinite size, dim {name.text} = … for a finite one",
            )
        context.base = Dimension(name.id, S.One)
        return context.base
    if value is None:
        raise fail(
            "width-without-ratio",
            f"the width {name.text} has no ratio to the first width {context.base.name}",
            name.span,
            expected=f"something like {name.text} = 2*{context.base.name}",
            fix=f"for any ratio: param gamma: positive, then width {name.text} = gamma*{context.base.name}",
        )
    ratio = power_of(number(context, value, context.scope, what="a width"), context.n)
    if ratio is None or not (ratio[1].is_Rational and ratio[1] > 0) or ratio[0].is_nonpositive:
        raise fail(
            "bad-width",
            f"the width {name.text} has to be a positive constant times {context.base.name} or a power of it",
            value.span,
            expected=f"something like {name.text} = gamma*{context.base.name} or {context.base.name}^(1/2)",
        )
    return Dimension(name.id, ratio[0] * context.n ** (ratio[1] - 1))


def declare_param(context: Context, node: tree.Param) -> None:
    assumptions: dict[str, bool] = {"real": True}
    for domain in node.domains:
        assumptions |= DOMAINS[domain.id]
    for target, keys, scope in members(context, node.targets, node.clauses, layers=True):
        make = partial(parameter, context, node, target, assumptions)
        if symbolic(keys):
            add_layers(context, target, keys, scope, make)
        else:
            store(context.scope, target, keys, make(member_name(target, keys), scope))


def parameter(
    context: Context, node: tree.Param, target: tree.Target, assumptions: dict[str, bool], name: str, scope: Scope
) -> Value:
    """One parameter, its default noted."""
    symbol = Symbol(name, **assumptions)
    default = number(context, node.default, scope, what="a default") if node.default is not None else None
    if default is not None and contradicts(default, assumptions):
        assert node.default is not None
        domains = " and ".join(ADJECTIVES.get(d.id, d.text) for d in node.domains)
        what = f"the default {written(default)} of {target.name.text} is not {domains}"
        raise fail("bad-default", what, node.default.span)
    given = override(context, name, assumptions)
    context.parameters[symbol] = default if given is None else given
    return Scalar(symbol)


ADJECTIVES = {"integer": "an integer"}


def override(context: Context, name: str, assumptions: dict[str, bool]) -> Expr | None:
    """The value of a parameter given from outside."""
    given = context.overrides.get(name)
    if given is None:
        return None
    if isinstance(given, ListValue):
        raise fail("bad-setting", f"--set {name}: a parameter is one number, not a list")
    if contradicts(given, assumptions) or given.is_finite is False:
        wanted = " and ".join(ADJECTIVES.get(a, a) for a in assumptions if len(assumptions) == 1 or a != "real")
        raise fail("bad-setting", f"--set {name}: {written(given)} is not {wanted}")
    return given


def members(
    context: Context, targets: tuple[tree.Target, ...], clauses: tuple[tree.For, ...], *, layers: bool = False
) -> Iterator[tuple[tree.Target, tuple[Key, ...], Scope]]:
    """What a declaration names, member by member, with the values of its indices in scope; nothing twice.

    With ``layers`` a symbolic range gives one member, whose index is a symbol.
    """
    check_indices(targets, clauses, context.scope)
    for target in targets:
        fresh(context, target.name, family=bool(target.indices))
        for scope in assignments(context, clauses, context.scope, layers=layers):
            keys = indices(context, target.indices, scope)
            if keys and not symbolic(keys):
                fresh_member(context, target, keys)
            yield target, keys, scope


def member_name(target: tree.Target, keys: tuple[Key, ...]) -> str:
    """``a`` or ``a[1, 2]``, Greek letters spelled out."""
    return target.name.id + (f"[{', '.join(map(str, keys))}]" if keys else "")


def contradicts(value: Expr, assumptions: dict[str, bool]) -> bool:
    """Whether a value certainly breaks an assumption."""
    return any(getattr(value, f"is_{name}") is False for name in assumptions)


def declare_input(context: Context, node: tree.Input) -> None:
    size = shape(context, node.shape)
    if len(size) != 1 or isinstance(size[0], Dimension):
        raise fail(
            "bad-data-shape",
            "data has one finite size",
            node.shape.span,
            expected="a shape such as (d)",
            fix="random x: (n) ~ N(0, 1) for a vector of infinite size" if len(size) == 1 else None,
        )
    for target, keys, scope in members(context, node.targets, node.clauses):
        name = member_name(target, keys)
        given = context.overrides.get(name)
        if given is not None:
            context.data[name] = data_items(context, name, given, size[0], None)
        elif node.value is not None:
            value = evaluate(context, node.value, scope)
            context.data[name] = data_items(context, name, value, size[0], node.value)
        else:
            context.data[name] = None
        store(context.scope, target, keys, Data(((name, S.One),), size[0]))


def data_items(
    context: Context, name: str, value: Value | Expr, size: Finite, node: tree.Expr | None
) -> tuple[Expr, ...]:
    """The numbers of a data point, as many as its size says; ``node`` is where they are written."""
    place = node.span if node is not None else None
    origin = "" if node is not None else f"--set {name}: "
    items = value.items if isinstance(value, ListValue) else ()
    for i, item in enumerate(items):
        if not isinstance(item, Scalar) or item.expr.free_symbols & context.nodes.keys():
            inner = node.items[i].span if isinstance(node, tree.ListLiteral) else place
            what = f"{origin}data is made of numbers, not {describe(item)}"
            raise fail("bad-data", what, inner, expected="[1, 2, …]")
    if not items:
        raise fail("bad-data", f"{origin}data is given as a list of numbers", place, expected="[1, 2, …]")
    if size.size.is_Integer and len(items) != size.size:
        what = f"{origin}{len(items)} numbers given for data of size {size.size}"
        raise fail("wrong-data-size", what, place)
    first, length = context.lengths.setdefault(size.name, (name, len(items)))
    if length != len(items):
        what = f"{origin}{len(items)} numbers given, {length} for {first}, which has the same size {size.name}"
        raise fail("wrong-data-size", what, place)
    return tuple(i.expr for i in items)


def shape(context: Context, node: tree.TupleLiteral) -> tuple[Size, ...]:
    """A shape as sizes; numbers are finite sizes."""
    if len(node.items) > 2:
        raise fail("bad-shape", "a shape has at most two sizes", node.span)
    return tuple(size_of(context, item) for item in node.items)


def size_of(context: Context, item: tree.Expr) -> Size:
    if isinstance(item, tree.Name) and context.scope.find(item.id) is None:
        hint = context.scope.hint(item.id, item.span)
        hint = hint or f"width {item.text} if it goes to infinity, else dim {item.text}"
        raise unknown_name(item.text, item.span, (), hint=hint)
    value = evaluate(context, item, context.scope)
    if isinstance(value, Dimension | Finite):
        return value
    if isinstance(value, Scalar) and value.expr.is_Integer and value.expr > 0:
        return Finite(str(value.expr), value.expr)
    given = written(value.expr) if isinstance(value, Scalar) else describe(value)
    raise fail(
        "bad-shape",
        f"a shape is made of widths, dims and numbers ≥ 1, not {given}",
        item.span,
        fix="declare a size of its own with width or dim" if isinstance(item, tree.Binary) else None,
    )


def declare_fn(context: Context, node: tree.Fn) -> None:
    fresh(context, node.name)
    name = node.name.id
    if node.body is None:
        arity = len(node.parameters) or 1
        context.unknown_functions[name] = arity
        made = Nonlinearity(name, arity, unknown(name, arity))
        context.scope.names[name] = made
        name_derivatives(context, made)
        return
    own = next((n for n in mentioned(node.body) if n.id == name and context.scope.find(name) is None), None)
    if own is not None:
        raise fail("recursion", f"{own.text} is defined in terms of itself", own.span)
    slots = [Symbol(f"$fn {name} {i}", real=True) for i in range(len(node.parameters))]
    scope = context.scope.child(**{p.id: Scalar(s) for p, s in zip(node.parameters, slots, strict=True)})
    for used in mentioned(node.body):
        if isinstance(scope.find(used.id), VectorValue | Data | Operator):
            arguments = ", ".join(p.text for p in node.parameters)
            what = f"a nonlinearity is a function of its arguments ({arguments}) and of parameters, not of {used.text}"
            raise fail("number-expected", what, used.span, fix=f"make {used.text} an argument")
    body = number(context, node.body, scope, what=f"the body of {node.name.text}")

    def apply(*arguments: Expr) -> Expr:
        return body.xreplace(dict(zip(slots, arguments, strict=True)))

    made = Nonlinearity(name, len(slots), apply)
    context.scope.names[name] = made
    name_derivatives(context, made)


def name_derivatives(context: Context, function: Nonlinearity) -> None:
    """``phi'`` and ``phi''`` for a function of one argument, unless the file gives these names a meaning."""
    assert context.scope.parent is not None
    if function.arity == 1:
        for order in (1, 2):
            name = function.name + "'" * order
            context.scope.parent.names[name] = Nonlinearity(name, 1, derivative(function, order))


def derivative(function: Nonlinearity, order: int) -> Callable[..., Expr]:
    """The derivative of a function of one argument, as a function."""
    slot = Symbol("$slope", real=True)

    def apply(z: Expr) -> Expr:
        return sp.diff(function.apply(slot), slot, order).xreplace({slot: z})

    return apply


def constants() -> dict[str, Value]:
    """What is known before any declaration."""
    names: dict[str, Value] = {
        name: Nonlinearity(name, arity, build) for name, (build, arity) in NONLINEARITIES.items()
    }
    more = ("asin", "acos", "atan", "cosh", "sinh", "tan")
    names |= {name: Nonlinearity(name, 1, getattr(sp, name)) for name in more}
    return names | {"pi": Scalar(sp.pi), "e": Scalar(sp.E), "oo": Scalar(sp.oo)}


__all__ = [
    "constants", "declare_fn", "declare_input", "declare_param", "declare_size", "fresh", "members", "number",
    "shape", "width_symbol",
]
