"""Kernels of a network as objects: entries at the inputs of the file, as expressions, LaTeX or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from sympy import Expr, ImmutableMatrix, Rational, Symbol

from tpsym.errors import NOWHERE, TpError, fail, nearest
from tpsym.limit.variables import label_latex
from tpsym.program.elaborate import Model
from tpsym.program.evaluate import evaluate
from tpsym.program.values import Data, Family, Finite, Value, describe
from tpsym.program.values import Kernel as KernelValue
from tpsym.results.answers import Answer, Notation, needed
from tpsym.results.derive import default_inputs, notation
from tpsym.results.numbers import decimal
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.syntax.parse import parse_expression

KINDS = ("nngp", "ntk")
Typeset = Callable[[Answer, Notation], str]
Values = Mapping[str, Expr | Fraction | int | float | str]


@dataclass(frozen=True)
class Kernel:
    """``kind(function)``, for example ``nngp(f)``; an entry is asked for at two inputs, ``k.expr("x", "y")``.

    An input is a declared one (``inputs`` lists them, members of families one by one) or a combination
    such as ``"x - 2*y"``; left out, it is the first.
    """

    kind: str
    function: str
    inputs: tuple[str, ...]
    _model: Model = field(repr=False, compare=False)
    _side: LimitQuestions = field(repr=False, compare=False)
    _value: KernelValue = field(repr=False, compare=False)
    _typeset: Typeset = field(repr=False, compare=False)

    def expr(self, x: str | None = None, y: str | None = None) -> Expr:
        """The entry in terms of the parameters and inner products alone, exact.

        Raises:
            TpError: no such input, or no Gaussian limit.
        """
        result = self._entry(x, y)
        for symbol, value in reversed(needed(result, self._side.limit.definitions)):
            result = result.xreplace({symbol: value})
        return result

    def matrix(self) -> ImmutableMatrix:
        """The entries at all pairs of ``inputs``."""
        return ImmutableMatrix([[self.expr(x, y) for y in self.inputs] for x in self.inputs])

    def definitions(self, x: str | None = None, y: str | None = None) -> tuple[tuple[Symbol, Expr], ...]:
        """The chain of named values, layer by layer, that the entry is stated in; each before its first user."""
        return needed(self._entry(x, y), self._side.limit.definitions)

    def answer(self, x: str | None = None, y: str | None = None) -> Answer:
        """The entry as an equation in terms of its ``definitions``, as :func:`tpsym.derive` gives it."""
        first, second = (name or self.inputs[0] for name in (x, y))
        question = f"{self.kind}({self.function})"
        left = Symbol(f"{question}({first}, {second})", real=True)
        arguments = f"{label_latex(first)}, {label_latex(second)}"
        head = rf"\operatorname{{{self.kind.upper()}}}_{{{label_latex(self.function)}}}"
        self._side.limit.variables.latex.setdefault(left, f"{head}({arguments})")
        return Answer(question, left, self._entry(x, y), self.definitions(x, y), (), NOWHERE)

    def value(
        self, x: str | None = None, y: str | None = None, *, digits: int = 15, values: Values | None = None
    ) -> str:
        """The entry as a decimal number of which every digit is certified.

        ``values`` gives parameters, sizes and inner products by name, ``{"sigma": 2, "dot(x, y)": 0.3}``;
        a float stands for the decimal it prints as. The others have their settings or defaults.

        Raises:
            TpError: something has no value, or cannot be given one here; no such input, or no Gaussian limit.
        """
        try:
            exact = {**self._model.context.overrides, **exact_values(self._model, values or {})}
            return decimal(self._model, self._side, self._entry(x, y), exact, digits)
        except TpError as error:
            found = error.diagnostics[0]
            if found.code != "no-value":
                raise
            raise fail(found.code, found.message, fix='values={"sigma": 2, "dot(x, y)": 0.3}') from None

    def latex(self, x: str | None = None, y: str | None = None) -> str:
        """The entry as an equation in LaTeX, with the named values it is stated in."""
        return self._typeset(self.answer(x, y), notation(self._side))

    def _repr_latex_(self) -> str:
        other = self.inputs[min(1, len(self.inputs) - 1)]
        return f"$${self.latex(self.inputs[0], other)}$$"

    def _entry(self, x: str | None, y: str | None) -> Expr:
        first, second = (self._input(name or self.inputs[0]) for name in (x, y))
        try:
            return self._side.kernel(self._value, first, second, NOWHERE)
        except NoLimit as error:
            raise fail("no-limit", error.reason) from None

    def _input(self, text: str) -> Value:
        try:
            node = parse_expression(text)
            found = evaluate(self._model.context, node, self._model.context.scope)
            if not isinstance(found, Data):
                raise fail("input-expected", f"a kernel has data as arguments, this is {describe(found)}", node.span,
                           expected=f"one of {', '.join(self.inputs)}, or a combination")
        except TpError as error:
            raise error.located(source=text, filename="<input>") from None
        return found


def exact_values(model: Model, values: Values) -> dict[str, Expr]:
    """Values by name as exact expressions.

    Raises:
        TpError: a value is no number, or belongs to nothing that is open in the file.
    """
    sizes = [v.size for v in model.context.scope.names.values() if isinstance(v, Finite)]
    known = {s.name for s in [*model.context.parameters, *sizes] if isinstance(s, Symbol)}
    exact: dict[str, Expr] = {}
    for given, value in values.items():
        name = setting_name(given)
        if name not in known and not name.startswith("dot("):
            close = nearest(name, known)
            raise fail("unknown-name", f"the file leaves no {given!r} open", expected=", ".join(sorted(known)) or None,
                       fix=close and f"did you mean {close!r}?")
        try:
            exact[name] = value if isinstance(value, Expr) else Rational(str(value))
        except (TypeError, ValueError):
            raise fail("bad-setting", f"{given} = {value!r}: expected a number") from None
    return exact


def setting_name(text: str) -> str:
    """A name, ``a[1]`` or ``dot(x, y)`` as the symbol is called: Greek letters spelled out, inputs in order."""
    node = _folded(parse_expression(text))
    match node:
        case tree.Call(function=tree.Name(id="dot"), args=(_, _)):
            return f"dot({', '.join(sorted(map(format_expression, node.args)))})"
    return format_expression(node)


def _folded(node: tree.Expr) -> tree.Expr:
    match node:
        case tree.Name(id=name):
            return tree.Name(name, name, span=node.span)
        case tree.Index(base=base, indices=indices):
            return tree.Index(_folded(base), indices, span=node.span)
        case tree.Call(function=function, args=args):
            return tree.Call(_folded(function), tuple(_folded(a) for a in args), span=node.span)
    return node


def kernel(model: Model, side: LimitQuestions, kind: str, function: str, typeset: Typeset) -> Kernel:
    """The kernel of a network of the file; ``typeset`` is how an entry becomes LaTeX.

    Raises:
        TpError: an unknown kind, an unknown function, or a file without inputs.
    """
    if kind not in KINDS:
        raise fail("unknown-kernel", f"unknown kernel {kind!r}", expected=" or ".join(KINDS))
    text = f"{kind}({function})"
    try:
        found = evaluate(model.context, parse_expression(text), model.context.scope)
    except TpError as error:
        raise error.located(source=text, filename="<kernel>") from None
    if not isinstance(found, KernelValue):
        raise fail("function-expected", f"{text} is {describe(found)}, not a kernel")
    inputs = input_names(model)
    if not inputs:
        raise fail("no-inputs", "the file declares no inputs", fix="input x, y: (d)")
    return Kernel(kind, function, inputs, model, side, found, typeset)


def input_names(model: Model) -> tuple[str, ...]:
    """The declared inputs, members of families one by one."""
    names: list[str] = []
    for name, value in default_inputs(model.context.scope):
        indices = value.members if isinstance(value, Family) else ()
        names += [f"{name}[{', '.join(map(str, index))}]" for index in indices] or [name]
    return tuple(names)
