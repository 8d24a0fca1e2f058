r"""Training in the kernel regime: gradient descent on outputs with a kernel that does not change.

.. math::
    f_{t+1}(x) = f_t(x) - \sum_i K(x, x_i)\, m_i(t), \qquad
    m_i(t) = \mu\, m_i(t-1) + \frac{1[i \in B_t]}{|B_t|}\,\chi_i(t)

from the law of the outputs before training, Gaussian or numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp
from sympy import Dummy, Expr, ImmutableMatrix, S

from tpsym.errors import Span
from tpsym.gauss import expect
from tpsym.gauss.numeric import enclose
from tpsym.results.answers import needed
from tpsym.results.kernel_training_algebra import (
    Letters,
    NoClosedForm,
    Signals,
    after,
    flow_weight,
    in_closed_form,
    inverse_response,
    steps_weight,
    tidy,
)
from tpsym.results.kernel_training_entries import JUMPS, Entry, KernelStart
from tpsym.results.questions import LimitQuestions
from tpsym.results.reasons import NoLimit, reasons
from tpsym.transform.training import OUTPUT, TARGET, Training

WRITTEN_OUT = 12
"""Steps up to which polynomials are preferred to powers of eigenvalues."""
LONGEST = 4000
"""Operations beyond which a recursion is not written out."""


@dataclass(frozen=True, slots=True)
class Law:
    """The law of an output over initialisations; Gaussian where training is linear in the outputs."""

    mean: Expr
    variance: Expr
    gaussian: bool = True


def kernel_limit(side: LimitQuestions, training: Training, span: Span) -> KernelTraining:
    """Training in the kernel regime, after everything that the kernel rests on has been checked.

    Raises:
        NoLimit: training is not, or is not known to be, in the kernel regime; or its kernel has no limit here.
        TpError: exponents make no sense, or outputs and targets do not match.
    """
    start = KernelStart(side, training, span)
    if training.loss.signal.has(*JUMPS):
        raise NoLimit(f"the error signal of the loss {training.loss.name} jumps, or may jump", span)
    for x in training.outputs:
        start.entry(x, x)
    return KernelTraining(start)


@dataclass(frozen=True)
class KernelTraining:
    """The outputs in training; a point is a network at an input, an expression over nodes.

    Every method raises :class:`NoLimit` where what it asks for is not known, with the reason.
    """

    start: KernelStart
    letters: Letters = field(default_factory=lambda: Letters({}, {}), repr=False, compare=False)

    @property
    def arrays(self) -> tuple[str, ...]:
        """The arrays that add to the kernel at the training examples."""
        return self.start.arrays

    def entry(self, x: Expr, y: Expr) -> Entry:
        """K(x, y) with the share of every trained array."""
        return self.start.entry(x, y)

    def kernel(self, x: Expr, y: Expr) -> Expr:
        """K(x, y)."""
        return self.start.entry(x, y).value

    # --- laws over initialisations ---------------------------------------------------------------------

    def law(self, steps: Expr | int, x: Expr) -> Law:
        """The law of f_t(x) after a number of steps, which may be a symbol.

        With error signals that are not linear in the output: after one step, or from outputs that are numbers.
        """
        t = sp.Integer(steps) if isinstance(steps, int) else steps
        if t == 0:
            return Law(self.start.mean(x), self.start.covariance(x, x))
        return self._curved(t, x) if self.signals is None else self._law(self._after(t), x)

    def covariance(self, steps: Expr | int, x: Expr, y: Expr) -> Expr:
        """The covariance of f_t(x) and f_t(y) over initialisations."""
        t = sp.Integer(steps) if isinstance(steps, int) else steps
        return self.start.covariance(x, y) if t == 0 else self._covariance(self._after(t), x, y)

    def flow(self, time: Expr, x: Expr) -> Law:
        """The law under gradient flow on all examples, time counted in steps: time/ε steps at learning rates ε times
        as large, ε → 0."""
        return self._law(self._flow(time), x)

    def flow_covariance(self, time: Expr, x: Expr, y: Expr) -> Expr:
        """The covariance of two outputs under gradient flow."""
        return self._covariance(self._flow(time), x, y)

    def final(self, x: Expr) -> Law:
        """The law under gradient flow as time goes to infinity, kernel regression that starts from f_0; that of
        gradient descent too where it converges."""
        return self._law(self._final(), x)

    def final_covariance(self, x: Expr, y: Expr) -> Expr:
        """The covariance of two outputs as time goes to infinity."""
        return self._covariance(self._final(), x, y)

    @property
    def signals(self) -> Signals | None:
        """Error signals as linear functions of the outputs, ``None`` if they are not."""
        training = self.start.training
        slope = sp.diff(training.loss.signal, OUTPUT)
        if slope.has(OUTPUT):
            return None
        slopes = tuple(sp.expand(slope.xreplace({TARGET: y})) for y in training.targets)
        return Signals(slopes, tuple(sp.expand(training.loss.signal_at(S.Zero, y)) for y in training.targets))

    # --- responses -------------------------------------------------------------------------------------

    def _after(self, steps: Expr) -> ImmutableMatrix:
        training = self.start.training
        signals, momentum = self._linear(), training.optimizer.momentum
        plain = momentum == 0 and not training.batches
        if steps.is_Integer and steps > 0 and not (plain and steps > WRITTEN_OUT):
            batches = [tuple(training.batch(t)) for t in range(int(steps))]
            return self._closed(lambda kernel: after(kernel, signals, batches, momentum))
        if not plain:
            raise NoLimit("training with momentum or batches needs a number of steps", self.start.span)
        if not (steps.is_integer and steps.is_nonnegative):
            raise NoLimit(f"{steps} is not a number of steps", self.start.span)
        weight = steps_weight(steps)
        return self._closed(lambda kernel: in_closed_form(kernel, signals, weight, steps, self._vanishes))

    def _flow(self, time: Expr) -> ImmutableMatrix:
        signals, weight = self._linear(), flow_weight(time)
        self._check_flow()
        return self._closed(lambda kernel: in_closed_form(kernel, signals, weight, time, self._vanishes))

    def _final(self) -> ImmutableMatrix:
        signals = self._linear()
        self._check_flow()
        if any(a.is_positive is not True for a in signals.slopes):
            raise NoLimit("the loss is not known to be convex with a minimum", self.start.span)

        def found(kernel: ImmutableMatrix) -> ImmutableMatrix:
            if self._vanishes(kernel.det()):
                raise NoClosedForm("the kernel at the training examples is singular")
            return inverse_response(kernel, signals)

        return self._closed(found)

    def _closed(self, response: Callable[[ImmutableMatrix], ImmutableMatrix]) -> ImmutableMatrix:
        outputs = self.start.training.outputs
        kernel = [[self.letters.of(self.kernel(x, y)) for y in outputs] for x in outputs]
        try:
            return response(ImmutableMatrix(kernel))
        except NoClosedForm as error:
            raise NoLimit(str(error), self.start.span) from None

    def _linear(self) -> Signals:
        found = self.signals
        if found is None:
            name = self.start.training.loss.name
            raise NoLimit(f"error signals of the loss {name} are not linear in the output", self.start.span)
        return found

    def _check_flow(self) -> None:
        training = self.start.training
        if training.batches or training.optimizer.momentum != 0:
            raise NoLimit("gradient flow is that of plain gradient descent on all examples", self.start.span)

    def _vanishes(self, eigenvalue: Expr) -> bool:
        """Whether a nonnegative number is zero; where it depends on parameters it is taken not to be, and noted."""
        value = self.letters.back(eigenvalue)
        if value.is_zero or sp.expand(value) == 0:
            return True
        if value.is_nonzero:
            return False
        limit = self.start.side.limit
        definitions = dict(needed(value, limit.definitions))
        free = value.free_symbols.union(*(e.free_symbols for e in definitions.values())) - definitions.keys()
        if free:
            limit.met.add(value)
            return False
        if not enclose(value, {}, definitions=definitions, estimates=False).value.contains(0):
            return False
        raise NoLimit("whether the kernel at the training examples is singular was not decided", self.start.span)

    # --- from responses to laws ------------------------------------------------------------------------

    def _law(self, response: ImmutableMatrix, x: Expr) -> Law:
        start, letters = self.start, self.letters
        weights, constant = self._combination(response, x)
        found = constant + sp.Add(*(w * letters.of(start.mean(p)) for p, w in weights.items()))
        return Law(letters.back(tidy(found)), self._covariance(response, x, x))

    def _covariance(self, response: ImmutableMatrix, x: Expr, y: Expr) -> Expr:
        start, letters = self.start, self.letters
        one, other = (self._combination(response, point)[0] for point in (x, y))
        found = sp.Add(*(
            v * w * letters.of(start.covariance(a, b)) for a, v in one.items() for b, w in other.items()
        ))
        return letters.back(tidy(found))

    def _combination(self, response: ImmutableMatrix, x: Expr) -> tuple[dict[Expr, Expr], Expr]:
        """f(x) as a combination of initial outputs and a constant."""
        outputs = self.start.training.outputs
        row = ImmutableMatrix([[self.letters.of(self.kernel(x, y)) for y in outputs]])
        *taken, constant = (row * response).applyfunc(tidy)
        weights = {x: S.One}
        for y, w in zip(outputs, taken, strict=True):
            weights[y] = weights.get(y, S.Zero) - w
        return {p: w for p, w in weights.items() if w != 0}, -constant

    # --- losses that are not quadratic -----------------------------------------------------------------

    def _curved(self, steps: Expr, x: Expr) -> Law:
        """Error signals as they are: exact from numbers, and one step from Gaussian outputs."""
        start, outputs = self.start, self.start.training.outputs
        if not (steps.is_Integer and steps > 0):
            raise NoLimit(f"with the loss {start.training.loss.name} training needs a number of steps", start.span)
        if all(start.covariance(a, b) == 0 for a in (*outputs, x) for b in (*outputs, x)):
            return Law(self._recursion(int(steps), x), S.Zero)
        if steps != 1:
            raise NoLimit(f"with the loss {start.training.loss.name} outputs that are random before training have no "
                          "closed law after more than one step", start.span)
        return self._first(x)

    def _recursion(self, steps: int, x: Expr) -> Expr:
        """f_t(x) from outputs that are numbers before training."""
        start, training = self.start, self.start.training
        points = (*training.outputs, x)
        values = [start.mean(p) for p in points]
        moving = [S.Zero for _ in training.outputs]
        momentum = training.optimizer.momentum
        rows = [[self.letters.of(self.kernel(p, y)) for y in training.outputs] for p in points]
        for t in range(steps):
            shares = self._shares(t)
            signals = [training.loss.signal_at(f, y) for f, y in zip(values, training.targets, strict=False)]
            moving = [momentum * m + s * chi for m, s, chi in zip(moving, shares, signals, strict=True)]
            values = [f - sp.Add(*(k * m for k, m in zip(row, moving, strict=True)))
                      for f, row in zip(values, rows, strict=True)]
            if values[-1].count_ops() > LONGEST:
                raise NoLimit(f"{steps} steps with the loss {training.loss.name} are too long to be written out",
                              start.span)
        return self.letters.back(values[-1])

    def _shares(self, step: int) -> list[Expr]:
        """1[i ∈ B]/|B| by example."""
        batch = list(self.start.training.batch(step))
        return [sp.Rational(batch.count(i), len(batch)) for i in range(len(self.start.training.outputs))]

    def _first(self, x: Expr) -> Law:
        """Mean and variance of f_0(x) − Σ K(x, x_i) χ_i(f_0(x_i)), over Gaussian outputs."""
        start, training = self.start, self.start.training
        points = list(dict.fromkeys((*training.outputs, x)))
        noises = {p: Dummy(f"f{i}", real=True) for i, p in enumerate(points)}
        rows = [[start.covariance(a, b) for b in points] for a in points]
        at = {p: noises[p] + start.mean(p) for p in points}
        terms = [at[x]]
        for y, share, target in zip(training.outputs, self._shares(0), training.targets, strict=True):
            if share != 0:
                terms.append(-share * self.kernel(x, y) * training.loss.signal_at(at[y], target))

        def mean(value: Expr) -> Expr:
            return expect(value, list(noises.values()), rows).value

        with reasons(start.span):
            means = [mean(term) for term in terms]
            pairs = [(mean(a * b) - p * q) for a, p in zip(terms, means, strict=True)
                     for b, q in zip(terms, means, strict=True)]
        return Law(sp.Add(*means), sp.Add(*pairs), gaussian=False)
