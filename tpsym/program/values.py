"""What an expression of the language stands for while a program is elaborated.

Vectors and scalars are held as sympy expressions over *node symbols* (one symbol per instruction,
:func:`node_symbol`), so that ``c/sqrt(mean(c^2))`` becomes one instruction and not three. Matrices are
operators: sums of scaled words in letters, expanded only when they are applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sympy import Expr, S, Symbol
from sympy.logic.boolalg import Boolean

from tpsym.errors import Diagnostic, Span, TpError, fail
from tpsym.program.instructions import Dimension
from tpsym.program.letters import Word
from tpsym.syntax import tree


@cache
def node_symbol(node: int) -> Symbol:
    """The symbol standing for the vector or scalar of this node number in an expression."""
    return Symbol(f"${node}", real=True)


@cache
def hat_symbol(node: int) -> Symbol:
    """The symbol standing for the Gaussian part of a vector, on the limit side only."""
    return Symbol(f"$hat{node}", real=True)


@cache
def dot_symbol(node: int) -> Symbol:
    """The symbol standing for the correlation part of a vector, on the limit side only."""
    return Symbol(f"$dot{node}", real=True)


@dataclass(frozen=True, slots=True)
class Finite:
    """A finite size, symbolic or a number."""

    name: str
    size: Expr


Size = Dimension | Finite


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number of the program or of the limit; indices and parameters are scalars too."""

    expr: Expr


@dataclass(frozen=True, slots=True)
class VectorValue:
    """A vector with one coordinate per unit of a width."""

    expr: Expr
    dimension: Dimension


@dataclass(frozen=True, slots=True)
class Data:
    """A linear combination of data points: pairs (name, coefficient)."""

    terms: tuple[tuple[str, Expr], ...]
    size: Finite


@dataclass(frozen=True, slots=True)
class Operator:
    """``Σ coefficient · word``; the empty word is the identity."""

    terms: tuple[tuple[Expr, Word], ...]
    rows: Size
    columns: Size


@dataclass(frozen=True, slots=True)
class Family:
    """An indexed family; ``beyond`` gives the members over the symbolic range ``reach``, ``None`` outside of it."""

    name: str
    members: Mapping[tuple[Any, ...], Any]
    beyond: Callable[[tuple[Any, ...]], Any] | None = field(compare=False, default=None)
    reach: str = field(compare=False, default="")


@dataclass(frozen=True, slots=True)
class Function:
    """A ``def`` block with the scope it was written in."""

    definition: tree.Def
    scope: Any = field(compare=False, hash=False)

    @property
    def name(self) -> str:
        return self.definition.name.id


@dataclass(frozen=True, slots=True)
class Trajectory:
    """``train F = f with …``: a network in training."""

    statement: tree.Train
    scope: Any = field(compare=False, hash=False)

    @property
    def name(self) -> str:
        return self.statement.name.id


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``F[k]``: a network after k steps of training; ``definition`` is that of the network."""

    trajectory: Trajectory
    step: int
    definition: tree.Def = field(compare=False, hash=False)

    @property
    def name(self) -> str:
        return f"{self.trajectory.name}[{self.step}]"


@dataclass(frozen=True, slots=True)
class Member:
    """``f.h[l]``: an inner value of a function, known once it is called."""

    function: Function | Snapshot
    name: str
    indices: tuple[Any, ...] | None
    span: Any = field(compare=False, default=None)


@dataclass(frozen=True, slots=True)
class Nonlinearity:
    """A coordinatewise function: ``apply`` maps expressions to an expression."""

    name: str
    arity: int
    apply: Callable[..., Expr] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Kernel:
    """``nngp(f)``: a function of two inputs."""

    kind: str
    function: Function | Snapshot | Member


Attributes = Callable[[Any, str, Span], Any]
"""The value of an attribute, from the context, its name and its place."""


@dataclass(frozen=True, slots=True)
class Theory:
    """``meanfield(f)``, ``spectrum(A)``: what is known of a network or a matrix, the ``subject``, by attributes.

    ``kind`` is the name it goes by, ``content`` what a ``derive`` states, worked out when it is asked for.
    """

    kind: str
    subject: Function | Operator
    find: Attributes = field(compare=False)
    content: Callable[[], Any] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Method:
    """``S.init``: a function of the limit side; ``apply`` maps context, call and scope to a value."""

    name: str
    apply: Callable[[Any, tree.Call, Any], Any] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OptimizerValue:
    """``sgd(lr = eta)``: an optimizer with its settings."""

    name: str
    settings: Any = field(hash=False)


@dataclass(frozen=True, slots=True)
class GaussianLaw:
    """The law N(mean, variance) of a scalar."""

    mean: Expr
    variance: Expr


@dataclass(frozen=True, slots=True)
class Macro:
    """A ``let`` with indices or parameters, expanded where it is used."""

    definition: tree.Let
    scope: Any = field(compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Unavailable:
    """A name whose meaning is not available yet; ``cause`` is the place that says so, if it is another."""

    what: str
    cause: Diagnostic | None = None

    def error(self, span: Span) -> TpError:
        """The error for using the name."""
        if self.cause is not None:
            return TpError((self.cause,))
        return fail("not-available", f"{self.what} is not available yet", span)


@dataclass(frozen=True, slots=True)
class ListValue:
    """``[a, b]``."""

    items: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """``lhs op rhs`` (``op`` from ``< <= > >= == !=``) or a combination by ``and``, ``or``, ``not``."""

    op: str
    operands: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Region(Condition):
    """A set of parameters, as the condition to be in it; ``content`` is the set itself, worked out when asked for."""

    content: Callable[[], Any] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """``law.support``: the endpoints of a support in increasing order, by condition on a parameter.

    There are no cases where only names are checked.
    """

    cases: tuple[tuple[Boolean, tuple[Expr, ...]], ...]


@dataclass(frozen=True, slots=True)
class AlgebraicEquation:
    """``law.equation(G, z)``: ``polynomial = 0`` in two unknowns, up to a factor free of both."""

    polynomial: Expr
    unknowns: tuple[Symbol, Symbol]


@dataclass(frozen=True, slots=True)
class Alternatives:
    """``meanfield(f).phase``: one of a few words, by parameters; compared with a word it is a condition."""

    name: str
    words: Mapping[str, Condition] = field(hash=False)


Value = (
    Scalar | VectorValue | Data | Operator | Family | Function | Trajectory | Snapshot | Member | Nonlinearity | Kernel
    | Theory | Endpoints | AlgebraicEquation | Method | OptimizerValue | Alternatives | GaussianLaw | Macro
    | Unavailable | ListValue | Condition | Finite | Dimension
)

_KINDS: Mapping[type, str] = {
    Scalar: "a number", Data: "a data point",
    Function: "a function",
    Trajectory: "a network in training (pick a step: F[1])",
    Snapshot: "a trained network",
    Member: "an inner value of a function (call it on an input)",
    Nonlinearity: "a nonlinearity",
    Kernel: "a kernel (call it on two inputs)",
    ListValue: "a list",
    Condition: "a condition", Region: "a region of parameters",
    Endpoints: "a list of endpoints (law.edge(1) is the first)", AlgebraicEquation: "an equation",
    Finite: "a size", Dimension: "a width", OptimizerValue: "an optimizer", GaussianLaw: "a Gaussian law",
}

_THEORIES: Mapping[str, tuple[str, str]] = {
    "meanfield": ("a mean field theory", ").chi"),
    "scaling": ("an analysis of scaling exponents", ", sgd).r"),
    "mup": ("a maximal update parametrisation", ", adam).lr(W)"),
    "spectrum": ("a spectrum", ").moment(2)"),
    "kernel_limit": ("a kernel limit of training", ").kernel(x, x)"),
}


def size_text(size: Size) -> str:
    """A size as it is written in a shape."""
    return size.name


def describe(value: Value) -> str:
    """What a value is, in words, with its shape: for messages."""
    match value:
        case VectorValue(dimension=dimension):
            return f"a vector of shape ({dimension.name})"
        case Data(size=size):
            return f"a data point of shape ({size.name})"
        case Operator(rows=rows, columns=columns):
            return f"a matrix of shape ({size_text(rows)}, {size_text(columns)})"
        case Family(name=name):
            return f"the family {name}[…]"
        case Theory(kind=kind, subject=subject):
            what, example = _THEORIES[kind]
            name = subject.name if isinstance(subject, Function) else "A"
            return f"{what} (ask for one of its numbers, as in {kind}({name}{example})"
        case Method(name=name):
            return f"the function .{name}(…)"
        case Alternatives(name=name, words=words):
            return f"{name}, one of {', '.join(words)}"
        case Macro(definition=definition):
            return f"the definition {definition.target.name.text}"
        case Unavailable(what=what):
            return f"{what} (not available yet)"
    return _KINDS[type(value)]


ZERO = Scalar(S.Zero)
