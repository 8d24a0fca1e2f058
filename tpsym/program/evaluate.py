"""Expressions of the language to values."""

from __future__ import annotations

from collections.abc import Iterator

import sympy as sp
from sympy import Expr

from tpsym.errors import Span, TpError, fail
from tpsym.program.arithmetic import binary, negate, plain, signature
from tpsym.program.messages import wrong_arity, wrong_index_count
from tpsym.program.names import OPTIMIZERS, PHASES, limit_question
from tpsym.program.scope import MAX_RANGE, Context, Key, Scope, integer, layer_symbol, lookup
from tpsym.program.values import (
    Alternatives,
    Condition,
    ListValue,
    Macro,
    Scalar,
    Unavailable,
    Value,
    VectorValue,
    describe,
)
from tpsym.syntax import tree


def evaluate(context: Context, node: tree.Expr, scope: Scope) -> Value:
    """The value of an expression in a scope; errors carry the place of the smallest wrong piece."""
    match node:
        case tree.Number(value=number):
            return Scalar(sp.Rational(number.numerator, number.denominator))
        case tree.Name():
            return name_value(context, node, scope)
        case tree.Unary(op="not", operand=operand):
            return Condition("not", (condition(context, operand, scope, "not"),))
        case tree.Unary(op=op, operand=operand):
            inner = evaluate(context, operand, scope)
            return negate(context, inner, operand.span) if op == "-" else plain(context, inner, operand.span)
        case tree.Binary(op="and" | "or" as op):
            return Condition(op, tuple(condition(context, side, scope, op) for side in (node.left, node.right)))
        case tree.Binary():
            return evaluate_binary(context, node, scope)
        case tree.Compare():
            return compare(context, node, scope)
        case tree.Index():
            from tpsym.program.access import index

            return index(context, node, scope)
        case tree.Attribute():
            from tpsym.program.access import attribute

            return attribute(context, node, scope)
        case tree.Call():
            from tpsym.program.calls import call

            return call(context, node, scope)
        case tree.Comprehension():
            from tpsym.program.calls import comprehension

            return comprehension(context, node, scope)
        case tree.Expectation():
            return expectation(context, node, scope)
        case tree.ListLiteral(items=items):
            return ListValue(tuple(evaluate(context, item, scope) for item in items))
        case tree.TupleLiteral(items=(single,)):
            return evaluate(context, single, scope)
        case tree.TupleLiteral():
            raise fail("misplaced", "a pair can only stand in a shape or in the data of `train`", node.span)
        case tree.TableLiteral():
            raise fail("misplaced", "a table can only stand as a learning rate", node.span)
    raise fail("misplaced", "this cannot stand here", node.span, expected="an expression")


def name_value(context: Context, node: tree.Name, scope: Scope) -> Value:
    """The value of a name; a ``let`` without indices or parameters stands for what it defines.

    An optimizer by its name alone is one with no settings given.
    """
    if node.id in OPTIMIZERS and scope.find(node.id) is None:
        from tpsym.program.calls import call

        return call(context, tree.Call(node, (), span=node.span), scope)
    value = lookup(scope, node)
    if isinstance(value, Unavailable):
        raise value.error(node.span)
    if isinstance(value, Macro) and is_plain(value):
        return expand_macro(context, value, (), (), node.span)
    return value


def is_plain(macro: Macro) -> bool:
    """Whether a ``let`` has neither indices nor parameters."""
    return not macro.definition.parameters and not macro.definition.target.indices


def condition(context: Context, node: tree.Expr, scope: Scope, what: str) -> Condition:
    """An expression that has to be a condition."""
    value = evaluate(context, node, scope)
    if isinstance(value, Condition):
        return value
    raise fail(
        "condition-expected",
        f"`{what}` needs a condition, not {describe(value)}",
        node.span,
        expected="a comparison such as u > 0",
    )


def evaluate_binary(context: Context, node: tree.Binary, scope: Scope) -> Value:
    """Left-leaning chains (long sums) iteratively, so that their length is no depth."""
    chain: list[tree.Binary] = []
    left: tree.Expr = node
    while isinstance(left, tree.Binary) and left.op not in ("and", "or"):
        chain.append(left)
        left = left.left
    value = evaluate(context, left, scope)
    for link in reversed(chain):
        right = evaluate(context, link.right, scope)
        value = binary(context, link.op, value, right, link.span, places=(link.left.span, link.right.span))
    return value


def compare(context: Context, node: tree.Compare, scope: Scope) -> Condition:
    if len(node.ops) == 1 and node.ops[0] in ("==", "!="):
        found = compare_word(context, node, scope)
        if found is not None:
            return found
    values = [evaluate(context, operand, scope) for operand in node.operands]
    links = [Condition(op, (a, b)) for op, a, b in zip(node.ops, values, values[1:], strict=False)]
    return links[0] if len(links) == 1 else Condition("and", tuple(links))


def compare_word(context: Context, node: tree.Compare, scope: Scope) -> Condition | None:
    """``meanfield(f).phase == ordered``; ``None`` for any other comparison."""
    for word, other in (node.operands, node.operands[::-1]):
        if not isinstance(word, tree.Name) or word.id not in PHASES or scope.find(word.id) is not None:
            continue
        value = evaluate(context, other, scope)
        if isinstance(value, Alternatives):
            found = value.words[word.id]
            return found if node.ops[0] == "==" else Condition("not", (found,))
    return None


def expectation(context: Context, node: tree.Expectation, scope: Scope) -> Value:
    if context.limit is None:
        raise fail(
            "limit-in-program",
            "E[…] is a limit; it cannot be used inside the program",
            node.span,
            fix="use mean(…) in the program; E[…] in `let`, `claim` and `derive`",
        )
    value = plain(context, evaluate(context, node.body, scope), node.body.span)
    if not isinstance(value, VectorValue | Scalar):
        raise fail("vector-expected", f"E[…] needs a vector or a number, this is {describe(value)}", node.body.span)
    return context.limit.expectation(value, node.span)


def indices(context: Context, items: tuple[tree.Expr, ...], scope: Scope) -> tuple[Key, ...]:
    return tuple(index_key(context, evaluate(context, item, scope), item.span) for item in items)


def index_key(context: Context, value: Value, span: Span) -> Key:
    """An index: a whole number, or a layer at a whole distance from a symbolic index or depth."""
    if isinstance(value, Scalar) and not value.expr.is_Integer and is_layer(context, value.expr):
        found: Expr = sp.expand(value.expr)
        return found
    return integer(value, span)


def is_layer(context: Context, expr: Expr) -> bool:
    """Whether an expression is a symbolic layer: a symbolic index or depth plus a whole number."""
    symbols = expr.free_symbols
    known = all(s in context.ranges or s.name in context.depths or s in context.indices for s in symbols)
    return bool(symbols) and known and all(sp.diff(expr, s) == 1 for s in symbols) and len(symbols) == 1


def expand_or_bind(context: Context, macro: Macro, keys: tuple[Key, ...], span: Span) -> Value:
    if macro.definition.parameters:
        return Macro(macro.definition, _bind_indices(context, macro, keys, span))
    return expand_macro(context, macro, keys, (), span)


def _bind_indices(context: Context, macro: Macro, keys: tuple[Key, ...], span: Span) -> Scope:
    target = macro.definition.target
    if len(keys) != len(target.indices):
        raise wrong_index_count(target.name.text, len(target.indices), len(keys), span)
    names: dict[str, Value] = {}
    for pattern, key in zip(target.indices, keys, strict=True):
        if isinstance(pattern, tree.Name):
            names[pattern.id] = Scalar(sp.Integer(key) if isinstance(key, int) else key)
        elif integer(evaluate(context, pattern, macro.scope), pattern.span) != key:
            raise fail("index-out-of-range", f"there is no {target.name.text}[{key}]", span)
    names["$bound"] = Scalar(sp.S.One)
    return Scope(macro.scope, names)


def expand_macro(
    context: Context, macro: Macro, keys: tuple[Key, ...], arguments: tuple[Value, ...], span: Span
) -> Value:
    """A ``let`` at given indices and arguments."""
    definition = macro.definition
    name = definition.target.name.text
    if context.limit is None and limit_question(definition, declared=context.scope.names) is not None:
        raise fail(
            "limit-in-program",
            f"{name} is a limit; it cannot be used inside the program",
            span,
            fix="use mean(…) in the program",
        )
    scope = macro.scope if "$bound" in macro.scope.names else _bind_indices(context, macro, keys, span)
    parameters = [p.text for p in definition.parameters]
    if len(arguments) != len(parameters):
        raise wrong_arity(name, len(parameters), len(arguments), span, signature=signature(definition))
    scope = scope.child(**{p.id: a for p, a in zip(definition.parameters, arguments, strict=True)})
    if context.calls.count(name) > (0 if is_plain(macro) else MAX_MACRO_DEPTH):
        raise endless(definition, span)
    context.calls.append(name)
    try:
        for item in definition.where:
            if isinstance(item, tree.Binding):
                scope.names[item.target.name.id] = evaluate(context, item.value, scope)
        return evaluate(context, definition.value, scope)
    except TpError as error:
        raise context.in_file(error) from None
    finally:
        context.calls.pop()


MAX_MACRO_DEPTH = 40


def endless(definition: tree.Let, span: Span) -> TpError:
    """The error for a ``let`` that needs itself."""
    name, patterns = definition.target.name.text, definition.target.indices
    fix = None
    if patterns and isinstance(patterns[0], tree.Name):
        fix = f"give it a first case: if({patterns[0].text} == 1, …, …{name}[{patterns[0].text} - 1]…)"
    return fail("recursion", f"{name} is defined in terms of itself without end", span, fix=fix)


def bound_range(context: Context, clause: tree.For, scope: Scope) -> range:
    """The indices of ``for k in a..b``."""
    low = integer(evaluate(context, clause.low, scope), clause.low.span, what="the start of a range")
    high = integer(evaluate(context, clause.high, scope), clause.high.span, what="the end of a range")
    if high - low >= MAX_RANGE:
        raise fail(
            "range-too-large",
            f"this range has more than {MAX_RANGE:,} indices",
            clause.low.span.to(clause.high.span),
        )
    return range(low, high + 1)


def layer_range(context: Context, clause: tree.For, scope: Scope) -> tuple[Expr, Expr] | None:
    """The ends of a range over layers with a symbolic end; ``None`` for any other range."""
    ends = [evaluate(context, node, scope) for node in (clause.low, clause.high)]
    keys = [v.expr for v in ends if isinstance(v, Scalar) and (v.expr.is_Integer or is_layer(context, v.expr))]
    if len(keys) < len(ends) or all(k.is_Integer for k in keys):
        return None
    return sp.expand(keys[0]), sp.expand(keys[1])


def assignments(
    context: Context, clauses: tuple[tree.For, ...], scope: Scope, *, layers: bool = False
) -> Iterator[Scope]:
    """One scope per combination of the indices of several clauses (later ranges may use earlier indices).

    With ``layers`` a symbolic range gives one scope, in which its index is a symbol.
    """
    repeated = [c.index for i, c in enumerate(clauses) if c.index.id in {b.index.id for b in clauses[:i]}]
    if repeated:
        raise fail(
            "repeated-index", f"the index {repeated[0].text} has two ranges", repeated[0].span,
            fix="give each range its own index",
        )
    for count, inner in enumerate(_combinations(context, clauses, scope, layers)):
        if count >= MAX_RANGE:
            raise fail(
                "range-too-large",
                f"these ranges have more than {MAX_RANGE:,} combinations",
                clauses[0].span.to(clauses[-1].span),
            )
        yield inner


def _combinations(
    context: Context, clauses: tuple[tree.For, ...], scope: Scope, layers: bool
) -> Iterator[Scope]:
    if not clauses:
        yield scope
        return
    ends = layer_range(context, clauses[0], scope) if layers else None
    if ends is not None:
        symbol = layer_symbol(context, clauses[0].index.id, ends[0])
        context.ranges[symbol] = ends
        context.indices.add(symbol)
        inner = scope.child(**{clauses[0].index.id: Scalar(symbol)})
        yield from _combinations(context, clauses[1:], inner, layers)
        return
    for key in bound_range(context, clauses[0], scope):
        inner = scope.child(**{clauses[0].index.id: Scalar(sp.Integer(key))})
        yield from _combinations(context, clauses[1:], inner, layers)


__all__ = [
    "assignments", "bound_range", "condition", "evaluate", "expand_macro", "expand_or_bind", "indices",
    "is_plain", "wrong_arity",
]
