"""Kernels of a network as objects: entries at the inputs of the file, as expressions, LaTeX or numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import mpmath
from sympy import Add, Expr, ImmutableMatrix, Integer, Rational, S, Symbol

from tpsym.errors import NOWHERE, TpError, fail, nearest
from tpsym.limit.series import SizeUnknown
from tpsym.limit.variables import label_latex
from tpsym.program.elaborate import Model, elaborate
from tpsym.program.evaluate import evaluate
from tpsym.program.names import nodes
from tpsym.program.values import Data, Family, Finite, Member, Value, describe
from tpsym.program.values import Kernel as KernelValue
from tpsym.results.answers import Answer, Notation, Recursion, needed
from tpsym.results.derive import kernel_value, notation, recursions_of
from tpsym.results.inputs import default_inputs, is_data_family
from tpsym.results.numbers import decimal
from tpsym.results.questions import LimitQuestions, questions
from tpsym.results.reasons import NoLimit
from tpsym.syntax import tree
from tpsym.syntax.format import format_expression
from tpsym.syntax.parse import parse_expression

KINDS = ("nngp", "ntk")
Typeset = Callable[[Answer, Notation], str]
Number = int | float | Fraction | str
Values = Mapping[str, Expr | Fraction | int | float | str]


@dataclass(frozen=True)
class Kernel:
    """``kind(function)``, for example ``nngp(f)``; an entry is asked for at two inputs, ``k.expr("x", "y")``.

    An input is a declared one (``inputs`` lists them, members of families one by one) or a combination
    such as ``"x - 2*y"``; left out, it is the first. A network that takes a family of data points (a sequence, an
    image) is asked for at names of families. ``power`` is the power of n that entries grow with; they are given
    without it. Where the number of layers is a symbol, ``recursion`` gives the entries layer by layer, and
    ``depth`` sets the number.
    """

    kind: str
    function: str
    inputs: tuple[str, ...]
    power: Expr
    _model: Model = field(repr=False, compare=False)
    _side: LimitQuestions = field(repr=False, compare=False)
    _value: KernelValue = field(repr=False, compare=False)
    _typeset: Typeset = field(repr=False, compare=False)

    @property
    def recursion(self) -> tuple[Recursion, ...]:
        """The recursions over layers that the entry at the first two inputs rests on; see :meth:`recursions`."""
        return self.recursions(self.inputs[0], self.inputs[min(1, len(self.inputs) - 1)])

    def recursions(self, x: str | None = None, y: str | None = None) -> tuple[Recursion, ...]:
        """The recursions over layers that an entry rests on, none for a network of given depth.

        Raises:
            TpError: no such input, no limit, or the recursion does not close.
        """
        entry = self._entry(x, y)
        with _located():
            return recursions_of(self._side, entry)

    def at_depth(self, depth: int) -> Kernel:
        """The kernel of the network with this many layers.

        Raises:
            TpError: the file has no symbolic depth, or ``depth`` is no whole number ≥ 1.
        """
        names = sorted(self._model.context.depths)
        if not names:
            raise fail("no-depth", "the file declares no depth", fix="depth L, and for l in 2..L: …")
        overrides = {**self._model.context.overrides, **dict.fromkeys(names, Integer(depth))}
        model = elaborate(self._model.file, overrides=overrides)
        return kernel(model, questions(model.context), self.kind, self.function, self._typeset)

    def expr(self, x: str | None = None, y: str | None = None, *, depth: int | None = None) -> Expr:
        """The entry in terms of the parameters and inner products alone, exact.

        With a symbolic depth and no ``depth``, statistics of the last layer stay in it (see ``recursion``).

        Raises:
            TpError: no such input, or no Gaussian limit.
        """
        if depth is not None:
            return self.at_depth(depth).expr(x, y)
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
        left: Expr = Symbol(f"{question}({first}, {second})", real=True)
        arguments = f"{label_latex(first)}, {label_latex(second)}"
        head = rf"\operatorname{{{self.kind.upper()}}}_{{{label_latex(self.function)}}}"
        self._side.limit.variables.latex.setdefault(left, f"{head}({arguments})")
        if self.power != 0:
            left = self._side.context.n ** (-self.power) * left
        return Answer(question, left, self._entry(x, y), self.definitions(x, y), (), NOWHERE,
                      recursions=self.recursions(x, y))

    def value(
        self, x: str | None = None, y: str | None = None, *, digits: int = 15, values: Values | None = None,
        depth: int | None = None,
    ) -> str:
        """The entry as a decimal number of which every digit is certified.

        ``values`` gives parameters, sizes and inner products by name, ``{"sigma": 2, "dot(x, y)": 0.3}``;
        a float stands for the decimal it prints as. The others have their settings or defaults.

        Raises:
            TpError: something has no value, or cannot be given one here; no such input, or no Gaussian limit.
        """
        if depth is not None:
            return self.at_depth(depth).value(x, y, digits=digits, values=values)
        try:
            exact = {**self._model.context.overrides, **exact_values(self._model, values or {})}
            return decimal(self._model, self._side, self._entry(x, y), exact, digits)
        except TpError as error:
            found = error.diagnostics[0]
            if found.code != "no-value":
                raise
            raise fail(found.code, found.message, fix='values={"sigma": 2, "dot(x, y)": 0.3}') from None

    def at_data(
        self, first: Sequence[Sequence[Number]], second: Sequence[Sequence[Number]] | None = None, *,
        digits: int = 15, values: Values | None = None, depth: int | None = None,
    ) -> mpmath.matrix:
        """The kernel between data points given as numbers, rows of ``first`` and of ``second`` (default: the same).

        For networks of one data point; entries are correct to about ``digits`` digits. A float stands for the
        decimal it prints as.

        Raises:
            TpError: as for :meth:`value`, or data points of different lengths.
        """
        own = self if depth is None else self.at_depth(depth)
        return own._matrix(first, first if second is None else second, digits, values, same=second is None)

    def _matrix(
        self, first: Sequence[Sequence[Number]], second: Sequence[Sequence[Number]], digits: int,
        values: Values | None, *, same: bool,
    ) -> mpmath.matrix:
        rows, columns = ([[Rational(str(a)) for a in point] for point in points] for points in (first, second))
        lengths = {len(p) for p in (*rows, *columns)}
        if len(lengths) > 1:
            raise fail("wrong-data-size", f"data points of lengths {', '.join(map(str, sorted(lengths)))}")
        x, y = self.inputs[0], self.inputs[min(1, len(self.inputs) - 1)]
        if x == y:
            raise fail("no-inputs", "the file needs two inputs", fix="input x, y: (d)")
        sizes = {name: Integer(n) for name in self._open_size(x) for n in lengths}
        found = mpmath.matrix(len(rows), len(columns))
        for i, p in enumerate(rows):
            for j, q in enumerate(columns):
                if same and j < i:
                    found[i, j] = found[j, i]
                    continue
                products = {f"dot({x}, {x})": _dot(p, p), f"dot({x}, {y})": _dot(p, q), f"dot({y}, {y})": _dot(q, q)}
                given = {**sizes, **(values or {}), **products}
                with mpmath.workdps(digits + 5):
                    text = self.value(x, y, digits=digits, values=given).partition(" ")[0]
                    found[i, j] = mpmath.mpf(text)
        return found

    def _open_size(self, name: str) -> list[str]:
        """The name of a data point's size where that is a symbol."""
        found = self._input(name)
        return [found.size.name] if isinstance(found, Data) and isinstance(found.size.size, Symbol) else []

    def latex(self, x: str | None = None, y: str | None = None, *, depth: int | None = None) -> str:
        """The entry as an equation in LaTeX, with the named values it is stated in, recursions over layers included."""
        if depth is not None:
            return self.at_depth(depth).latex(x, y)
        return self._typeset(self.answer(x, y), notation(self._side))

    def _repr_latex_(self) -> str:
        other = self.inputs[min(1, len(self.inputs) - 1)]
        return f"$${self.latex(self.inputs[0], other)}$$"

    def _entry(self, x: str | None, y: str | None) -> Expr:
        first, second = (self._input(name or self.inputs[0]) for name in (x, y))
        with _located():
            return kernel_value(self._side, self._value, (first, second), NOWHERE)[0]

    def _input(self, text: str) -> Value:
        try:
            node = parse_expression(text)
            found = evaluate(self._model.context, node, self._model.context.scope)
            if not isinstance(found, Data) and not is_data_family(found):
                raise fail("input-expected", f"a kernel has data as arguments, this is {describe(found)}", node.span,
                           expected=f"one of {', '.join(self.inputs)}, or a combination")
        except TpError as error:
            raise error.located(source=text, filename="<input>") from None
        return found


class _located:
    """Turns a limit that does not exist into an error without a place."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, NoLimit):
            raise fail("no-limit", error.reason) from None
        if isinstance(error, SizeUnknown):
            raise fail("no-limit", str(error)) from None


def _dot(p: Sequence[Expr], q: Sequence[Expr]) -> Expr:
    return Add(*(a * b for a, b in zip(p, q, strict=True)))


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
    inputs = input_names(model, found)
    if not inputs:
        raise fail("no-inputs", "the file declares no inputs", fix="input x, y: (d)")
    return Kernel(kind, function, inputs, power_of_n(side, found, model), model, side, found, typeset)


def power_of_n(side: LimitQuestions, found: KernelValue, model: Model) -> Expr:
    """The power of n that entries grow with; entries that have no limit say so when they are asked for."""
    if found.kind != "ntk":
        return S.Zero
    _, x = default_inputs(model.context.scope)[0]
    try:
        return kernel_value(side, found, (x, x), NOWHERE)[2]
    except (NoLimit, TpError):
        return S.Zero


def input_names(model: Model, found: KernelValue) -> tuple[str, ...]:
    """The declared inputs; members of families one by one, unless the network takes families as a whole."""
    function = found.function.function if isinstance(found.function, Member) else found.function
    parameters = {p.id for p in function.definition.parameters}
    whole = any(isinstance(n, tree.Index) and isinstance(n.base, tree.Name) and n.base.id in parameters
                for n in nodes(function.definition))
    names: list[str] = []
    for name, value in default_inputs(model.context.scope):
        indices = value.members if isinstance(value, Family) and not whole else ()
        names += [f"{name}[{', '.join(map(str, index))}]" for index in indices] or [name]
    return tuple(names)
