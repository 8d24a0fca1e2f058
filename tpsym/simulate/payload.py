"""Payloads as NumPy: a sympy expression becomes a short list of array operations.

The translation is a table from sympy class to ufunc, walked once per expression. It goes through no
text and shares nothing with the code that derives limits, so it can contradict it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from types import MappingProxyType
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy import special
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from tpsym import functions as tp
from tpsym.errors import Span, fail

Array = NDArray[np.float64]
Value = Array | float
Operation = Callable[..., Any]

MAX_MULTIPLIED = 32
"""Whole powers up to this one are multiplied out: ``np.power`` costs tens of multiplications."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on the results of earlier steps."""

    operation: Operation
    arguments: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Payload:
    """An expression compiled to ``steps``; each step is an operation, a constant or a symbol to look up.

    Call it with what the symbols stand for, by name: numbers, or arrays of any shapes that broadcast.
    The result is the value of the last step, which is a number if it depends on no array.
    """

    steps: tuple[Step | sp.Symbol | float | bool, ...]

    @property
    def symbols(self) -> frozenset[sp.Symbol]:
        """The symbols the payload reads."""
        return frozenset(s for s in self.steps if isinstance(s, sp.Symbol))

    def __call__(self, given: Mapping[str, Value]) -> Any:
        """The value; NaN and ±inf where the expression has none, without a warning."""
        results: list[Any] = []
        # A Piecewise evaluates all its branches, also where they are not meant to be evaluated.
        with np.errstate(all="ignore"):
            for step in self.steps:
                if isinstance(step, Step):
                    results.append(step.operation(*(results[i] for i in step.arguments)))
                else:
                    results.append(given[step.name] if isinstance(step, sp.Symbol) else step)
        return results[-1]


def compile_payload(
    expression: sp.Expr, *, functions: Mapping[str, Callable[..., Any]], span: Span | None = None
) -> Payload:
    """Translate an expression; equal subexpressions are computed once.

    ``functions`` gives the unknown functions by name, and their derivatives as ``phi'`` (one
    argument) or ``phi[1,0]`` (partial orders); each takes and returns arrays.
    Raises :class:`TpError` (``not-numeric``) naming a function that has no NumPy form.
    """
    steps: list[Step | sp.Symbol | float | bool] = []
    known: dict[sp.Basic, int] = {}
    for part in _postorder(expression):
        if part not in known:
            arguments = tuple(known[child] for child in _children(part))
            leaf = _leaf(part)
            steps.append(Step(_operation(part, functions, span), arguments) if leaf is None else leaf)
            known[part] = len(steps) - 1
    return Payload(tuple(steps))


def _postorder(expression: sp.Basic) -> Iterator[sp.Basic]:
    """Subexpressions, arguments first; a stack, since payloads made by a transformation may be deep."""
    stack = [(expression, False)]
    while stack:
        part, expanded = stack.pop()
        if expanded:
            yield part
        else:
            stack.append((part, True))
            stack.extend((child, False) for child in reversed(_children(part)))


def _children(part: sp.Basic) -> tuple[sp.Basic, ...]:
    if isinstance(part, tp.Unknown):
        return part.arguments
    if isinstance(part, sp.Piecewise):
        return tuple(item for pair in part.args for item in pair.args)
    if isinstance(part, sp.Pow) and _plain_power(part.exp) is not None:
        return (part.base,)
    return tuple(part.args)


def _leaf(part: sp.Basic) -> sp.Symbol | float | bool | None:
    if isinstance(part, sp.Symbol):
        return part
    if isinstance(part, BooleanTrue | BooleanFalse):
        return bool(part)
    if isinstance(part, sp.Number | sp.NumberSymbol):
        return float(part)
    return None


def _operation(
    part: sp.Basic, functions: Mapping[str, Callable[..., Any]], span: Span | None
) -> Operation:
    if isinstance(part, tp.Unknown):
        return _unknown(part, functions, span)
    if isinstance(part, sp.Pow):
        return _plain_power(part.exp) or np.power
    operation = OPERATIONS.get(type(part))
    if operation is None:
        raise fail(
            "not-numeric", f"{type(part).__name__} has no value at finite width: {part}", span,
            fix="use a function of the language, or `fn` with a numeric function of that name",
        )
    return operation


def _unknown(part: tp.Unknown, functions: Mapping[str, Callable[..., Any]], span: Span | None) -> Operation:
    key = unknown_key(part.name, part.orders)
    if key not in functions:
        raise fail(
            "not-numeric", f"the function {key} is unknown, so nothing can be computed with it", span,
            fix=f"pass functions={{{key!r}: …}}, a function of arrays",
        )
    function = functions[key]
    return lambda *args: np.asarray(function(*args), dtype=np.float64)


def unknown_key(name: str, orders: tuple[int, ...]) -> str:
    """How a (derivative of an) unknown function is called: ``phi``, ``phi''``, ``phi[1,0]``."""
    if not any(orders):
        return name
    if len(orders) == 1:
        return name + "'" * orders[0]
    return f"{name}[{','.join(map(str, orders))}]"


def _plain_power(exponent: sp.Expr) -> Operation | None:
    """The operation raising to a constant power that needs no ``np.power``."""
    if exponent == sp.Rational(1, 2):
        return np.sqrt
    if exponent == sp.Rational(-1, 2):
        return lambda z: 1.0 / np.sqrt(z)
    if isinstance(exponent, sp.Integer) and abs(int(exponent)) <= MAX_MULTIPLIED:
        return partial(_whole_power, exponent=int(exponent))
    return None


def _whole_power(z: Value, *, exponent: int) -> Any:
    base, left, result = np.asarray(z, dtype=np.float64), abs(exponent), None
    while left:
        if left & 1:
            result = base if result is None else result * base
        left >>= 1
        base = base * base if left else base
    assert result is not None, "sympy has no power 0"
    return result if exponent > 0 else 1.0 / result


def _piecewise(*branches: Any) -> Any:
    result: Any = np.nan
    for value, condition in reversed(list(zip(branches[::2], branches[1::2], strict=True))):
        result = np.where(condition, value, result)
    return result


def _fold(ufunc: Operation) -> Operation:
    return lambda *args: reduce(ufunc, args)


def _indicator(z: Any) -> Any:
    return np.heaviside(z, 0.0)


OPERATIONS: Mapping[type, Operation] = MappingProxyType({
    sp.Add: _fold(np.add),
    sp.Mul: _fold(np.multiply),
    sp.Max: _fold(np.maximum),
    sp.Min: _fold(np.minimum),
    sp.Mod: np.mod,
    sp.Abs: np.abs,
    sp.sign: np.sign,
    sp.floor: np.floor,
    sp.ceiling: np.ceil,
    sp.exp: np.exp,
    sp.log: np.log,
    sp.sin: np.sin,
    sp.cos: np.cos,
    sp.tan: np.tan,
    sp.asin: np.arcsin,
    sp.acos: np.arccos,
    sp.atan: np.arctan,
    sp.atan2: np.arctan2,
    sp.sinh: np.sinh,
    sp.cosh: np.cosh,
    sp.tanh: np.tanh,
    sp.coth: lambda z: 1.0 / np.tanh(z),
    sp.sech: lambda z: 1.0 / np.cosh(z),
    sp.csch: lambda z: 1.0 / np.sinh(z),
    sp.asinh: np.arcsinh,
    sp.atanh: np.arctanh,
    sp.erf: special.erf,
    sp.erfc: special.erfc,
    sp.gamma: special.gamma,
    sp.factorial: lambda k: special.gamma(k + 1.0),
    sp.Heaviside: np.heaviside,
    sp.Piecewise: _piecewise,
    sp.ITE: np.where,
    sp.And: _fold(np.logical_and),
    sp.Or: _fold(np.logical_or),
    sp.Xor: _fold(np.logical_xor),
    sp.Not: np.logical_not,
    sp.Eq: np.equal,
    sp.Ne: np.not_equal,
    sp.StrictGreaterThan: np.greater,
    sp.GreaterThan: np.greater_equal,
    sp.StrictLessThan: np.less,
    sp.LessThan: np.less_equal,
    tp.step: _indicator,
    tp.relu: lambda z: np.maximum(z, 0.0),
    tp.leaky_relu: lambda z, slope: np.where(np.greater(z, 0.0), z, slope * z),
    tp.Phi: special.ndtr,
    tp.gelu: lambda z: z * special.ndtr(z),
    tp.sigmoid: special.expit,
    tp.softplus: lambda z: np.logaddexp(0.0, z),
    tp.silu: lambda z: z * special.expit(z),
})
"""The NumPy form of every function but powers and unknown functions. ``delta`` has none."""
