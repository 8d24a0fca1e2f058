"""Expectations that random programs met and that were once wrong: against plain quadrature."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest
import scipy.special
import sympy as sp
from sympy import Rational

from tpsym.functions import Phi, gelu, relu, step
from tpsym.gauss import expect
from tpsym.gauss.numeric import value

z = sp.Symbol("z", real=True)
HALF = Rational(1, 2)
NUMPY = [
    {
        "relu": lambda x: np.maximum(x, 0.0),
        "step": lambda x: np.where(x > 0, 1.0, 0.0),
        "Phi": scipy.special.ndtr,
        "gelu": lambda x: x * scipy.special.ndtr(x),
        "erf": scipy.special.erf,
    },
    "numpy",
]


@pytest.mark.parametrize(
    "function",
    [
        sp.sin(z + sp.cos(z)),
        sp.cos(z + sp.tanh(z)),
        sp.sin(z / 2 + HALF + sp.exp(-((z / 2 + HALF) ** 2) / 2)),
        sp.erf(z + sp.cos(z)),
        sp.erf(sp.erf(z) / 2 + HALF),
        Phi(sp.cos(z)),
        gelu(gelu(z)),
        sp.sign(relu(z)),
        sp.sign(z * step(z)),
        step(relu(z) ** 2 * (z - HALF)),
        sp.sign(sp.erf(z)) * sp.sin(z),
        sp.Piecewise((1, relu(z) >= 0), (0, True)),
        sp.Piecewise((1, relu(z) <= 0), (0, True)),
        sp.cos(sp.exp(-sp.exp(-(sp.sign(z) ** 2)) / 2)),
    ],
    ids=str,
)
def test_means_of_one_variable(function):
    x, w = np.polynomial.legendre.leggauss(400)
    edges = np.array([-9.0, 0.0, 0.5, 9.0])
    mean = 0.0
    for low, high in pairwise(edges):
        points = (high - low) / 2 * x + (high + low) / 2
        values = np.broadcast_to(sp.lambdify(z, function, NUMPY)(points), points.shape)
        mean += float(np.sum(w * values * np.exp(-(points**2) / 2))) * (high - low) / 2 / np.sqrt(2 * np.pi)
    exact = expect(function, [z], [[1]]).value
    found, _ = value(exact, {}, digits=8, limit=128, deadline=time.monotonic() + 2)
    assert found.known
    assert float(found.value.rad()) < 1e-3
    assert float(found.value.mid()) == pytest.approx(mean, abs=1e-8 + float(found.value.rad()))


def test_a_mean_inside_a_mean_binds_its_own_variable():
    """E tanh(z − E tanh²): the inner variable is not the outer one."""
    inner = expect(sp.tanh(z) ** 2, [z], [[1]]).value
    whole = expect(sp.tanh(z - inner) * sp.exp(-(z**2) / 2), [z], [[1]]).value
    shift = float(value(inner, {}, digits=12)[0].value.mid())
    x, w = np.polynomial.hermite_e.hermegauss(180)
    mean = float(np.sum(w * np.tanh(x - shift) * np.exp(-(x**2) / 2)) / np.sqrt(2 * np.pi))
    assert float(value(whole, {}, digits=10)[0].value.mid()) == pytest.approx(mean, abs=1e-6)
