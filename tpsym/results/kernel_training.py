r"""Training in the kernel regime: gradient descent on outputs with a kernel that does not change.

.. math::
    f_{t+1}(x) = f_t(x) - \sum_i K(x, x_i)\, m_i(t), \qquad
    m_i(t) = \mu\, m_i(t-1) + \frac{1[i \in B_t]}{|B_t|}\,\chi_i(t), \qquad
    K(x, y) = \sum_W \lim_{n\to\infty} \eta_W \langle\nabla_W f(x), \nabla_W f(y)\rangle

with learning rates as declared, powers of n included: an array whose summand tends to zero drops out by itself. Before
training the outputs are jointly Gaussian, or numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sympy as sp
from sympy import Expr, ImmutableMatrix, S, Symbol

from tpsym.derivation import rule
from tpsym.errors import Span
from tpsym.functions import leaky_relu, relu, step
from tpsym.gauss import expect
from tpsym.gauss.numeric import ball
from tpsym.limit.scalars import ScalarLimit, covariance, mean, scalar_limit
from tpsym.limit.series import Series
from tpsym.program.instructions import Moment, Nonlin, OuterNonlin
from tpsym.results.answers import needed
from tpsym.results.kernel_training_algebra import (
    NoClosedForm,
    Signals,
    Vanishes,
    after,
    flow_weight,
    in_closed_form,
    inverse_response,
    inverse_weight,
    steps_weight,
)
from tpsym.results.kernel_training_regime import check_kernel_regime, check_rule
from tpsym.results.reasons import NoLimit, reasons
from tpsym.results.tangent import check_gradients
from tpsym.transform.backward import backward
from tpsym.transform.tangent import Contribution, contributions
from tpsym.transform.training import OUTPUT, TARGET, Training

if TYPE_CHECKING:
    from tpsym.results.questions import LimitQuestions

WRITTEN_OUT = 12
"""Steps up to which polynomials are preferred to powers of eigenvalues."""
LONGEST = 4000
"""Operations beyond which a recursion is not written out."""
JUMPS = (step, sp.sign, sp.Heaviside, sp.Piecewise)
KINKS = (relu, leaky_relu, sp.Abs, *JUMPS)


@dataclass(frozen=True, slots=True)
class Share:
    """What one trained array adds to an entry of the kernel: ``value``, left of n^exponent times a number.

    Where ``value`` is zero, ``exponent`` is how fast the summand vanishes, ``None`` if it is only known to.
    """

    name: str
    value: Expr
    exponent: Expr | None


@dataclass(frozen=True, slots=True)
class Entry:
    """K at two inputs by trained array; arrays by which one of the outputs has no gradient are not there."""

    shares: tuple[Share, ...]

    @property
    def value(self) -> Expr:
        """K(x, y)."""
        return sp.Add(*(share.value for share in self.shares))


@dataclass(frozen=True, slots=True)
class Law:
    """The law of an output over initialisations; Gaussian where training is linear in the outputs."""

    mean: Expr
    variance: Expr
    gaussian: bool = True


@dataclass(frozen=True, slots=True)
class Response:
    """``f(x) = f_0(x) - k_x · matrix · (F_0, 1)``, and what its letters stand for."""

    matrix: ImmutableMatrix
    expanded: bool


@rule("KernelRegime", source="Yang2023TP4b", locator="Theorems 2.8.19, 2.9.19")
def kernel_entry(context_series: Sequence[tuple[str, Series]]) -> Entry:
    """K = Σ_W lim η_W ⟨∇_W f(x), ∇_W f(y)⟩ at initialisation, which does not change while no feature moves."""
    shares = []
    for name, series in context_series:
        value = series.limit()
        top = series.top
        shares.append(Share(name, value, top if top is not None or series.error is None else None))
    return Entry(tuple(shares))


@dataclass(frozen=True)
class KernelTraining:
    """Training of outputs with their kernel; a point is a network at an input, an expression over nodes.

    Every method raises :class:`NoLimit` where what it asks for is not known, with the reason.
    """

    side: LimitQuestions
    training: Training
    span: Span
    memory: dict[object, Entry | ScalarLimit | Expr] = field(default_factory=dict, repr=False, compare=False)

    # --- what training starts from ---------------------------------------------------------------------

    def entry(self, x: Expr, y: Expr) -> Entry:
        """K(x, y) with the share of every trained array."""
        first, second = sorted((x, y), key=str)
        key = ("entry", first, second)
        if key not in self.memory:
            for point in (first, second):
                check_kernel_regime(self.side, self.training, point, self.span)
            self.memory[key] = self._entry(first, second)
        found = self.memory[key]
        assert isinstance(found, Entry)
        return found

    def _entry(self, x: Expr, y: Expr) -> Entry:
        side, optimizer = self.side, self.training.optimizer
        context = side.context
        found = contributions(context, backward(context, x), backward(context, y))
        for part in found:
            side.ask(part.inner)
        with reasons(self.span):
            check_gradients(context, [part.inner for part in found])
            side.cite(*(part.inner for part in found))
            series = [(c.name, side.limit.series(optimizer.rate_of(c.name) * c.factor * c.inner)) for c in found]
            entry = kernel_entry(series)
        if any(s.name.startswith("$") or s == context.n for s in entry.value.free_symbols):
            raise NoLimit("the tangent kernel is random in the limit", self.span)
        return entry

    def kernel(self, x: Expr, y: Expr) -> Expr:
        """K(x, y)."""
        return self.entry(x, y).value

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays that add to the kernel at some pair of training examples."""
        outputs = self.training.outputs
        entries = [self.entry(x, y) for i, x in enumerate(outputs) for y in outputs[: i + 1]]
        adding = {s.name for e in entries for s in e.shares if s.value != 0}
        return tuple(t.name for t in self.training.context.trained if t.name in adding)

    def _start(self, x: Expr) -> ScalarLimit:
        key = ("start", x)
        if key not in self.memory:
            self.side.ask(x)
            with reasons(self.span):
                self.side.cite(x)
                found = scalar_limit(self.side.limit, x)
            if not found.gaussian:
                raise NoLimit("an output before training is random and not Gaussian in the limit", self.span)
            self.memory[key] = found
        start = self.memory[key]
        assert isinstance(start, ScalarLimit)
        return start

    def initial_mean(self, x: Expr) -> Expr:
        """The mean of the output before training."""
        found = self._start(x)
        with reasons(self.span):
            return mean(self.side.limit, [found])

    def initial_covariance(self, x: Expr, y: Expr) -> Expr:
        """The covariance of two outputs before training, over initialisations."""
        first, second = sorted((x, y), key=str)
        key = ("covariance", first, second)
        if key not in self.memory:
            one, other = self._start(first), self._start(second)
            with reasons(self.span):
                self.memory[key] = covariance(self.side.limit, one, other) if one.noise and other.noise else S.Zero
        found = self.memory[key]
        assert isinstance(found, Expr)
        return found

    @property
    def assumes(self) -> str:
        """What the theorem asks for beyond what was checked; empty if nothing."""
        context = self.side.context
        symbols = set().union(*(x.free_symbols for x in self.training.outputs))
        program = context.builder.program()
        for node in program.ancestors(context.nodes[s] for s in symbols if s in context.nodes):
            instruction = program[node]
            if isinstance(instruction, Nonlin | Moment | OuterNonlin) and instruction.payload.has(*KINKS):
                return "that the derivatives of nonlinearities, which jump, do as well as pseudo-Lipschitz ones"
        return ""

    # --- laws over initialisations ---------------------------------------------------------------------

    def law(self, steps: Expr | int, x: Expr) -> Law:
        """The law of f_t(x) after ``steps`` steps, a number or a symbol.

        With error signals that are not linear in the output: at most one step, or from outputs that are numbers.
        """
        t = sp.sympify(steps) if isinstance(steps, int) else steps
        if self.signals is None:
            return self._curved(t, x)
        return self._law(self._after(t), x)

    def covariance(self, steps: Expr | int, x: Expr, y: Expr) -> Expr:
        """The covariance of f_t(x) and f_t(y) over initialisations."""
        t = sp.Integer(steps) if isinstance(steps, int) else steps
        return self._covariance(self._after(t), x, y)

    def flow(self, time: Expr, x: Expr) -> Law:
        """The law under gradient flow, on all examples, at a time counted in steps: learning rates ε times as large
        and time/ε steps, ε → 0."""
        return self._law(self._flow(time), x)

    def flow_covariance(self, time: Expr, x: Expr, y: Expr) -> Expr:
        """The covariance of two outputs under gradient flow."""
        return self._covariance(self._flow(time), x, y)

    def final(self, x: Expr) -> Law:
        """The law under gradient flow as time goes to infinity, kernel regression from f_0; that of gradient descent
        too where it converges."""
        return self._law(self._final(), x)

    def final_covariance(self, x: Expr, y: Expr) -> Expr:
        """The covariance of two outputs as time goes to infinity."""
        return self._covariance(self._final(), x, y)

    @property
    def signals(self) -> Signals | None:
        """Error signals as linear functions of the outputs, ``None`` if they are not."""
        slope = sp.diff(self.training.loss.signal, OUTPUT)
        if slope.has(OUTPUT):
            return None
        slopes = tuple(sp.expand(slope.xreplace({TARGET: y})) for y in self.training.targets)
        constants = tuple(sp.expand(self.training.loss.signal_at(S.Zero, y)) for y in self.training.targets)
        return Signals(slopes, constants)

    def _linear(self) -> Signals:
        found = self.signals
        if found is None:
            raise NoLimit(f"error signals of the loss {self.training.loss.name} are not linear in the output", self.span)
        return found

    def _after(self, steps: Expr) -> Response:
        signals, optimizer = self._linear(), self.training.optimizer
        if steps == 0:
            size = len(self.training.outputs)
            return Response(ImmutableMatrix.zeros(size, size + 1), True)
        plain = optimizer.momentum == 0 and not self.training.batches
        closed = plain and not (steps.is_Integer and steps <= WRITTEN_OUT)
        if steps.is_Integer and steps > 0 and not closed:
            batches = [tuple(self.training.batch(t)) for t in range(int(steps))]
            return self._closed(lambda: after(self._letters, signals, batches, optimizer.momentum), expanded=True)
        if not plain:
            raise NoLimit("steps with momentum or batches need a number of steps", self.span)
        if not (steps.is_integer and steps.is_nonnegative):
            raise NoLimit(f"{steps} is not a number of steps", self.span)
        return self._closed(lambda: self._in_closed_form(signals, steps))

    def _flow(self, time: Expr) -> Response:
        signals = self._linear()
        self._check_flow()
        return self._closed(lambda: in_closed_form(self._letters, signals, flow_weight(time), time, self._vanishes))

    def _final(self) -> Response:
        signals = self._linear()
        self._check_flow()
        return self._closed(lambda: in_closed_form(self._letters, signals, inverse_weight, None, self._vanishes))

