"""The syntax tree of a ``.tp`` file: frozen values with their places, nothing resolved yet."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from tpsym.errors import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Every piece of a tree knows its place; two trees are equal whatever their places."""

    span: Span = field(compare=False)


# --- expressions -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number(Node):
    """An exact number; ``text`` is how it was written (``1.3`` is 13/10, ``1e-4`` is 1/10000)."""

    value: Fraction
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """An identifier, Greek letters folded to their English spelling (``text`` keeps the original)."""

    id: str
    text: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``op`` is ``-``, ``+`` or ``not``."""

    op: str
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``op`` is one of ``+ - * / ^ @``, ``and``, ``or`` (``**`` is read as ``^``)."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """A chain ``a < b <= c``: ``ops`` from ``< <= > >= == != <=>``, one fewer than ``operands``."""

    ops: tuple[str, ...]
    operands: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Tolerance(Node):
    """``value +- error`` on the right of a numeric claim."""

    value: Expr
    error: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``function(args…, name=value…)``; ``function`` is itself an expression (``nngp(f)(x, y)``)."""

    function: Expr
    args: tuple[Expr, ...]
    kwargs: tuple[tuple[str, Expr], ...] = ()


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``base[i, j]``."""

    base: Expr
    indices: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """``base.name``: ``W.T``, ``f.h``, ``S.stable``; ``text`` is the name as it was written."""

    base: Expr
    name: str
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Expectation(Node):
    """``E[ body ]``."""

    body: Expr


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """``function(body for k in lo..hi, …)`` with ``function`` ``sum`` or ``mean``; ``list`` is ``[body for …]``."""

    function: str
    body: Expr
    clauses: tuple[For, ...]


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    """``[a, b, …]``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TupleLiteral(Node):
    """``(a, b)``: a shape or a data pair; ``(n)`` in a shape position is a one-element tuple."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TableLiteral(Node):
    """``{W[1]: eta, v: eta/n}``."""

    items: tuple[tuple[Expr, Expr], ...]


@dataclass(frozen=True, slots=True)
class For(Node):
    """``for index in low..high``, both ends included."""

    index: Name
    low: Expr
    high: Expr


Expr = (
    Number | Name | Unary | Binary | Compare | Tolerance | Call | Index | Attribute
    | Expectation | Comprehension | ListLiteral | TupleLiteral | TableLiteral
)


# --- statements ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Title(Node):
    """The string that opens a file."""

    text: str


@dataclass(frozen=True, slots=True)
class Size(Node):
    """``width n``, ``dim d = 4``, ``depth L``: ``kind`` is the keyword; one entry per declared name."""

    kind: str
    items: tuple[tuple[Name, Expr | None], ...]


@dataclass(frozen=True, slots=True)
class Target(Node):
    """What a declaration or an assignment names: ``W``, ``W[1]``, ``h[t, r]``."""

    name: Name
    indices: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True)
class Param(Node):
    """``param a[l], b: positive = default for l in 1..L``; ``domains`` may be empty (real)."""

    targets: tuple[Target, ...]
    domains: tuple[Name, ...]
    default: Expr | None
    clauses: tuple[For, ...]


@dataclass(frozen=True, slots=True)
class Input(Node):
    """``input x, y: (d) = [..]``."""

    targets: tuple[Target, ...]
    shape: TupleLiteral
    value: Expr | None
    clauses: tuple[For, ...]


@dataclass(frozen=True, slots=True)
class Assume(Node):
    """``assume condition for t in 1..T``."""

    condition: Expr
    clauses: tuple[For, ...] = ()


@dataclass(frozen=True, slots=True)
class Law(Node):
    """``N(mean, covariance)``; both may be list literals for jointly Gaussian vectors."""

    mean: Expr
    covariance: Expr


@dataclass(frozen=True, slots=True)
class Random(Node):
    """``weight`` (``trained=True``) or ``random`` declarations; ``law`` ``None`` is diagnosed later."""

    trained: bool
    targets: tuple[Target, ...]
    shape: TupleLiteral
    law: Law | None
    clauses: tuple[For, ...]


@dataclass(frozen=True, slots=True)
class Fn(Node):
    """``fn phi(z) = body`` or ``fn phi`` (unknown: without ``body``, maybe without ``parameters``)."""

    name: Name
    parameters: tuple[Name, ...]
    body: Expr | None


@dataclass(frozen=True, slots=True)
class Parametrization(Node):
    """``parametrization ntk``."""

    name: Name


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """``h[t] = value for t in 1..T``."""

    target: Target
    value: Expr
    clauses: tuple[For, ...]


@dataclass(frozen=True, slots=True)
class Loop(Node):
    """``for l in a..b:`` with its block."""

    clause: For
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Return(Node):
    """``return value``."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Def(Node):
    """``def f(xi):`` with its block."""

    name: Name
    parameters: tuple[Name, ...]
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Train(Node):
    """``train F = f with sgd(…), loss = mse, data = […], steps = 2``."""

    name: Name
    network: Expr
    optimizer: Expr
    options: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Derive(Node):
    """``derive expr``."""

    value: Expr


@dataclass(frozen=True, slots=True)
class Let(Node):
    """``let name[l](s, t) = value where …``."""

    target: Target
    parameters: tuple[Name, ...]
    value: Expr
    where: tuple[Expr | Binding, ...] = ()
    clauses: tuple[For, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding(Node):
    """``theta = acos(rho)`` inside ``where``; conditions stand there as plain expressions."""

    target: Target
    value: Expr


@dataclass(frozen=True, slots=True)
class Claim(Node):
    """``claim "label": relation where … for l in 2..L``."""

    label: str
    relation: Expr
    where: tuple[Expr | Binding, ...] = ()
    clauses: tuple[For, ...] = ()


Statement = (
    Size | Param | Input | Assume | Random | Fn | Parametrization | Assign | Loop | Return
    | Def | Train | Derive | Let | Claim
)


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """A ``#`` comment with its text (without the line end); ``alone`` if nothing stands before it."""

    text: str
    alone: bool


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole file; ``comments`` and the ``source`` text are kept for the formatter."""

    title: Title | None
    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
    source: str = field(default="", compare=False)
