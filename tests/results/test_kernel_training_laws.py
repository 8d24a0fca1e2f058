"""Laws of outputs in the kernel regime: closed forms against the recursion written out, and numbers against both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad, solve_ivp
from sympy import Expr, Rational, S, Symbol

import tpsym
from tpsym.errors import NOWHERE, TpError
from tpsym.gauss.numeric import enclose
from tpsym.program.values import Kernel, Scalar
from tpsym.results.kernel_entries import output
from tpsym.results.kernel_training import KernelTraining, Law, kernel_limit
from tpsym.results.kernel_training_numbers import curves
from tpsym.results.reasons import NoLimit
from tpsym.transform.optimizers import Optimizer
from tpsym.transform.training import CONSTANT, MSE, OUTPUT, TARGET, XENT, Loss, Training

T, TIME = Symbol("t", integer=True, nonnegative=True), Symbol("s", positive=True)
GRAMS = {"xx": S(1), "xy": Rational(-1, 2), "xz": Rational(1, 3), "xw": S(0), "yy": Rational(5, 4),
         "yz": Rational(1, 5), "yw": Rational(1, 2), "zz": Rational(3, 4), "zw": Rational(-1, 4), "ww": S(1)}
OVERRIDES = {f"dot({', '.join(sorted(pair))})": value for pair, value in GRAMS.items()}
RATE = Rational(1, 5)
SOURCE = """width n
dim d
input x, y, z, w: (d)
parametrization ntk
weight U: (n, d) ~ N(0, 1)
weight v: (1, n) ~ N(0, {readout})
def f(x):
    return v @ (U @ x)
"""


class Linear:
    """A linear network of one hidden layer: covariance ⟨x, y⟩ and kernel 2·rate·⟨x, y⟩, or both rate·⟨x, y⟩."""

    def __init__(
        self, examples: str, *, rate: Expr = RATE, loss: Loss = MSE, momentum: Expr = S.Zero,
        small: bool = False, batches: tuple[tuple[int, ...], ...] = (),
        targets: Sequence[Expr] = (S(1), S(-1), S(2)), steps: int = 4,
    ) -> None:
        source = SOURCE.format(readout="1/n" if not small else "1/n^2")
        program = tpsym.parse(source)
        self.model, side = program.model, program.limit_side
        context, self.rate, self.small = side.context, rate, small
        self.at: dict[str, Expr] = {}
        for name in "xyzw":
            found = output(side, Kernel("ntk", context.scope.names["f"]), context.scope.names[name], NOWHERE)
            assert isinstance(found, Scalar)
            self.at[name] = found.expr
        self.examples = examples
        outputs = tuple(self.at[e] for e in examples)
        # of a small readout only its own rate is as large
        factor = context.n if small else S.One
        optimizer = Optimizer("sgd", rate=rate, rates={"v": rate * factor}, momentum=momentum)
        self.training = Training(context, outputs, tuple(targets[: len(outputs)]), loss, optimizer, steps, batches)
        self.side = side

    def limit(self) -> KernelTraining:
        return kernel_limit(self.side, self.training, NOWHERE)

    def number(self, value: Expr, **given: float) -> float:
        values = {s: GRAMS["".join(sorted(s.name[4:-1].split(", "), key="xyzw".index))]
                  for s in value.free_symbols if s.name.startswith("dot")}
        left = value.xreplace(values)
        left = left.xreplace({s: sp.Rational(str(given[s.name])) for s in left.free_symbols})
        return float(enclose(left, {}, bits=100).value.mid())

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel and covariance at all four points."""
        gram = np.array([[float(GRAMS["".join(sorted(a + b, key="xyzw".index))]) for b in "xyzw"] for a in "xyzw"])
        return (1 if self.small else 2) * float(self.rate) * gram, 0 * gram if self.small else gram


def steps_by_hand(case: Linear, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance at all points of training with the loss ½(f − y)², as a recursion on the vectors of
    coefficients of the initial outputs."""
    kernel, covariance = case.matrices()
    chosen = ["xyzw".index(e) for e in case.examples]
    targets = np.array([float(y) for y in case.training.targets])
    coefficients, constants = np.eye(4), np.zeros(4)
    moving, moving_constant = np.zeros((len(chosen), 4)), np.zeros(len(chosen))
    for t in range(steps):
        batch = list(case.training.batch(t))
        share = np.array([batch.count(i) / len(batch) for i in range(len(chosen))])
        momentum = float(case.training.optimizer.momentum)
        moving = momentum * moving + share[:, None] * coefficients[chosen]
        moving_constant = momentum * moving_constant + share * (constants[chosen] - targets)
        coefficients = coefficients - kernel[:, chosen] @ moving
        constants = constants - kernel[:, chosen] @ moving_constant
    return constants, coefficients @ covariance @ coefficients.T


def agree(case: Linear, law: Law, index: int, found: tuple[np.ndarray, np.ndarray], **given: float) -> None:
    assert case.number(law.mean, **given) == pytest.approx(found[0][index], rel=1e-10, abs=1e-12)
    assert case.number(law.variance, **given) == pytest.approx(found[1][index, index], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("examples", ["x", "xy", "xyz", "xx"])
@pytest.mark.parametrize("steps", [1, 2, 4])
@pytest.mark.parametrize("options", [
    {}, {"momentum": Rational(1, 3)}, {"batches": ((0,), (-1,), (0, -1))},
], ids=["plain", "momentum", "batches"])
def test_steps_are_those_of_the_recursion(examples: str, steps: int, options: dict[str, Any]) -> None:
    last = len(examples) - 1
    batches = tuple(tuple(i % (last + 1) for i in b) for b in options.get("batches", ()))
    case = Linear(examples, **{**options, "batches": batches})
    limit, found = case.limit(), steps_by_hand(case, steps)
    for i, name in enumerate("xyzw"):
        agree(case, limit.law(steps, case.at[name]), i, found)
    joint = limit.covariance(steps, case.at["x"], case.at["w"])
    assert case.number(joint) == pytest.approx(found[1][0, 3], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("examples", ["x", "xy"])
@pytest.mark.parametrize("steps", [0, 1, 3, 40])
def test_a_symbolic_number_of_steps(examples: str, steps: int) -> None:
    case = Linear(examples)
    limit, found = case.limit(), steps_by_hand(case, steps)
    for i, name in enumerate("xw"):
        agree(case, limit.law(T, case.at[name]), 3 * i, found, t=steps)
        agree(case, limit.law(steps, case.at[name]), 3 * i, found)


def test_one_example_in_closed_form() -> None:
    eta, y = Symbol("eta", positive=True), Symbol("y", real=True)
    case = Linear("x", rate=eta, targets=[y])
    limit, x = case.limit(), case.at["x"]
    kernel = limit.kernel(x, x)
    assert sp.cancel(kernel / limit.law(0, x).variance) == 2 * eta
    law = limit.law(T, x)
    assert sp.expand(law.mean - y * (1 - (1 - kernel) ** T)) == 0
    assert sp.expand(law.variance - (1 - kernel) ** (2 * T) * limit.law(0, x).variance) == 0
    flow = limit.flow(TIME, x)
    assert sp.expand(flow.mean - y * (1 - sp.exp(-kernel * TIME))) == 0
    assert limit.final(x) == Law(y, S.Zero)
    ahead = limit.final(case.at["z"]).mean
    assert sp.cancel(ahead - y * limit.kernel(x, case.at["z"]) / kernel) == 0


@pytest.mark.parametrize("examples", ["x", "xy"])
def test_flow_solves_its_equation(examples: str) -> None:
    case = Linear(examples)
    limit = case.limit()
    kernel, covariance = case.matrices()
    chosen = ["xyzw".index(e) for e in examples]
    targets = np.array([1.0, -1.0])[: len(chosen)]

    def rate(_: float, flat: np.ndarray) -> np.ndarray:
        state = flat.reshape(4, 5)
        error = state[chosen] - np.column_stack([np.zeros((len(chosen), 4)), targets])
        return (-kernel[:, chosen] @ error / len(chosen)).ravel()

    start = np.column_stack([np.eye(4), np.zeros(4)])
    end = solve_ivp(rate, (0, 2.5), start.ravel(), rtol=1e-11, atol=1e-12).y[:, -1].reshape(4, 5)
    found = end[:, 4], end[:, :4] @ covariance @ end[:, :4].T
    for i, name in enumerate("xyzw"):
        law = limit.flow(TIME, case.at[name])
        assert case.number(law.mean, s=2.5) == pytest.approx(found[0][i], rel=1e-8, abs=1e-9)
        assert case.number(law.variance, s=2.5) == pytest.approx(found[1][i, i], rel=1e-8, abs=1e-9)
    joint = limit.flow_covariance(TIME, case.at["y"], case.at["z"])
    assert case.number(joint, s=2.5) == pytest.approx(found[1][1, 2], rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("examples", ["x", "xy", "xyz"])
def test_training_ends_with_kernel_regression(examples: str) -> None:
    case = Linear(examples)
    limit, found = case.limit(), steps_by_hand(case, 4000)
    for i, name in enumerate("xyzw"):
        law = limit.final(case.at[name])
        assert case.number(law.mean) == pytest.approx(found[0][i], abs=1e-8)
        assert case.number(law.variance) == pytest.approx(found[1][i, i], abs=1e-8)
    assert case.number(limit.final_covariance(case.at["z"], case.at["w"])) == pytest.approx(found[1][2, 3], abs=1e-8)


def test_the_same_example_twice_has_no_regression() -> None:
    with pytest.raises(NoLimit, match="singular"):
        Linear("xx").limit().final(Linear("xx").at["x"])


# --- what has no closed form -----------------------------------------------------------------------------


def test_three_examples_have_no_symbolic_steps() -> None:
    case = Linear("xyz")
    with pytest.raises(NoLimit, match="eigenvalues"):
        case.limit().law(T, case.at["w"])


def test_momentum_needs_a_number_of_steps() -> None:
    case = Linear("x", momentum=Rational(1, 2))
    with pytest.raises(NoLimit, match="number of steps"):
        case.limit().law(T, case.at["w"])
    with pytest.raises(NoLimit, match="plain gradient descent"):
        case.limit().flow(TIME, case.at["w"])


def test_polynomials_that_are_too_long_are_refused() -> None:
    case = Linear("xyz", momentum=Rational(1, 2))
    with pytest.raises(NoLimit, match="too many terms"):
        case.limit().law(60, case.at["w"])


def test_half_a_step_is_refused() -> None:
    case = Linear("x")
    for steps in (Rational(1, 2), S(-1), Symbol("u", positive=True)):
        with pytest.raises(NoLimit, match="number of steps"):
            case.limit().law(steps, case.at["x"])


def test_slopes_of_their_own_have_no_closed_form_but_steps() -> None:
    weighted = Loss("weighted", TARGET * OUTPUT**2 / 2, TARGET * OUTPUT)
    case = Linear("xy", loss=weighted, targets=[S(1), S(2)])
    with pytest.raises(NoLimit, match="slopes"):
        case.limit().law(T, case.at["x"])
    kernel, _ = case.matrices()
    state = np.eye(4)
    for _ in range(2):
        state = state - kernel[:, :2] @ (np.array([[1.0], [2.0]]) * state[:2]) / 2
    found = state @ case.matrices()[1] @ state.T
    assert case.number(case.limit().law(2, case.at["z"]).variance) == pytest.approx(found[2, 2])


def test_a_constant_error_signal() -> None:
    case = Linear("xy", loss=CONSTANT)
    kernel, _ = case.matrices()
    for steps in (T, S(7)):
        law = case.limit().law(steps, case.at["z"])
        assert case.number(law.mean, t=7) == pytest.approx(-7 * kernel[2, :2].mean())
        assert case.number(law.variance, t=7) == pytest.approx(0.75)
    with pytest.raises(NoLimit, match="convex"):
        case.limit().final(case.at["z"])


# --- losses that are not quadratic ---------------------------------------------------------------------------


def test_logistic_steps_from_outputs_that_are_numbers() -> None:
    case = Linear("xy", loss=XENT, small=True)
    kernel, _ = case.matrices()
    state, targets = np.zeros(4), np.array([1.0, -1.0])
    limit = case.limit()
    for step in range(4):
        law = limit.law(step, case.at["z"])
        assert law.variance == 0
        assert case.number(law.mean) == pytest.approx(state[2], rel=1e-12)
        state = state + kernel[:, :2] @ (targets / (1 + np.exp(targets * state[:2]))) / 2
    with pytest.raises(NoLimit, match="number of steps"):
        limit.law(T, case.at["z"])


def test_one_logistic_step_from_a_gaussian_output() -> None:
    case = Linear("x", loss=XENT)
    kernel = case.matrices()[0][0, 0]
    law = case.limit().law(1, case.at["x"])

    def moment(power: int) -> float:
        def density(g: float) -> float:
            moved = g + kernel / (1 + np.exp(g))
            return float(moved**power * np.exp(-g * g / 2) / np.sqrt(2 * np.pi))

        return float(quad(density, -12, 12, epsabs=1e-13)[0])

    assert not law.gaussian
    assert case.number(law.mean) == pytest.approx(moment(1), rel=1e-9)
    assert case.number(law.variance) == pytest.approx(moment(2) - moment(1) ** 2, rel=1e-9)
    with pytest.raises(NoLimit, match="no closed law"):
        case.limit().law(2, case.at["x"])


def test_error_signals_that_jump_are_refused() -> None:
    case = Linear("x", loss=Loss("absolute", sp.Abs(OUTPUT - TARGET), sp.sign(OUTPUT - TARGET)), small=True)
    with pytest.raises(NoLimit, match="jumps"):
        case.limit().law(1, case.at["x"])
    with pytest.raises(NoLimit, match="jumps"):
        curves(case.limit(), case.model, {}, overrides=OVERRIDES)


# --- numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"momentum": Rational(1, 2), "batches": ((0,), (1, 1, 0))}])
def test_curves_are_the_laws(options: dict[str, Any]) -> None:
    case = Linear("xy", steps=30, **options)
    found = curves(case.limit(), case.model, {"z": case.at["z"]}, overrides=OVERRIDES)
    assert found.labels == ("1", "2", "z")
    for step in (0, 1, 30):
        mean, covariance = steps_by_hand(case, step)
        variance = np.diag(covariance)
        assert found.mean[step] == pytest.approx(mean[:3], abs=1e-11)
        assert found.deviation[step] == pytest.approx(np.sqrt(variance[:3]), abs=1e-10)
        loss = np.mean((mean[:2] - [1, -1]) ** 2 + variance[:2]) / 2
        assert found.loss[step] == pytest.approx(loss, abs=1e-11)
    assert found.mean_error.max() < 1e-9
    assert found.mean_error.min() >= 0


def test_logistic_curves_are_those_of_an_integral() -> None:
    """One example: the outputs after some steps are a function of the initial one."""
    case = Linear("x", loss=XENT, rate=S(1), steps=6)
    found = curves(case.limit(), case.model, {"y": case.at["y"]}, overrides=OVERRIDES, samples=256)
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    weights = weights / weights.sum()
    kernel, _ = case.matrices()
    state, other = nodes.copy(), -0.5 * nodes
    for step in range(7):
        mean = np.array([weights @ state, weights @ other])
        spread = np.sqrt([weights @ state**2 - mean[0] ** 2, weights @ other**2 - mean[1] ** 2 + 1.25 - 0.25])
        loss = weights @ np.log1p(np.exp(-state))
        assert np.all(np.abs(found.mean[step] - mean) < 6 * found.mean_error[step] + 1e-5)
        assert np.all(np.abs(found.deviation[step] - spread) < 6 * found.deviation_error[step] + 2e-5)
        assert abs(found.loss[step] - loss) < 6 * found.loss_error[step] + 1e-5
        signal = 1 / (1 + np.exp(state))
        state, other = state + kernel[0, 0] * signal, other + kernel[0, 1] * signal
    assert found.deviation[0] == pytest.approx(np.sqrt([1, 1.25]), rel=1e-12)
    assert found.mean_error[1:].max() < 1e-3


def test_curves_from_numbers_have_no_spread() -> None:
    case = Linear("xy", loss=XENT, small=True)
    limit = case.limit()
    found = curves(limit, case.model, {"z": case.at["z"]}, overrides=OVERRIDES)
    assert np.all(found.deviation == 0)
    assert found.mean[3, 2] == pytest.approx(case.number(limit.law(3, case.at["z"]).mean), rel=1e-12)


def test_numbers_need_values() -> None:
    case = Linear("xy", rate=Symbol("eta", positive=True))
    with pytest.raises(TpError, match="no value for"):
        curves(case.limit(), case.model, {}, overrides=OVERRIDES)


def test_another_point_is_called_by_its_name_and_targets_may_be_parameters() -> None:
    case = Linear("x", targets=[Symbol("target", real=True)])
    found = curves(case.limit(), case.model, {"w": case.at["w"]}, overrides={**OVERRIDES, "target": S(3)}, steps=200)
    assert found.mean[-1] == pytest.approx([3, 0], abs=1e-9)
    assert found.labels == ("1", "w")
