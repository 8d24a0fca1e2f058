"""The nonlinearities as sympy functions: values, derivatives and nothing about Gaussians.

Derivatives are weak ones (``relu' = step``, ``step' = delta``); ``step(0) = sign(0) = 0``.
``NONLINEARITIES`` maps the name in a ``.tp`` file to what builds the expression.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import sympy as sp
from sympy import Expr, Function, Rational, Symbol, Tuple


class step(Function):
    r"""``step(z) = 1`` for ``z > 0``, else ``0``."""

    is_real = True
    is_nonnegative = True

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        if z.is_positive:
            return sp.S.One
        if z.is_nonpositive:
            return sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        return delta(self.args[0])


class delta(Function):
    """Point mass at zero: the weak derivative of :class:`step`, meaningful only inside an expectation."""

    is_real = True


class relu(Function):
    """``relu(z) = max(z, 0)``."""

    is_real = True
    is_nonnegative = True

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        if z.is_nonnegative:
            return z
        if z.is_nonpositive:
            return sp.S.Zero
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        return step(self.args[0])


class leaky_relu(Function):
    """``leaky_relu(z, a) = z`` for ``z > 0``, else ``a z``."""

    is_real = True

    def fdiff(self, argindex: int = 1) -> Expr:
        z, a = self.args
        return a + (1 - a) * step(z) if argindex == 1 else z * (1 - step(z))


class Phi(Function):
    r"""The normal distribution function, ``Phi(z) = (1 + erf(z/sqrt 2))/2``."""

    is_real = True
    is_positive = True

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        return Rational(1, 2) if z.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        return normal_density(self.args[0])


def normal_density(z: Expr) -> Expr:
    r"""``exp(-z^2/2)/sqrt(2 pi)``."""
    return sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)


class gelu(Function):
    """``gelu(z) = z Phi(z)`` (the exact one, not the tanh approximation)."""

    is_real = True

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        return sp.S.Zero if z.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        z = self.args[0]
        return Phi(z) + z * normal_density(z)


class sigmoid(Function):
    """``sigmoid(z) = 1/(1 + exp(-z))``."""

    is_real = True
    is_positive = True

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        return Rational(1, 2) if z.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        return self * (1 - self)


class softplus(Function):
    """``softplus(z) = log(1 + exp(z))``."""

    is_real = True
    is_positive = True

    def fdiff(self, argindex: int = 1) -> Expr:
        return sigmoid(self.args[0])


class silu(Function):
    """``silu(z) = z sigmoid(z)``."""

    is_real = True

    @classmethod
    def eval(cls, z: Expr) -> Expr | None:
        return sp.S.Zero if z.is_zero else None

    def fdiff(self, argindex: int = 1) -> Expr:
        z = self.args[0]
        return sigmoid(z) + z * sigmoid(z) * (1 - sigmoid(z))


class Unknown(Function):
    """An unknown function: ``Unknown(name, orders, *args)`` is its partial derivative of these orders.

    ``Unknown(Symbol("phi"), Tuple(2), z)`` is phi''(z). It is taken to be as smooth as it is
    differentiated, with polynomially bounded derivatives; a derivation that uses this says so.
    """

    is_real = True

    @property
    def name(self) -> str:
        return str(self.args[0])

    @property
    def orders(self) -> tuple[int, ...]:
        return tuple(int(k) for k in self.args[1])

    @property
    def arguments(self) -> tuple[Expr, ...]:
        return tuple(self.args[2:])

    @property
    def free_symbols(self) -> set[Symbol]:
        """The symbols of the arguments: the name of a function is no parameter."""
        return set().union(*(a.free_symbols for a in self.arguments))

    def _sympystr(self, printer: Any) -> str:
        several = "".join(f"_{k}" for k in self.orders) if any(self.orders) else ""
        marks = "'" * self.orders[0] if len(self.orders) == 1 else several
        return f"{self.name}{marks}({', '.join(printer._print(a) for a in self.arguments)})"

    def partial(self, index: int) -> Expr:
        """The derivative in the argument of this index (from 0)."""
        orders = [k + (i == index) for i, k in enumerate(self.orders)]
        return Unknown(self.args[0], Tuple(*orders), *self.arguments)

    def _eval_derivative(self, s: Symbol) -> Expr:
        return sp.Add(*(self.partial(i) * a.diff(s) for i, a in enumerate(self.arguments) if a.has(s)))


def unknown(name: str, arity: int) -> Callable[..., Expr]:
    """The function of this name and number of arguments, nothing known about it."""

    def apply(*args: Expr) -> Expr:
        return Unknown(Symbol(name), Tuple(*([0] * arity)), *args)

    return apply


def hermite(order: Expr, z: Expr) -> Expr:
    r"""The probabilists' Hermite polynomial :math:`He_k(z)`, expanded; ``order`` a natural number."""
    k = int(order)
    if k < 0 or k != order:
        raise ValueError("hermite(k, z) needs a whole number k >= 0")
    before, now = sp.S.Zero, sp.S.One
    for j in range(k):
        before, now = now, sp.expand(z * now - j * before)
    return now


NONLINEARITIES: Mapping[str, tuple[Any, int]] = MappingProxyType({
    "relu": (relu, 1),
    "leaky_relu": (leaky_relu, 2),
    "abs": (sp.Abs, 1),
    "step": (step, 1),
    "sign": (sp.sign, 1),
    "erf": (sp.erf, 1),
    "Phi": (Phi, 1),
    "gelu": (gelu, 1),
    "tanh": (sp.tanh, 1),
    "sigmoid": (sigmoid, 1),
    "softplus": (softplus, 1),
    "silu": (silu, 1),
    "exp": (sp.exp, 1),
    "log": (sp.log, 1),
    "sin": (sp.sin, 1),
    "cos": (sp.cos, 1),
    "sqrt": (sp.sqrt, 1),
    "hermite": (hermite, 2),
    "max": (sp.Max, 2),
    "min": (sp.Min, 2),
})
"""Name in the language → (what builds the expression, number of arguments)."""
