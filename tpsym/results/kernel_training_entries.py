r"""What training in the kernel regime starts from: the kernel by trained array, and the law of the outputs.

.. math:: K(x, y) = \sum_W \lim_{n\to\infty} \eta_W \langle\nabla_W f(x), \nabla_W f(y)\rangle

with learning rates as declared, powers of n included: an array whose summand tends to zero drops out by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, S

from tpsym.derivation import rule
from tpsym.errors import Span
from tpsym.functions import delta, leaky_relu, relu, step
from tpsym.limit.scalars import ScalarLimit, covariance, mean, scalar_limit
from tpsym.limit.series import Series
from tpsym.program.instructions import Moment, Nonlin, OuterNonlin
from tpsym.results.kernel_training_regime import check_kernel_regime, check_rule
from tpsym.results.reasons import NoLimit, reasons
from tpsym.results.tangent import check_gradients
from tpsym.transform.backward import backward
from tpsym.transform.tangent import Contribution, contributions
from tpsym.transform.training import Training

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

JUMPS = (step, delta, sp.sign, sp.Heaviside, sp.DiracDelta, sp.Piecewise, sp.floor, sp.ceiling)
"""What a function is made of that may be discontinuous."""
KINKS = (relu, leaky_relu, sp.Abs, sp.Max, sp.Min, *JUMPS)
JUMPING_DERIVATIVES = "derivatives of nonlinearities that jump do as well as pseudo-Lipschitz ones"


@dataclass(frozen=True, slots=True)
class Share:
    """What one trained array adds to an entry of the kernel.

    Where ``value`` is zero the summand is of size n^exponent, or with ``bound`` of smaller size than that; an exponent
    ``None`` means that it is zero at every width.
    """

    name: str
    value: Expr
    exponent: Expr | None
    bound: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """K at two inputs by trained array; arrays by which one of the outputs has no gradient are not there."""

    shares: tuple[Share, ...]

    @property
    def value(self) -> Expr:
        """K(x, y)."""
        return sp.Add(*(share.value for share in self.shares))


@rule("KernelRegime", source="Yang2023TP4b", locator="Theorems 2.8.19 and 2.9.19")
def kernel_entry(summands: Sequence[tuple[str, Series]]) -> Entry:
    """K = Σ_W lim η_W ⟨∇_W f(x), ∇_W f(y)⟩ at initialisation; it does not change while no feature moves.

    Raises:
        Grows: a summand does.
        SizeUnknown: a summand is not known to order one.
    """
    shares = []
    for name, series in summands:
        value, top = series.limit(), series.top
        known = top is not None or series.error is None
        shares.append(Share(name, value, top if known else series.error, not known))
    return Entry(tuple(shares))


@dataclass(frozen=True)
class KernelStart:
    """The kernel and the initial law of outputs; a point is a network at an input, an expression over nodes.

    Every method raises :class:`NoLimit` where what it asks for is not known, with the reason.
    """

    side: LimitQuestions
    training: Training
    span: Span
    entries: dict[tuple[Expr, Expr], Entry] = field(default_factory=dict, repr=False, compare=False)
    starts: dict[Expr, ScalarLimit] = field(default_factory=dict, repr=False, compare=False)
    covariances: dict[tuple[Expr, Expr], Expr] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_rule(self.training, self.span)

    def entry(self, x: Expr, y: Expr) -> Entry:
        """K(x, y) with the share of every trained array."""
        key = ordered(x, y)
        if key not in self.entries:
            for point in key:
                check_kernel_regime(self.side, self.training, point, self.span)
            self.entries[key] = self._entry(*key)
        return self.entries[key]

    def _entry(self, x: Expr, y: Expr) -> Entry:
        side, optimizer = self.side, self.training.optimizer
        context = side.context
        found = self._summands(x, y)
        for part in found:
            side.ask(part.inner)
        with reasons(self.span):
            check_gradients(context, [part.inner for part in found])
            side.cite(*(part.inner for part in found))
            entry = kernel_entry([
                (c.name, side.limit.series(optimizer.rate_of(c.name) * c.factor * c.inner)) for c in found
            ])
        if any(s.name.startswith("$") or s == context.n for s in entry.value.free_symbols):
            raise NoLimit("the tangent kernel is random in the limit", self.span)
        return entry

    def _summands(self, x: Expr, y: Expr) -> list[Contribution]:
        context = self.side.context
        return contributions(context, backward(context, x), backward(context, y))

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays that add to the kernel at some pair of training examples."""
        outputs = self.training.outputs
        entries = [self.entry(x, y) for i, x in enumerate(outputs) for y in outputs[: i + 1]]
        adding = {s.name for e in entries for s in e.shares if s.value != 0}
        return tuple(t.name for t in self.training.context.trained if t.name in adding)

    @property
    def assumes(self) -> str:
        """What the theorem asks for beyond what was checked; empty if nothing."""
        context = self.side.context
        symbols = set().union(*(x.free_symbols for x in self.training.outputs))
        program = context.builder.program()
        for node in program.ancestors([context.nodes[s] for s in symbols if s in context.nodes]):
            instruction = program[node]
            if isinstance(instruction, Nonlin | Moment | OuterNonlin) and instruction.payload.has(*KINKS):
                return JUMPING_DERIVATIVES
        return ""

    # --- before training -------------------------------------------------------------------------------

    def _start(self, x: Expr) -> ScalarLimit:
        if x not in self.starts:
            self.side.ask(x)
            with reasons(self.span):
                self.side.cite(x)
                found = scalar_limit(self.side.limit, x)
            if not found.gaussian:
                raise NoLimit("an output before training is random and not Gaussian in the limit", self.span)
            self.starts[x] = found
        return self.starts[x]

    def mean(self, x: Expr) -> Expr:
        """The mean of the output before training."""
        found = self._start(x)
        with reasons(self.span):
            return mean(self.side.limit, [found])

    def covariance(self, x: Expr, y: Expr) -> Expr:
        """The covariance of two outputs before training, over initialisations."""
        key = ordered(x, y)
        if key not in self.covariances:
            one, other = (self._start(point) for point in key)
            with reasons(self.span):
                value = covariance(self.side.limit, one, other) if one.noise and other.noise else S.Zero
            self.covariances[key] = value
        return self.covariances[key]


def ordered(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    """A pair of points in an order of its own: the kernel is symmetric."""
    first, second = sorted((x, y), key=str)
    return first, second
