"""Scaling exponents in the language: ``scaling(f, sgd(…)).r``, ``mup(f, adam).lr(W[2])``, and their answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import sympy as sp
from sympy import Expr, Integer, Rational, Symbol

from tpsym.errors import Span, TpError, fail
from tpsym.polyhedra.conditions import And, Compare, Constant, Not, Or, any_of
from tpsym.polyhedra.conditions import Condition as Exact
from tpsym.polyhedra.conditions import Expression as Piecewise
from tpsym.polyhedra.translate import to_sympy
from tpsym.program.arithmetic import plain
from tpsym.program.evaluate import evaluate
from tpsym.program.messages import no_named_arguments, similar, wrong_arity
from tpsym.program.scope import Context, Scope
from tpsym.program.values import (
    Condition,
    Finite,
    Function,
    Method,
    OptimizerValue,
    Region,
    Scalar,
    Theory,
    Value,
    VectorValue,
    describe,
)
from tpsym.results.answers import Answer, Table
from tpsym.results.exponent_conditions import largest_change
from tpsym.results.exponent_regions import condition_tables, region_tables
from tpsym.results.exponent_tables import kernel_table, regimes_table, sizes_table, sums_table
from tpsym.results.exponents import MaximalUpdate, Scaling, analyse, initial, maximal_update, output
from tpsym.results.mup_tables import reasons_table, solution_table
from tpsym.results.optimizer_values import KINDS, one_array
from tpsym.results.reasons import NoLimit, reasons, stand_in
from tpsym.scaling.mup import Gauge
from tpsym.scaling.updates import Alignment
from tpsym.syntax import tree

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

ALIGNMENTS: tuple[Alignment, ...] = ("worst", "everett_full", "none")
MULTIPLIERS: tuple[Gauge, ...] = ("one", "unit_readout", "equal_variance")
SIGNATURES = {
    "scaling": "scaling(f, sgd(lr = …)), and alignment = worst, everett_full or none, scale = L",
    "mup": "mup(f, adam), and multipliers = one, unit_readout or equal_variance, scale = L",
}
CONDITIONS = ("stable", "nontrivial", "feature_learning", "kernel_regime", "faithful", "region")
SCALING = ("init", "first", "update", "r", *CONDITIONS)
MUP = ("std", "multiplier", "lr", "decay", "eps", "value")


def ask_scaling(side: LimitQuestions, node: tree.Call, scope: Scope) -> Value:
    """``scaling(f, optimizer, alignment = …, scale = L)``."""
    function, optimizer = _subject(side, node, scope)
    alignment, depth = _word(node, "alignment", ALIGNMENTS), _of_depth(side.context, node)

    def content() -> Scaling:
        key = ("scaling", function, repr(optimizer.settings), alignment, depth)
        if key not in side.exponents:
            with reasons(node.span):
                side.exponents[key] = analyse(
                    side.context, function, optimizer.settings, node.span, alignment=alignment, depth=depth
                )
        found: Scaling = side.exponents[key]
        return found

    def find(context: Context, name: str, place: Span) -> Value:
        return _scaling_attribute(side, content, name, place)

    return Theory("scaling", function, find, content)


def ask_mup(side: LimitQuestions, node: tree.Call, scope: Scope) -> Value:
    """``mup(f, optimizer, multipliers = …, scale = L)``."""
    function, optimizer = _subject(side, node, scope)
    multipliers, depth = _word(node, "multipliers", MULTIPLIERS), _of_depth(side.context, node)

    def content() -> MaximalUpdate:
        key = ("mup", function, repr(optimizer.settings), multipliers, depth)
        if key not in side.exponents:
            with reasons(node.span):
                side.exponents[key] = maximal_update(
                    side.context, function, optimizer.settings, node.span, multipliers=multipliers, depth=depth
                )
        found: MaximalUpdate = side.exponents[key]
        return found

    def find(context: Context, name: str, place: Span) -> Value:
        if name not in MUP:
            raise _unknown("mup", name, MUP, place)
        return Method(name, lambda context, call, scope: _solved(side, content, name, call, scope))

    return Theory("mup", function, find, content)


# --- arguments -----------------------------------------------------------------------------------------


def _subject(side: LimitQuestions, node: tree.Call, scope: Scope) -> tuple[Function, OptimizerValue]:
    context = side.context
    assert isinstance(node.function, tree.Name)
    name = node.function.id
    if len(node.args) != 2:
        raise wrong_arity(name, 2, len(node.args), node.span, signature=SIGNATURES[name])
    function, optimizer = (evaluate(context, a, scope) for a in node.args)
    if not isinstance(function, Function):
        raise fail("function-expected", f"{name} needs a network, this is {describe(function)}", node.args[0].span)
    if not isinstance(optimizer, OptimizerValue):
        what = f"{name} needs an optimizer, this is {describe(optimizer)}"
        raise fail("optimizer-expected", what, node.args[1].span, expected=", ".join(KINDS))
    if side.dry:
        output(context, function, node.span)  # mistakes inside the network are found before anything is derived
    return function, optimizer


Word = TypeVar("Word", bound=str)


def _word(node: tree.Call, option: str, words: tuple[Word, ...]) -> Word:
    """The word given for an option, the first of those there are where none is given."""
    assert isinstance(node.function, tree.Name)
    found = words[0]
    for name, value in node.kwargs:
        if name == "scale":
            continue
        if name != option:
            what = f"{node.function.text} has no setting {name}"
            raise fail("bad-option", what, value.span, expected=SIGNATURES[node.function.id])
        named = [word for word in words if isinstance(value, tree.Name) and value.id == word]
        if not named:
            raise fail("bad-option", f"{option} is a word", value.span, expected=" or ".join(words))
        (found,) = named
    return found


def _of_depth(context: Context, node: tree.Call) -> bool:
    """Whether exponents of the depth are asked for: ``scale = L`` with the symbolic depth of the file."""
    for name, value in node.kwargs:
        if name == "scale":
            known = isinstance(value, tree.Name) and value.id in context.depths
            found = context.scope.find(value.id) if isinstance(value, tree.Name) else None
            if not known or not isinstance(found, Scalar) or found.expr.is_number:
                raise fail("bad-option", "scale is the name of a symbolic depth", value.span,
                           expected="scale = L, with `depth L` in the file")
            return True
    return False


def _argument(node: tree.Call) -> tree.Expr:
    """The one argument of a method."""
    assert isinstance(node.function, tree.Attribute)
    if node.kwargs:
        raise no_named_arguments(f".{node.function.name}", node.kwargs[0][1].span)
    if len(node.args) != 1:
        raise wrong_arity(f".{node.function.name}", 1, len(node.args), node.span)
    return node.args[0]


def _unknown(kind: str, name: str, known: tuple[str, ...], place: Span) -> TpError:
    close = similar(name, known)
    return fail("unknown-member", f"{kind}(…) has no {name}", place, expected=", ".join(f".{a}" for a in known),
                fix=f"did you mean .{close}?" if close else None)


# --- attributes ----------------------------------------------------------------------------------------


def _scaling_attribute(side: LimitQuestions, content: Callable[[], Scaling], name: str, place: Span) -> Value:
    if name not in SCALING:
        raise _unknown("scaling", name, SCALING, place)
    if name in ("init", "first", "update"):
        return Method(name, lambda context, call, scope: _exponent(side, content, name, call, scope))
    if name == "r":
        what = "no feature ever changes in training"
        return Scalar(_dry(name) if side.dry else _present(side.context, content().r, what, place))
    if side.dry:
        # not zero: a condition that can be decided would be one that says something
        return Region(">=", (Scalar(_dry(name)), Scalar(Integer(1))), lambda: None)
    found = condition(side.context, condition_of(content(), name))
    return Region(found.op, found.operands, lambda: (content(), name))


def _dry(name: str) -> Expr:
    return stand_in(Symbol(f"scaling {name}"))


def _exponent(
    side: LimitQuestions, content: Callable[[], Scaling], name: str, node: tree.Call, scope: Scope
) -> Value:
    """``S.init(f.h[1](x))``, ``S.update(f(x))``."""
    context, place = side.context, _argument(node)
    value = plain(context, evaluate(context, place, scope), place.span)
    if isinstance(value, VectorValue | Scalar):
        hidden = any(s.name.startswith(("$hat", "$dot", "$limit")) for s in value.expr.free_symbols)
        if value.expr.free_symbols & context.nodes.keys() and not hidden:
            if side.dry:
                return Scalar(_dry(f"{name} {value.expr}"))
            if isinstance(value, Scalar) and _is_curved(value.expr, context):
                raise NoLimit("the exponent of a function of numbers, which may vanish in the limit, is not derived; "
                              "ask for the numbers themselves", node.span)
            analysis = content()
            with reasons(node.span):
                if name == "init":
                    found = initial(analysis, value.expr, node.span)
                else:
                    found = analysis.first(value.expr) if name == "first" else analysis.update(value.expr)
            what = "it is zero at initialisation" if name == "init" else "it never changes in training"
            return Scalar(_present(context, found, what, node.span))
    what = f".{name}(…) needs a vector or a scalar of the program, this is {describe(value)}"
    raise fail("vector-expected", what, place.span, expected="something like f.h[1](x) or f(x)")


def _is_curved(expr: Expr, context: Context) -> bool:
    """Whether numbers of the program enter an expression other than by sums, products and whole powers."""
    parts = [*expr.atoms(sp.Function), *(p for p in expr.atoms(sp.Pow) if not (p.exp.is_Integer and p.exp > 0))]
    return any(p.free_symbols & context.nodes.keys() for p in parts)


def _present(context: Context, value: Piecewise | None, what: str, span: Span) -> Expr:
    if value is None:
        raise NoLimit(f"there is no exponent: {what}", span)
    return expression(context, value)


def _solved(
    side: LimitQuestions, content: Callable[[], MaximalUpdate], name: str, node: tree.Call, scope: Scope
) -> Value:
    """``M.lr(W[2])``; ``M.value(c)`` is that of a parameter."""
    context, place = side.context, _argument(node)
    subject = _parameter(context, place, scope) if name == "value" else one_array(context, place, scope)
    if side.dry:
        return Scalar(_dry(f"{name} {subject}"))
    solved = content()
    known = solved.values if name == "value" else {row.array for row in solved.rows}
    if subject not in known:
        raise NoLimit(f"training does not depend on {subject}", place.span)
    found: Fraction = getattr(solved, name)(subject)
    return Scalar(rational(found))


def _parameter(context: Context, node: tree.Expr, scope: Scope) -> str:
    value = evaluate(context, node, scope)
    if isinstance(value, Scalar) and value.expr in context.parameters:
        return str(value.expr)
    raise fail("parameter-expected", f"value needs a parameter, this is {describe(value)}", node.span)


def condition_of(found: Scaling, name: str) -> Exact:
    """A condition of an analysis by its name."""
    if name != "region":
        exact: Exact = getattr(found, name)
        return exact
    return any_of(piece.condition for piece in found.pieces)


# --- values of the language from exact ones ------------------------------------------------------------


def rational(value: Fraction) -> Expr:
    """An exact number as an expression."""
    return Rational(value.numerator, value.denominator)


def symbols(context: Context) -> Mapping[str, Symbol]:
    """The parameters, depths and finite sizes of a file by name."""
    values = context.scope.names.values()
    sizes = [v.size if isinstance(v, Finite) else v.expr for v in values if isinstance(v, Finite | Scalar)]
    return {s.name: s for s in (*context.parameters, *sizes) if isinstance(s, Symbol)}


def expression(context: Context, value: Piecewise) -> Expr:
    """A piecewise linear expression over the parameters of the file."""
    found: Expr = to_sympy(value, symbols(context))
    return found


def condition(context: Context, exact: Exact) -> Condition:
    """A condition of the language: comparisons of numbers joined by ``and``, ``or``, ``not``."""
    match exact:
        case Compare(op=op, left=left, right=right):
            return Condition(op, (Scalar(expression(context, left)), Scalar(expression(context, right))))
        case And(items=items) | Or(items=items):
            op = "and" if isinstance(exact, And) else "or"
            return Condition(op, tuple(condition(context, item) for item in items))
        case Not(item=item):
            return Condition("not", (condition(context, item),))
        case Constant(value=value):
            return Condition("and" if value else "or", ())
    raise TypeError(f"no condition: {exact}")


# --- derive --------------------------------------------------------------------------------------------


def exponent_answers(side: LimitQuestions, value: Theory | Region, text: str, span: Span) -> Iterator[Answer]:
    """What ``derive`` states of exponents: an equation where there is one, and tables."""
    if isinstance(value, Region):
        found, name = value.content()
        tables = region_tables(found) if name == "region" else condition_tables(found, name)
        yield _tables(text, tables, span)
    elif value.kind == "scaling":
        found = value.content()
        tables = (sizes_table(found), sums_table(found), regimes_table(found), kernel_table(found))
        r = largest_change(found)
        if r is None:
            yield _tables(text, tables, span)
        else:
            yield Answer(text, Symbol("r"), expression(side.context, r), (), (), span, tables=tables,
                         note="the exponent of the largest change of a feature, with its sign reversed")
    else:
        solution = value.content()
        yield _tables(text, (solution_table(solution), reasons_table(solution)), span)


def _tables(text: str, tables: tuple[Table, ...], span: Span) -> Answer:
    symbol = Symbol(text)
    return Answer(text, symbol, symbol, (), (), span, tables=tables)


__all__ = ["ask_mup", "ask_scaling", "condition", "exponent_answers"]
