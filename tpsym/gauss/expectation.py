"""The unevaluated expectation: what stays when no closed form is known."""

from __future__ import annotations

from functools import cache
from typing import Any

from sympy import Expr, ImmutableDenseMatrix, Symbol


@cache
def bound(index: int) -> Symbol:
    """The bound variable number ``index`` (from 1) of an :class:`E`; no name in a file can be this one."""
    return Symbol("z" + "".join("₀₁₂₃₄₅₆₇₈₉"[int(c)] for c in str(index)), real=True)


class E(Expr):
    r"""``E(body, covariance)``: the mean of ``body`` over centred jointly Gaussian ``bound(1)…bound(k)``.

    ``covariance`` is the k × k matrix of their covariances (expressions in parameters). It behaves
    like any expression: substitution reaches the parameters in ``body`` and ``covariance``. Build
    one only through :func:`tpsym.gauss.expect`, which brings it to canonical form.
    """

    is_commutative = True
    is_real = True

    def __new__(cls, body: Expr, covariance: Any) -> E:
        return Expr.__new__(cls, body, ImmutableDenseMatrix(covariance))

    @property
    def body(self) -> Expr:
        return self.args[0]

    @property
    def covariance(self) -> ImmutableDenseMatrix:
        return self.args[1]

    @property
    def variables(self) -> tuple[Symbol, ...]:
        return tuple(bound(i + 1) for i in range(self.covariance.rows))

    @property
    def free_symbols(self) -> set[Symbol]:
        return (self.body.free_symbols - set(self.variables)) | self.covariance.free_symbols

    def _sympystr(self, printer: Any) -> str:
        return f"E[{printer._print(self.body)}]"

    def _latex(self, printer: Any) -> str:
        return rf"\mathbb{{E}}\left[{printer._print(self.body)}\right]"
