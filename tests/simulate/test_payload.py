"""Every function of the language as NumPy, against mpmath one number at a time."""

import mpmath
import numpy as np
import pytest
import sympy as sp

from tpsym import functions as tp
from tpsym.errors import TpError
from tpsym.functions import NONLINEARITIES, unknown
from tpsym.simulate.payload import compile_payload

z, a = sp.symbols("z a", real=True)
POINTS = (-30.0, -2.5, -1.0, -1e-3, 0.0, 1e-3, 0.7, 3.0, 30.0)


def mp_phi(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def mp_sigmoid(x):
    return 1 / (1 + mpmath.exp(-x))


REFERENCE = {
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x, slope: x if x > 0 else slope * x,
    "abs": abs,
    "step": lambda x: int(x > 0),
    "sign": mpmath.sign,
    "erf": mpmath.erf,
    "Phi": mp_phi,
    "gelu": lambda x: x * mp_phi(x),
    "tanh": mpmath.tanh,
    "sigmoid": mp_sigmoid,
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "silu": lambda x: x * mp_sigmoid(x),
    "exp": mpmath.exp,
    "log": lambda x: mpmath.log(x) if x > 0 else None,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
    "sqrt": lambda x: mpmath.sqrt(x) if x >= 0 else None,
    "hermite": None,
    "max": max,
    "min": min,
}


def value(expression, functions=None, **given):
    payload = compile_payload(expression, functions=functions or {})
    return payload(given)


def test_every_nonlinearity_has_a_reference():
    assert set(REFERENCE) == set(NONLINEARITIES)


@pytest.mark.parametrize("name", [name for name in REFERENCE if name != "hermite"])
def test_nonlinearity_agrees_with_mpmath(name):
    build, arity = NONLINEARITIES[name]
    arguments = (z, a)[:arity]
    points = np.array([(x, y) for x in POINTS for y in (-1.5, 0.25)])
    got = value(build(*arguments), z=points[:, 0], a=points[:, 1])
    for (x, y), result in zip(points, got, strict=True):
        with mpmath.workdps(40):
            expected = REFERENCE[name](*(mpmath.mpf(t) for t in (x, y)[:arity]))
        if expected is not None:
            assert result == pytest.approx(float(expected), rel=1e-13, abs=0.0), (x, y)


@pytest.mark.parametrize("order", [0, 1, 2, 5, 9])
def test_hermite_polynomials(order):
    got = value(tp.hermite(sp.Integer(order), z) + 0 * z, z=np.array(POINTS))
    for x, result in zip(POINTS, np.broadcast_to(got, len(POINTS)), strict=True):
        with mpmath.workdps(40):
            scaled = mpmath.hermite(order, x / mpmath.sqrt(2)) / mpmath.sqrt(2) ** order
        assert result == pytest.approx(float(scaled), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", [
    "relu", "leaky_relu", "Phi", "gelu", "sigmoid", "softplus", "silu", "tanh", "erf", "exp", "sin",
])
def test_first_derivative_matches_differences(name):
    build, arity = NONLINEARITIES[name]
    function = build(*(z, a)[:arity])
    points, h = np.array([-1.7, -0.4, 0.3, 1.9]), 1e-5
    slope = value(function.diff(z), z=points, a=0.2)
    difference = (value(function, z=points + h, a=0.2) - value(function, z=points - h, a=0.2)) / (2 * h)
    np.testing.assert_allclose(slope, difference, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ["relu", "gelu", "silu", "softplus", "sigmoid", "Phi", "tanh", "erf"])
def test_tails_are_stable(name):
    low, high = value(NONLINEARITIES[name][0](z), z=np.array([-800.0, 800.0]))
    assert low in (0.0, -1.0)
    assert high in (1.0, 800.0)


@pytest.mark.parametrize(("expression", "expected"), [
    (sp.Piecewise((sp.log(z), z > 0), (-z, True)), [2.0, 0.0, 0.0, np.log(3.0)]),
    (sp.Piecewise((z, (z > 1) & (z < 5)), (1, sp.Or(z < -1, sp.Eq(z, 0))), (7, True)), [1, 1, 7, 3]),
    (sp.Piecewise((z**2, sp.Ne(z, 1)), (5, True)), [4, 0, 5, 9]),
    (sp.Heaviside(z), [0, 0.5, 1, 1]),
    (sp.Max(z, -1, 2 * z), [-1, 0, 2, 6]),
    (sp.Min(z, 2, 1 + z / 2), [-2, 0, 1, 2]),
    (sp.Mod(z, 2), [0, 0, 1, 1]),
    (z**7 - sp.sqrt(2) * z + sp.pi, np.pi + np.array([-128 + 2**1.5, 0, 1 - 2**0.5, 2187 - 3 * 2**0.5])),
    (sp.Pow(z**2 + 1, sp.Rational(-3, 2)), [5**-1.5, 1, 2**-1.5, 10**-1.5]),
    (1 / sp.sqrt(z**2 + 1), [5**-0.5, 1, 2**-0.5, 10**-0.5]),
    (sp.Abs(z) ** a, [2**0.5, 0, 1, 3**0.5]),
])
def test_other_payloads(expression, expected):
    np.testing.assert_allclose(value(expression, z=np.array([-2.0, 0.0, 1.0, 3.0]), a=0.5), expected)


def test_branch_not_taken_gives_no_warning_and_missing_branch_is_nan():
    got = value(sp.Piecewise((1 / z, z > 0)), z=np.array([-1.0, 0.0, 2.0]))
    np.testing.assert_array_equal(got, [np.nan, np.nan, 0.5])


def test_unknown_function_and_its_derivatives():
    phi, psi = unknown("phi", 1)(z), unknown("psi", 2)(z, a)
    given = {"phi''": lambda x: 6 * x, "psi[1,0]": lambda x, y: x - y}
    points = np.array([1.0, 2.0])
    got = value(phi.diff(z, 2) + psi.diff(z), functions=given, z=points, a=3.0)
    np.testing.assert_allclose(got, 6 * points + points - 3)


def test_unknown_function_without_a_value_names_it():
    with pytest.raises(TpError, match=r"the function phi' is unknown"):
        value(unknown("phi", 1)(z).diff(z), functions={"phi": np.sin}, z=0.0)


def test_point_mass_is_refused():
    with pytest.raises(TpError, match="delta has no value at finite width"):
        value(tp.step(z).diff(z), z=0.0)


def test_shared_parts_are_computed_once():
    part = sp.tanh(z) + 1
    payload = compile_payload(part * sp.exp(part) + part**3, functions={})
    calls = [step for step in payload.steps if getattr(step, "operation", None) is np.tanh]
    assert len(calls) == 1


def test_a_long_chain_needs_no_recursion():
    expression = z
    for _ in range(3000):
        expression = sp.sin(expression, evaluate=False)
    assert abs(value(expression, z=1.0)) < 0.1
