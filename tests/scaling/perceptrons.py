"""Networks of L hidden layers with an exponent for everything, and the theorems about them, written out.

After Yang and Hu (Tensor Programs IV) and Yang and Littwin (Tensor Programs IVb): a multipliers, b entries, c learning
rates, d scales of gradients; the readout is number L + 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import cache

from sympy import Expr, Symbol

import tpsym
from tpsym.errors import NOWHERE
from tpsym.polyhedra.conditions import Condition, Expression, all_of, combination, compare, equivalent, max_of, min_of
from tpsym.polyhedra.forms import Form, number, variable
from tpsym.program.scope import Context
from tpsym.results.exponents import analyse, output
from tpsym.scaling.regimes import Scaling
from tpsym.scaling.updates import Alignment
from tpsym.transform.optimizers import Optimizer, Rule

HALF = Fraction(1, 2)
DEPTHS = (1, 2, 3, 4)


def text(depth: int, *, bias: bool = False, function: str = "phi") -> str:
    """A network whose arrays have exponents a[l] and b[l]."""
    out = depth + 1
    lines = ["width n", "dim d", f"param a[l], b[l]: real for l in 1..{out}", "input x: (d)"]
    lines += ["fn phi"] if function == "phi" else []
    lines += [f"weight w[{k}]: {shape(depth, k)} ~ N(0, n^(-2*b[{k}]))" for k in range(1, out + 1)]
    lines += ["weight t: (n) ~ N(0, 1)"] if bias else []
    lines += ["def f(xi):", f"    h[1] = n^(-a[1]) * w[1] @ xi{' + t' if bias else ''}"]
    lines += [f"    h[{k}] = n^(-a[{k}]) * w[{k}] @ {function}(h[{k - 1}])" for k in range(2, out)]
    return "\n".join([*lines, f"    return n^(-a[{out}]) * w[{out}] @ {function}(h[{depth}])", ""])


def shape(depth: int, layer: int) -> str:
    return "(n, d)" if layer == 1 else "(1, n)" if layer == depth + 1 else "(n, n)"


@cache
def network(source: str) -> tuple[Context, Expr]:
    """The context and the output of the network f of a file."""
    context = tpsym.parse(source).model.context
    return context, output(context, context.scope.find("f"), NOWHERE)  # type: ignore[arg-type]


def scaling(source: str, optimizer: Optimizer, *, alignment: Alignment = "worst") -> Scaling:
    context = network(source)[0]
    return analyse(context, context.scope.find("f"), optimizer, NOWHERE, alignment=alignment)  # type: ignore[arg-type]


def minus(letter: str, depth: int) -> dict[str, Expr]:
    """n^-letter[l] for every array."""
    n = network(text(depth))[0].n
    return {f"w[{k}]": n ** -Symbol(f"{letter}[{k}]", real=True) for k in range(1, depth + 2)}


@cache
def one_rate(depth: int) -> Scaling:
    """SGD with learning rate n^-c."""
    return scaling(text(depth), Optimizer("sgd", rate=network(text(depth))[0].n ** -Symbol("c", real=True)))


@cache
def rates_by_layer(depth: int, rule: Rule, faithful: bool = False) -> Scaling:
    """Learning rates n^-c[l]; with ``faithful`` ε of size n^-d[l]."""
    epsilons = minus("d", depth) if faithful else {}
    return scaling(text(depth), Optimizer(rule, rates=minus("c", depth), epsilons=epsilons))


def v(name: str) -> Form:
    return variable(name)


def plus(*items: Expression, constant: Fraction | int = 0) -> Expression:
    return combination(constant, ((1, item) for item in items))


def at_least(left: Expression, right: Fraction | int) -> Condition:
    return compare(">=", left, number(right))


def equal(left: Expression, right: Expression | Fraction | int) -> Condition:
    return compare("==", left, number(right) if isinstance(right, int | Fraction) else right)


class Theorems:
    """Definitions 3.2 and 2.8.5, Theorems 3.3 to 3.8 and 2.8.12 to 2.8.19."""

    def __init__(self, depth: int, *, by_layer: bool = False) -> None:
        self.depth, self.out = depth, depth + 1
        self.layers = range(1, depth + 1)
        self.c = {k: v(f"c[{k}]") if by_layer else v("c") for k in range(1, depth + 2)}
        self.a = {k: v(f"a[{k}]") for k in self.c}
        self.b = {k: v(f"b[{k}]") for k in self.c}
        self.d = {k: v(f"d[{k}]") for k in self.c}
        self.x = self.a[self.out] + self.b[self.out]
        self.y = self.a[self.out] * 2 + self.c[self.out]
        self.rho = {k: self.c[k] - 1 + self.a[k] * 2 + int(k == 1) for k in self.layers}

    # --- SGD ---------------------------------------------------------------------------------------

    @property
    def r(self) -> Expression:
        return plus(min_of([self.x, self.y]), min_of(self.rho.values()))

    @property
    def stable_at_initialisation(self) -> Condition:
        inner = [equal(self.a[k] + self.b[k], HALF) for k in self.layers if k > 1]
        return all_of([equal(self.a[1] + self.b[1], 0), *inner, at_least(self.x, HALF)])

    @property
    def stable(self) -> Condition:
        return all_of([
            self.stable_at_initialisation, at_least(self.r, 0), at_least(self.y, 1), at_least(plus(self.x, self.r), 1)
        ])

    @property
    def nontrivial(self) -> list[Condition]:
        """The alternatives."""
        return [equal(plus(self.x, self.r), 1), equal(self.y, 1)]

    # --- entrywise ---------------------------------------------------------------------------------

    @property
    def r_by_layer(self) -> Mapping[int, Form]:
        return {k: self.c[k] + self.a[k] - int(k > 1) for k in self.c}

    @property
    def r_entrywise(self) -> Expression:
        return min_of(self.r_by_layer[k] for k in self.layers)

    @property
    def stable_entrywise(self) -> Condition:
        rest = [at_least(form, 0) for form in self.r_by_layer.values()]
        return all_of([self.stable_at_initialisation, *rest, at_least(plus(self.x, self.r_entrywise), 1)])

    @property
    def faithful(self) -> Condition:
        inner = [equal(self.d[k], self.a[k] + self.x) for k in self.layers]
        start = all_of([*inner, equal(self.d[self.out], self.a[self.out])])
        return all_of([start, compare("<=", self.b[self.out], self.c[self.out])])

    @property
    def nontrivial_entrywise(self) -> list[Condition]:
        return [equal(self.a[self.out] + self.c[self.out], 1), equal(plus(self.x, self.r_entrywise), 1)]


def same(left: Condition, right: Condition) -> bool:
    """Whether two conditions hold at the same points, decided exactly; a point where they differ fails a test."""
    decision = equivalent(left, right)
    assert decision.holds is not None, "undecided"
    assert decision.holds, f"they differ at {dict(decision.witness or {})}"
    return True


def same_where(premise: Condition, left: Condition, right: Condition) -> bool:
    """The same under a premise."""
    return same(all_of([premise, left]), all_of([premise, right]))


def point(**families: Iterable[Fraction | int] | Fraction | int) -> dict[str, Fraction]:
    """``a=(0, 1)`` is a[1] = 0 and a[2] = 1; ``c=1`` is c = 1."""
    found = {}
    for name, values in families.items():
        if isinstance(values, int | Fraction):
            found[name] = Fraction(values)
        else:
            found |= {f"{name}[{k}]": Fraction(q) for k, q in enumerate(values, 1)}
    return found


__all__ = [
    "DEPTHS", "HALF", "Theorems", "at_least", "equal", "max_of", "minus", "network", "one_rate", "plus", "point",
    "rates_by_layer", "same", "same_where", "scaling", "shape", "text", "v",
]
