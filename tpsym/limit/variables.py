"""The random variables of a limit: Gaussian symbols, what they are called, how they covary."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.program.graph import Program, Source, source
from tpsym.program.instructions import MatMul, Matrix, State, Vector
from tpsym.program.labels import node_label
from tpsym.syntax.alphabet import fold

GREEK = frozenset(
    re.findall(
        r"\w+",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi "
        "psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega",
    )
)


def word_latex(word: str) -> str:
    """One word of a name: a letter, a Greek letter by its English spelling, or an upright word."""
    word = fold(word)
    if word in GREEK:
        return f"\\{word}"
    # pdflatex knows no letters beyond these
    word = "".join(c if c.isascii() else f"U{ord(c):04X}" for c in word)
    return word if len(word) == 1 or word.isdigit() else rf"\mathrm{{{word}}}"


def label_latex(label: str) -> str:
    """``h[2](x)`` as ``h_{2}(x)``, ``sigma_w`` as ``\\sigma_{w}``, products without signs."""

    def name(match: re.Match[str]) -> str:
        word, index, prime = match.group(1), match.group(2), match.group(3) or ""
        head, *tail = [part for part in word.split("_") if part] or ["."]
        subs = [word_latex(part) for part in tail] + ([index] if index else [])
        return word_latex(head) + prime + (f"_{{{','.join(subs)}}}" if subs else "")

    text = label.replace(".T ", "⊤ ").replace("#", "")
    text = re.sub(r"([^\W\d]\w*)(?:\[([^\[\]]*)\])?('+)?", name, text)
    text = text.replace("⊤", r"^{\top}").replace("·", r"\,").replace("**", "^").replace("*", r"\,")
    return text.replace(" ", r"\,")


@dataclass(slots=True)
class Variables:
    """The Gaussian variables met so far, under unique readable names.

    A *raw* Gaussian is an initial vector or the hat of a product. An affine vector gets a Gaussian of
    its own: ``forms`` writes it in those it is made of, so that covariances follow the program layer
    by layer; ``sources`` are the matrices and initial families it depends on.
    """

    program: Program
    latex: dict[Symbol, str] = field(default_factory=dict)
    forms: dict[Symbol, Mapping[Symbol, Expr]] = field(default_factory=dict)
    sources: dict[Symbol, frozenset[Source]] = field(default_factory=dict)
    layers: dict[Symbol, frozenset[Layered]] = field(default_factory=dict)
    owner: dict[Symbol, int] = field(default_factory=dict)
    names: dict[str, Symbol] = field(default_factory=dict)
    coefficients: dict[tuple[Symbol, Symbol], Expr] = field(default_factory=dict)
    expanded: dict[Symbol, Expr] = field(default_factory=dict)

    def name(self, text: str, latex: str, **assumptions: bool) -> Symbol:
        """A new symbol under this name, or one like it if the name is taken."""
        unique, count = text, 2
        while unique in self.names:
            unique, count = f"{text}#{count}", count + 1
        symbol = Symbol(unique, **(assumptions or {"real": True}))
        self.names[unique] = symbol
        self.latex[symbol] = latex
        return symbol

    def raw(self, node: int) -> Symbol:
        """The Gaussian of an initial vector (Z; Z̃ without its mean, if it has one) or of a product (Ẑ)."""
        label = node_label(self.program, node)
        hat = isinstance(self.program[node], MatMul)
        instruction = self.program[node]
        centred = isinstance(instruction, Vector) and instruction.mean != 0
        letter, command = ("Ẑ", r"\hat{Z}") if hat else ("Z̃", r"\tilde{Z}") if centred else ("Z", "Z")
        symbol = self.name(f"{letter}({label})", f"{command}^{{{label_latex(label)}}}")
        self.forms[symbol] = {symbol: S.One}
        self.sources[symbol] = sources(self.program, node)
        self.layers[symbol] = layers(self.program, node)
        self.owner[symbol] = node
        return symbol

    def combine(self, node: int, expr: Expr) -> Expr:
        """A sum of Gaussians as ``constant + one new Gaussian`` named after the node; anything else as it is."""
        found = None if expr in self.forms else self.linear(expr)
        coefficients = {g: c for g, c in found.items() if c != 0} if found else {}
        if len(coefficients) < 2:
            return expr
        constant = expr.xreplace(dict.fromkeys(found or {}, S.Zero))
        label = node_label(self.program, node)
        symbol = self.name(f"Z({label})", f"Z^{{{label_latex(label)}}}")
        self.forms[symbol] = coefficients
        self.sources[symbol] = frozenset().union(*(self.sources[g] for g in coefficients))
        self.layers[symbol] = frozenset().union(*(self.layers[g] for g in coefficients))
        self.owner[symbol] = node
        return constant + symbol

    def linear(self, expr: Expr) -> dict[Symbol, Expr] | None:
        """The coefficients of an expression written as affine in Gaussians; ``None`` for any other."""
        if expr in self.forms:
            return {expr: S.One}
        if expr.free_symbols.isdisjoint(self.forms):
            return {}
        parts = [a for a in expr.args if not a.free_symbols.isdisjoint(self.forms)]
        inner = [self.linear(part) for part in parts] if isinstance(expr, sp.Add | sp.Mul) else [None]
        if None in inner or (isinstance(expr, sp.Mul) and len(parts) > 1):
            return None
        factor = S.One if isinstance(expr, sp.Add) else expr / parts[0]
        total: dict[Symbol, Expr] = {}
        for found in inner:
            for g, c in (found or {}).items():
                total[g] = total.get(g, S.Zero) + factor * c
        return total

    def is_raw(self, symbol: Symbol) -> bool:
        return symbol in self.forms[symbol]

    def independent(self, a: Symbol, b: Symbol) -> bool:
        """Whether two Gaussians have no matrix and no initial family in common."""
        if not self.sources[a].isdisjoint(self.sources[b]):
            return False
        first, second = self.layers[a], self.layers[b]
        return not first or not second or all(apart(s, t) for s in first for t in second)

    def coefficient(self, symbol: Symbol, raw: Symbol) -> Expr:
        """The coefficient of a raw Gaussian in another one."""
        known, todo = self.coefficients, [symbol]
        while todo:
            current = todo[-1]
            if (current, raw) in known:
                todo.pop()
                continue
            parts = {} if self.independent(current, raw) or self.is_raw(current) else self.forms[current]
            missing = [g for g in parts if (g, raw) not in known]
            if missing:
                todo.extend(missing)
                continue
            value = S.One if current == raw else sp.Add(*(c * known[g, raw] for g, c in parts.items()))
            known[current, raw] = value
        return known[symbol, raw]

    def expand(self, expr: Expr) -> Expr:
        """An expression in raw Gaussians only."""
        forms = {s: self._expanded(s) for s in expr.free_symbols if s in self.forms and not self.is_raw(s)}
        return expr.xreplace(forms) if forms else expr

    def _expanded(self, symbol: Symbol) -> Expr:
        """A Gaussian in raw ones, those it is made of first: deep programs must not recurse."""
        todo = [] if symbol in self.expanded else [symbol]
        while todo:
            form = self.forms[todo[-1]]
            derived = [g for g in form if not self.is_raw(g)]
            missing = [g for g in derived if g not in self.expanded]
            todo.extend(missing)
            if not missing:
                values = {g: self.expanded[g] for g in derived}
                self.expanded[todo.pop()] = sp.Add(*(c * values.get(g, g) for g, c in form.items()))
        return self.expanded[symbol]


@dataclass(frozen=True, slots=True)
class Layered:
    """A source that belongs to a symbolic layer: an array of ``family`` at ``index``, or those up to it."""

    family: str
    index: Expr
    upto: bool
    transposed: bool


def sources(program: Program, raw: int) -> frozenset[Source]:
    """What a raw Gaussian may be correlated with others through, symbolic layers apart."""
    instruction = program[raw]
    if isinstance(instruction, State):
        loop = program.loops[instruction.loop]
        return loop.sources | {("loop", loop.statement)}
    assert isinstance(instruction, MatMul | Vector)
    return frozenset({source(instruction)})


def layers(program: Program, raw: int) -> frozenset[Layered]:
    """The arrays of symbolic layers behind a raw Gaussian."""
    instruction = program[raw]
    if isinstance(instruction, State):
        pairs = program.loops[instruction.loop].layered
        return frozenset(Layered(f, sp.expand(instruction.layer + d), True, t) for f, d, t in pairs)
    array = instruction.matrix if isinstance(instruction, MatMul) else raw
    transposed = isinstance(instruction, MatMul) and instruction.transposed
    return frozenset({Layered(*program.layered[array], False, transposed)} if array in program.layered else ())


def apart(a: Layered, b: Layered) -> bool:
    """Whether two sources are certainly different arrays, or one array in its two orientations."""
    if a.family != b.family or a.transposed != b.transposed:
        return True
    gap = sp.expand(a.index - b.index)
    if a.upto and b.upto:
        return False
    if a.upto or b.upto:
        return bool((-gap if a.upto else gap).is_positive)
    return bool(gap == 0 or gap.is_nonzero)


def variance_factor(matrix: Matrix, *, transposed: bool) -> Expr:
    r"""σ_W² for ``W x``; ρ σ_W² for ``Wᵀ x`` with ρ = rows/columns (Yang, Tensor Programs III, App. F)."""
    ratio = matrix.rows.ratio / matrix.columns.ratio
    return ratio * matrix.variance if transposed else matrix.variance


def is_monomial(value: Expr) -> bool:
    """Whether a value is a product of numbers and powers of symbols: too short to deserve a name."""
    return all(
        f.is_Rational
        or f.is_Symbol
        or (f.is_Pow and (f.base.is_Symbol or f.base.is_Rational) and f.exp.is_Rational)
        for f in sp.Mul.make_args(value)
    )
