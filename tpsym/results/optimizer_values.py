"""Optimizers in the language: ``sgd(lr = eta*n^(-c))``, ``adam(lr = {W[1]: eta, v: eta/n}, eps = 1/n)``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy import Expr, S

from tpsym.errors import TpError, fail
from tpsym.polyhedra.forms import Form
from tpsym.polyhedra.translate import from_sympy
from tpsym.program.access import index
from tpsym.program.arithmetic import plain
from tpsym.program.evaluate import evaluate, indices
from tpsym.program.messages import similar, written, wrong_arity
from tpsym.program.scope import Context, Scope, lookup, power_of
from tpsym.program.values import Family, Macro, OptimizerValue, Scalar, describe
from tpsym.syntax import tree
from tpsym.transform.optimizers import Optimizer, Rule

BETA1, BETA2 = sp.Rational(9, 10), sp.Rational(999, 1000)
"""The rates of the averages of gradients and of their squares where none are given."""


@dataclass(frozen=True, slots=True)
class Kind:
    """An optimizer of the language: the rule it is, its settings in order, and what it starts from."""

    rule: Rule
    options: tuple[str, ...]
    start: Optimizer


def _kind(rule: Rule, *options: str, adaptive: bool = False) -> Kind:
    start = Optimizer(rule, beta1=BETA1, beta2=BETA2) if adaptive else Optimizer(rule)
    return Kind(rule, ("lr", *options), start)


KINDS: Mapping[str, Kind] = MappingProxyType({
    "sgd": _kind("sgd", "momentum", "weight_decay"),
    "signsgd": _kind("signsgd", "weight_decay"),
    "adam": _kind("adam", "beta1", "beta2", "eps", "weight_decay", adaptive=True),
    "adamw": _kind("adam", "beta1", "beta2", "eps", "weight_decay", adaptive=True),
    "adagrad": _kind("adagrad", "eps"),
    "adafactor": _kind("adafactor", "beta1", "beta2", "eps", "weight_decay", adaptive=True),
    "muon": _kind("muon", "momentum", "weight_decay"),
    "shampoo": _kind("muon", "momentum", "weight_decay"),
})
"""The optimizers of the language; Shampoo without its averages is Muon's rule (Bernstein and Newhouse, 2024)."""

TABLES: Mapping[str, tuple[str, str]] = MappingProxyType({
    "lr": ("rate", "rates"), "weight_decay": ("decay", "decays"), "eps": ("eps", "epsilons"),
})
"""The settings that may differ by array, as they are called in :class:`Optimizer`."""

AVERAGES = ("momentum", "beta1", "beta2")


def signature(name: str) -> str:
    """How an optimizer is called."""
    return f"{name}({', '.join(KINDS[name].options)})"


def optimizer(context: Context, node: tree.Call, scope: Scope) -> OptimizerValue:
    """The optimizer that a call such as ``sgd(lr = eta)`` names.

    Raises:
        TpError: an unknown setting, one given twice or not as what it has to be, a table for what is not trained.
    """
    assert isinstance(node.function, tree.Name)
    name = node.function.id
    found = KINDS[name].start
    for option, value in settings(name, node):
        found = _set(context, found, option, value, scope)
    return OptimizerValue(name, found)


def settings(name: str, node: tree.Call) -> list[tuple[str, tree.Expr]]:
    """The settings of a call by name; those without come in the order of the signature."""
    options = KINDS[name].options
    if len(node.args) > len(options):
        raise wrong_arity(name, len(options), len(node.args), node.span, signature=signature(name))
    found = list(zip(options, node.args, strict=False))
    for option, value in node.kwargs:
        if option not in options:
            close = similar(option, options) or {"eta": "lr", "learning_rate": "lr", "rate": "lr", "step": "lr",
                                                 "wd": "weight_decay", "decay": "weight_decay"}.get(option)
            fix = f"did you mean {close}?" if close in options else None
            raise fail("bad-option", f"{name} has no setting {option}", value.span, expected=signature(name), fix=fix)
        if option in dict(found):
            raise fail("repeated-option", f"{option} is given twice", value.span)
        found.append((option, value))
    return found


def _set(context: Context, found: Optimizer, option: str, node: tree.Expr, scope: Scope) -> Optimizer:
    if option in AVERAGES:
        return replace(found, **{option: _average(context, option, node, scope)})
    single, table = TABLES[option]
    if isinstance(node, tree.TableLiteral):
        changes: dict[str, Any] = {table: _table(context, option, node, scope)}
    else:
        changes = {single: _size(context, option, node, scope)}
    return replace(found, **changes)


def _number(context: Context, option: str, node: tree.Expr, scope: Scope) -> Expr:
    """A setting as an expression in parameters and the width."""
    if isinstance(node, tree.TableLiteral):
        raise fail("misplaced", f"{option} is one number for all arrays", node.span)
    value = plain(context, evaluate(context, node, scope), node.span)
    if not isinstance(value, Scalar):
        raise fail("number-expected", f"{option} has to be a number, not {describe(value)}", node.span)
    if value.expr.free_symbols & context.nodes.keys():
        raise fail("random-condition", f"{option} has to be a number, not one that the program computes", node.span)
    return value.expr


def _average(context: Context, option: str, node: tree.Expr, scope: Scope) -> Expr:
    value = _number(context, option, node, scope)
    outside = (value.is_negative or (1 - value).is_nonpositive) and value.is_number
    if outside or value.has(context.n):
        raise fail("bad-value", f"{option} cannot be {written(value)}", node.span, expected="a number in 0 ≤ … < 1")
    return value


def _size(context: Context, option: str, node: tree.Expr, scope: Scope) -> Expr:
    """A rate, decay or ε: positive, a constant times a power of n whose exponent is linear in the parameters."""
    value = _number(context, option, node, scope)
    if value == 0 and option != "lr":
        return S.Zero
    if value.is_nonpositive or value.is_real is False or value.is_finite is False:
        fix = "declare arrays that are not trained with `random`" if value == 0 else None
        what = f"{option} cannot be {written(value)}"
        raise fail("bad-value", what, node.span, expected="a positive number", fix=fix)
    parts = power_of(value, context.n)
    if parts is None:
        what = f"{written(value)} is not a constant times a power of {context.n}"
        raise fail("bad-power-of-n", what, node.span)
    if not isinstance(from_sympy(parts[1]), Form):
        what = f"the exponent {written(parts[1])} is not linear in the parameters with rational coefficients"
        raise fail("nonlinear-exponent", what, node.span)
    return value


def _table(context: Context, option: str, node: tree.TableLiteral, scope: Scope) -> Mapping[str, Expr]:
    found: dict[str, Expr] = {}
    for key, value in node.items:
        size = _size(context, option, value, scope)
        for name in arrays_named(context, key, scope):
            if name in found:
                raise fail("repeated-option", f"{option} of {name} is given twice", key.span)
            found[name] = size
    return MappingProxyType(found)


def arrays_named(context: Context, node: tree.Expr, scope: Scope) -> tuple[str, ...]:
    """The trained arrays that ``v``, ``W[2]`` or a whole family ``W`` stands for.

    Raises:
        TpError: it names none.
    """
    trained = [t.name for t in context.trained]
    name = node.base if isinstance(node, tree.Index) else node
    if not isinstance(name, tree.Name):
        raise not_trained(context, node, describe(evaluate(context, node, scope)))
    base = lookup(scope, name)
    value = index(context, node, scope) if isinstance(node, tree.Index) else base
    found: tuple[str, ...] = ()
    if base is not context.scope.names.get(name.id) or isinstance(base, Macro):
        pass
    elif isinstance(node, tree.Index):
        found = (f"{name.id}[{', '.join(map(str, indices(context, node.indices, scope)))}]",)
    elif isinstance(base, Family):
        found = tuple(t for t in trained if t.startswith(f"{name.id}["))
    else:
        found = (name.id,)
    if not found or not set(found) <= set(trained):
        raise not_trained(context, node, describe(value))
    return found


def not_trained(context: Context, node: tree.Expr, what: str) -> TpError:
    """The error for an array that training does not change."""
    known = ", ".join(t.name for t in context.trained) or None
    fix = None if known else "declare what is trained with `weight`"
    return fail("not-trained", f"this is {what}, not a trained array", node.span, expected=known, fix=fix)


def one_array(context: Context, node: tree.Expr, scope: Scope) -> str:
    """The one trained array that is named."""
    names = arrays_named(context, node, scope)
    if len(names) > 1:
        raise fail("not-indexed", "this is a family of arrays", node.span, fix=f"pick one: {names[0]}")
    return names[0]


__all__ = ["KINDS", "arrays_named", "one_array", "optimizer", "signature"]
