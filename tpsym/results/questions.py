"""The limit side of the language: what ``E[…]``, ``Z``, ``lim`` and ``nngp`` mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.errors import Span, fail
from tpsym.limit.hypotheses import Theorem, theorem
from tpsym.limit.interpret import Limit
from tpsym.limit.rules import Mean, expectation_rule
from tpsym.limit.scalars import (
    ScalarLimit,
    covariance,
    mean,
    scalar_limit,
)
from tpsym.matrices import Polynomial
from tpsym.program.arithmetic import plain
from tpsym.program.calls import take
from tpsym.program.evaluate import evaluate, wrong_arity
from tpsym.program.instructions import Dimension
from tpsym.program.labels import node_label
from tpsym.program.linear import linear_parts
from tpsym.program.scope import Context, Scope
from tpsym.program.values import (
    Function,
    GaussianLaw,
    Kernel,
    Member,
    Scalar,
    Snapshot,
    Value,
    VectorValue,
    describe,
    dot_symbol,
    hat_symbol,
)
from tpsym.results.exact import ExactMean, ask_exact
from tpsym.results.exact_edgeworth import ask_edgeworth
from tpsym.results.kernel_entries import nngp, ntk
from tpsym.results.optimizer_values import KINDS, optimizer
from tpsym.results.reasons import NoLimit, reasons, stand_in
from tpsym.results.recursion import Recursions
from tpsym.results.tangent_layers import TangentLayers
from tpsym.results.trained import ask_trained
from tpsym.syntax import tree

if TYPE_CHECKING:
    from tpsym.results.meanfield import MeanField

Handler = Callable[[Context, tree.Call, Scope], Value]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A limit that was asked for, in terms of what can be measured at finite width.

    ``kind`` is ``mean`` (one part), ``variance`` (one) or ``covariance`` (two scalars); a part is an
    expression over nodes with the width to average it over (``None``: a scalar). ``part`` marks what
    has no finite-width counterpart of its own: the hat or dot part of a vector.
    """

    name: str
    kind: str
    parts: tuple[tuple[Expr, Dimension | None], ...]
    limit: Expr


@dataclass(slots=True)
class LimitQuestions:
    """Answers limit-side expressions with a :class:`Limit`; ``asked`` collects the nodes they rest on.

    With ``dry`` nothing is computed: every expectation is a fresh symbol, so that a file can be
    checked for names and shapes in no time.
    """

    context: Context
    limit: Limit
    dry: bool = False
    asked: set[int] = field(default_factory=set)
    log: list[Quantity] | None = None
    told: set[tuple[str, ...]] = field(default_factory=set)
    telling: bool = False
    told_means: set[Expr] = field(default_factory=set)
    theorems: dict[Theorem, None] = field(default_factory=dict)
    theories: dict[Function, MeanField] = field(default_factory=dict)
    exponents: dict[tuple[Any, ...], Any] = field(default_factory=dict)
    spectra: dict[Polynomial, Any] = field(default_factory=dict)
    guesses: dict[str, None] = field(default_factory=dict)
    exacts: list[ExactMean] = field(default_factory=list)
    tangents: TangentLayers = field(init=False)
    recursions: Recursions = field(init=False)

    def __post_init__(self) -> None:
        self.tangents = TangentLayers(self.context, self.limit)
        self.recursions = Recursions(self.context, self.limit, self.tangents.step, self.tangents.first)

    def call(self, name: str) -> Handler | None:
        handlers: dict[str, Handler] = {
            "Z": self.z,
            "Zhat": self.z_hat,
            "Zdot": self.z_dot,
            "lim": self.lim,
            "nngp": self.kernel_of,
            "ntk": self.kernel_of,
            "meanfield": self.mean_field,
            "scaling": self.scaling,
            "mup": self.mup,
            "kernel_limit": self.kernel_limit,
            "exact": partial(ask_exact, self),
            "edgeworth": partial(ask_edgeworth, self),
            "spectrum": self.spectrum,
            **dict.fromkeys(KINDS, optimizer),
            "$kernel": self.kernel_entry,
            "$trained": ask_trained,
        }
        return handlers.get(name)

    # --- expectations ------------------------------------------------------------------------------

    def expectation(self, value: Value, span: Span) -> Value:
        x = plain(self.context, value, span)
        if not isinstance(x, VectorValue | Scalar):
            raise fail("vector-expected", f"E[…] needs a vector or a number, this is {describe(x)}", span)
        self.ask(x.expr)
        if self.dry:
            return Scalar(stand_in(x.expr))
        with reasons(span):
            self.cite(x.expr)
            if isinstance(x, Scalar):
                value = mean(self.limit, [scalar_limit(self.limit, x.expr)])
                self.log_quantity(span, "mean", ((x.expr, None),), value)
            else:
                variable = self.limit.series(x.expr)
                value = self.limit.mean(variable).limit()
                self.log_quantity(span, "mean", ((x.expr, x.dimension),), value)
                self._tell_mean(variable.limit(), value)
        return Scalar(value)

    def _tell_mean(self, variable: Expr, value: Expr) -> None:
        """The step from a mean that was asked for to its value."""
        before = Mean(variable)
        if self.telling and self.asked and before != value and before not in self.told_means:
            self.told_means.add(before)
            used = self.limit.expectation_with_rules(variable)[1]
            note = f"by {', '.join(used)}" if used else ""
            self.limit.record(expectation_rule.rule, max(self.asked), before, value, note=note)

    def cite(self, *exprs: Expr) -> None:
        """Find the theorem that covers what is asked; refuse what none covers."""
        for expr in exprs:
            nodes = {self.context.nodes[s] for s in expr.free_symbols if s in self.context.nodes}
            nodes |= {int(s.name[4:]) for s in expr.free_symbols if s.name.startswith(("$hat", "$dot"))}
            if nodes:
                found = theorem(self.limit.program, nodes, expr, correlated=self.limit.correlated)
                self.theorems[found] = None

    def log_quantity(
        self, span: Span, kind: str, parts: tuple[tuple[Expr, Dimension | None], ...], limit: Expr, *,
        name: str | None = None,
    ) -> None:
        if self.log is None or not any(e.free_symbols & self.context.nodes.keys() for e, _ in parts):
            return
        if any(s.name.startswith(("$hat", "$dot")) for e, _ in parts for s in e.free_symbols):
            kind = "part"
        self.log.append(Quantity(name or self.text(span, parts), kind, parts, limit))

    def text(self, span: Span, parts: tuple[tuple[Expr, Dimension | None], ...]) -> str:
        """The question as written, or with nodes by name where one text stands for several."""
        program = self.context.builder.program()
        names = {s: Symbol(node_label(program, k)) for s, k in self.context.nodes.items()}
        text = ", ".join(str(e.xreplace(names)) for e, _ in parts)
        text = text.replace("**", "^")
        return f"E[{text}]" if parts[0][1] is not None or len(parts) == 1 else text

    def ask(self, expr: Expr) -> None:
        nodes = self.context.nodes
        for s in expr.free_symbols:
            if s in nodes:
                self.asked.add(nodes[s])
            elif s.name.startswith(("$hat", "$dot")):
                self.asked.add(int(s.name[4:]))

    def conditions(self) -> list[Expr]:
        """The variances that what was asked needs to be positive (see ``tpsym.limit.nondegenerate``)."""
        nodes = self.limit.program.ancestors(self.asked)
        found = self.limit.met.union(*(self.limit.node_conditions.get(k, set()) for k in nodes))
        return sorted(found, key=str)

    def forget(self) -> None:
        """Begin a new question: nothing asked, nothing assumed."""
        self.asked.clear()
        self.exacts.clear()
        self.limit.met.clear()
        self.guesses.clear()

    # --- random variables --------------------------------------------------------------------------

    def _vector(self, context: Context, node: tree.Call, scope: Scope) -> VectorValue:
        (value,) = take(context, node, scope, 1)
        x = plain(context, value, node.args[0].span)
        if not isinstance(x, VectorValue):
            name = node.function.text if isinstance(node.function, tree.Name) else "Z"
            raise fail("vector-expected", f"{name} needs a vector, this is {describe(x)}", node.args[0].span)
        return x

    def z(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        return self._vector(context, node, scope)

    def z_hat(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        return self._part(context, node, scope, hat_symbol, "Zhat")

    def z_dot(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        return self._part(context, node, scope, dot_symbol, "Zdot")

    def _part(
        self, context: Context, node: tree.Call, scope: Scope, symbol: Callable[[int], Symbol], name: str
    ) -> Value:
        x = self._vector(context, node, scope)
        parts = linear_parts(context, x.expr)
        if parts is None:
            raise fail(
                "no-parts",
                f"{name} is defined for initial vectors, products W @ x and their linear combinations only",
                node.args[0].span,
                fix=f"write {name}(…) of the product itself",
            )
        constant, terms = parts
        # a constant is part of the initial data: it belongs to the hat (ZInit)
        start = constant if name == "Zhat" else S.Zero
        return VectorValue(sp.Add(start, *(c * symbol(k) for k, c in terms.items())), x.dimension)

    # --- scalars -----------------------------------------------------------------------------------

    def lim(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        (value,) = take(context, node, scope, 1)
        x = plain(context, value, node.args[0].span)
        if not isinstance(x, Scalar):
            raise fail(
                "number-expected",
                f"lim needs a scalar of the program, this is {describe(x)}",
                node.args[0].span,
                fix="the limit of a vector is Z(…)" if isinstance(x, VectorValue) else None,
            )
        self.ask(x.expr)
        if self.dry:
            return Scalar(stand_in(x.expr))
        cited = dict(self.theorems)
        try:
            with reasons(node.span):
                self.cite(x.expr)
                law = self._law(scalar_limit(self.limit, x.expr), node.span)
        except NoLimit as refusal:
            self.theorems = cited
            law = self._kernel_law(refusal, node.args[0], scope)
        text = self.text(node.span, ((x.expr, None),))[2:-1]
        if isinstance(law, GaussianLaw):
            self.log_quantity(node.span, "mean", ((x.expr, None),), law.mean, name=f"mean of {text}")
            self.log_quantity(node.span, "variance", ((x.expr, None),), law.variance, name=f"variance of {text}")
        elif isinstance(law, Scalar):
            self.log_quantity(node.span, "mean", ((x.expr, None),), law.expr, name=f"lim {text}")
        return law

    def _law(self, found: ScalarLimit, span: Span) -> Value:
        if not found.noise:
            return Scalar(found.value)
        if not found.gaussian:
            raise NoLimit("the limit is random and not Gaussian", span)
        return GaussianLaw(mean(self.limit, [found]), covariance(self.limit, found, found))

    def _kernel_law(self, refusal: NoLimit, node: tree.Expr, scope: Scope) -> Value:
        """A trained network whose unrolled program has no limit by itself may be in the kernel regime."""
        from tpsym.results.kernel_training_answers import law_of

        law = law_of(self, node, scope)
        if law is None:
            raise refusal
        try:
            return law()
        except NoLimit as other:
            raise NoLimit(f"{refusal.reason}; as a kernel limit: {other.reason}", refusal.span) from None

    def kernel_limit(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        from tpsym.results.kernel_training_answers import ask_kernel_limit

        return ask_kernel_limit(self, node, scope)

    def mean_field(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        from tpsym.results.meanfield_answers import ask

        return ask(self, node, scope)

    def scaling(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        from tpsym.results.exponent_answers import ask_scaling

        return ask_scaling(self, node, scope)

    def mup(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        from tpsym.results.exponent_answers import ask_mup

        return ask_mup(self, node, scope)

    def spectrum(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        from tpsym.results.spectra import ask_spectrum

        return ask_spectrum(self, node, scope)

    # --- kernels -----------------------------------------------------------------------------------

    def kernel_of(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        (value,) = take(context, node, scope, 1)
        assert isinstance(node.function, tree.Name)
        kind = node.function.id
        trained = value.function if isinstance(value, Member) else value
        if not isinstance(value, Function | Member | Snapshot):
            raise fail("function-expected", f"{kind} needs a function, this is {describe(value)}", node.args[0].span)
        if isinstance(trained, Snapshot) and (kind == "nngp" or isinstance(value, Member)):
            what = f"{kind} of {describe(value)} after training is not available; ntk of the network is"
            raise fail("not-available", what, node.args[0].span, fix=f"ntk({trained.name})")
        return Kernel(kind, value)

    def kernel_entry(self, context: Context, node: tree.Call, scope: Scope) -> Value:
        kernel = evaluate(context, node.function, scope)
        assert isinstance(kernel, Kernel)
        if len(node.args) != 2:
            raise wrong_arity(f"{kernel.kind}(…)", 2, len(node.args), node.span)
        arguments = [evaluate(context, a, scope) for a in node.args]
        return Scalar(self.kernel(kernel, arguments[0], arguments[1], node.span))

    def kernel(self, kernel: Kernel, x: Value, y: Value, span: Span) -> Expr:
        """``nngp(f)(x, y)``: the limit covariance of the outputs; ``ntk(f)(x, y)``: that of their gradients."""
        if kernel.kind == "ntk":
            return ntk(self, kernel, (x, y), span)
        return nngp(self, kernel, (x, y), span)


def questions(context: Context, *, dry: bool = False) -> LimitQuestions:
    """A limit side for an elaborated file, installed in its context."""
    side = LimitQuestions(context, Limit(context.builder.program(), context.n), dry)
    context.limit = side
    return side
