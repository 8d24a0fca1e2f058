"""Kernels of a network as objects: entries at the inputs of the file, as expressions, LaTeX or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sympy import Expr, Rational, Symbol

from tpsym.errors import Span, fail, nearest
from tpsym.program.calls import LATER
from tpsym.program.elaborate import Model
from tpsym.program.values import Function, Value
from tpsym.program.values import Kernel as KernelValue
from tpsym.results.derive import default_inputs, needed, notation
from tpsym.results.numbers import decimal
from tpsym.results.questions import LimitQuestions, NoLimit

NOWHERE = Span(1, 1, 1, 1)


@dataclass(frozen=True)
class Kernel:
    """``kernel(f)`` at the declared inputs of a program, for example ``theta.expr("x", "y")``."""

    kind: str
    function: str
    inputs: tuple[str, ...]
    _model: Model = field(repr=False, compare=False)
    _side: LimitQuestions = field(repr=False, compare=False)
    _value: KernelValue = field(repr=False, compare=False)

    def expr(self, x: str | None = None, y: str | None = None) -> Expr:
        """The entry at two declared inputs, named values written out; both default to the first input.

        Raises:
            TpError: no such input, or no Gaussian limit.
        """
        result = self._entry(x, y)
        for symbol, value in reversed(needed(result, self._side.limit.definitions)):
            result = result.xreplace({symbol: value})
        return result

    def definitions(self, x: str | None = None, y: str | None = None) -> tuple[tuple[Symbol, Expr], ...]:
        """The entry as a chain of named values, each before its first user, layer by layer."""
        return needed(self._entry(x, y), self._side.limit.definitions)

    def value(
        self, x: str | None = None, y: str | None = None, *, digits: int = 15,
        values: Mapping[str, Expr | int | Fraction] | None = None,
    ) -> str:
        """The entry as a decimal number; ``values`` gives parameters and ``dot(x, y)`` by name."""
        return decimal(self._model, self._side, self._entry(x, y), exact_values(values), digits)

    def latex(self, x: str | None = None, y: str | None = None) -> str:
        """The entry as LaTeX."""
        from tpsym.report.latex import latex

        return latex(self.expr(x, y), notation(self._side))

    def _repr_latex_(self) -> str:
        other = self.inputs[min(1, len(self.inputs) - 1)]
        return f"$${self.latex(self.inputs[0], other)}$$"

    def _entry(self, x: str | None, y: str | None) -> Expr:
        known: dict[str, Value] = dict(default_inputs(self._model.context.scope))
        chosen = [self._input(name, known) for name in (x, y)]
        try:
            return self._side.kernel(self._value, chosen[0], chosen[1], NOWHERE)
        except NoLimit as error:
            raise fail("no-limit", error.reason) from None

    def _input(self, name: str | None, known: Mapping[str, Value]) -> Value:
        wanted = name if name is not None else self.inputs[0]
        if wanted not in known:
            close = nearest(wanted, known)
            raise fail("unknown-name", f"the file declares no input {wanted!r}", fix=close and f"did you mean {close!r}?")
        return known[wanted]


def exact_values(values: Mapping[str, Expr | int | Fraction] | None) -> dict[str, Expr]:
    """Values by name as exact expressions."""
    return {
        name: v if isinstance(v, Expr) else Rational(Fraction(v).numerator, Fraction(v).denominator)
        for name, v in (values or {}).items()
    }


def kernel(model: Model, side: LimitQuestions, kind: str, function: str) -> Kernel:
    """The kernel of a network of the file.

    Raises:
        TpError: an unknown kind, an unknown function, or a file without inputs.
    """
    if kind in LATER:
        raise fail("not-available", f"{LATER[kind]} is not available yet")
    if kind != "nngp":
        raise fail("unknown-kernel", f"unknown kernel {kind!r}", expected="nngp")
    found = model.context.scope.find(function)
    if not isinstance(found, Function):
        functions = [k for k, v in model.context.scope.names.items() if isinstance(v, Function)]
        close = nearest(function, functions)
        raise fail("unknown-name", f"the file defines no function {function!r}", fix=close and f"did you mean {close!r}?")
    inputs = tuple(name for name, _ in default_inputs(model.context.scope))
    if not inputs:
        raise fail("no-inputs", "the file declares no inputs", fix="input x, y: (d)")
    return Kernel(kind, function, inputs, model, side, KernelValue(kind, found))
