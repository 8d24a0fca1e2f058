r"""Regimes: when a parametrisation is stable, moves its output, learns features or is a kernel limit.

With :math:`-r` the exponent of the largest change of a feature, a stable and nontrivial parametrisation learns
features if r = 0 and is in the kernel regime if r > 0 (Yang and Hu, Tensor Programs IV, Theorems 3.3–3.8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sympy import Expr

from tpsym.polyhedra.conditions import Condition, Expression, all_of, any_of, compare, max_of, min_of
from tpsym.polyhedra.forms import Form, number
from tpsym.polyhedra.pieces import pieces
from tpsym.polyhedra.polyhedron import Polyhedron
from tpsym.polyhedra.readable import irredundant_max, readable
from tpsym.scaling.arrays import Array
from tpsym.scaling.interpret import Pass
from tpsym.scaling.payload import Pair
from tpsym.scaling.sizes import Size, total
from tpsym.scaling.training import Constraint, Run, kernel_size, own_updates
from tpsym.transform.optimizers import Optimizer

NOUGHT = number(0)


def largest(size: Iterable[Form]) -> Expression | None:
    """The maximum of a size, ``None`` for zero itself."""
    forms = sorted(size, key=str)
    return max_of(forms) if forms else None


def holds(constraint: Constraint, forms: Iterable[Form]) -> Condition:
    """A constraint with its forms as given, as a condition."""
    forms = sorted(forms, key=str)
    if constraint.equal:
        return compare("==", max_of(forms), NOUGHT)
    return all_of(compare("<=", f, NOUGHT) for f in forms)


@dataclass(frozen=True)
class Scaling:
    """The exponents of one network under one optimizer, and the conditions on the parameters that they give."""

    run: Run
    optimizer: Optimizer

    # --- sizes --------------------------------------------------------------------------------------

    def init(self, expr: Expr) -> Expression | None:
        """The exponent e of a vector or scalar over nodes, of size n^e at initialisation; ``None`` if it is zero."""
        return largest(total(self._pair(self.run.first, expr).initial))

    def update(self, expr: Expr) -> Expression | None:
        """The exponent of the change in training, after enough steps; ``None`` if it never changes."""
        return self._change(self.run.last, expr)

    def first(self, expr: Expr) -> Expression | None:
        """The exponent of the change in the first step alone; ``None`` if that changes nothing."""
        return self._change(self.run.early, expr)

    def _change(self, reading: Pass, expr: Expr) -> Expression | None:
        known = self.run.known
        forms = known.maximal(frozenset(map(known.reduced, total(self._pair(reading, expr).change))))
        return largest(self._needed(forms))

    def _pair(self, reading: Pass, expr: Expr) -> Pair:
        context = self.run.setting.context
        nodes = [context.nodes[s] for s in expr.free_symbols if s in context.nodes]
        for node in context.builder.program().ancestors(nodes):
            if node not in reading.values:
                reading.visit(node)
        return reading.expression(expr, reading.values)

    def _needed(self, forms: Iterable[Form]) -> tuple[Form, ...]:
        region = self.polyhedron
        forms = tuple(sorted(forms, key=str))
        return irredundant_max(forms, region) if region is not None and len(forms) > 1 else forms

    # --- conditions ---------------------------------------------------------------------------------

    @cached_property
    def constraints(self) -> tuple[tuple[Constraint, Condition], ...]:
        """What stability asks, one by one, with what it is asked of."""
        found = []
        for c in self.run.constraints:
            if c.size:
                found.append((c, holds(c, c.size)))
        return tuple(found)

    @cached_property
    def faithful(self) -> Condition:
        """With ε given: what the entrywise optimizer divides is of the size of ε, and stays so."""
        rules, run, found = self.run.setting.rules, self.run, []
        for array in run.setting.arrays:
            if array.eps is None or rules.rule == "sgd":
                continue
            for use in run.setting.uses[array.name]:
                start = Pass(run.setting, run.known, run.first.values).outer(use)
                later = Pass(run.setting, run.known, run.last.values).outer(use)
                at_start = max_of(f - array.eps for f in rules.gradient(array, start))
                found.append(compare("==", at_start, NOUGHT))
                found += [compare("<=", f - array.eps, NOUGHT) for f in rules.gradient(array, later)]
        return readable(all_of(found), fold=False)

    @cached_property
    def stable(self) -> Condition:
        """Features are of order one at initialisation; neither they nor the output blow up, before or in training."""
        return readable(all_of([*(condition for _, condition in self.constraints), self.faithful]), fold=False)

    @cached_property
    def nontrivial(self) -> Condition:
        """The output moves by order one in training."""
        forms = frozenset().union(*(total(p.change) for p in self.run.final_outputs))
        moved = self._needed(self.run.known.maximal(frozenset(map(self.run.known.reduced, forms))))
        return any_of(compare("==", f, NOUGHT) for f in moved)

    @cached_property
    def feature_sizes(self) -> tuple[Form, ...]:
        """The forms whose maximum is the exponent of the largest change of a feature."""
        run = self.run
        forms: set[Form] = set()
        for c in run.constraints:
            if c.when == "training" and c.role in ("vector", "narrow"):
                forms |= c.size
        return self._needed(map(run.known.reduced, forms))

    @cached_property
    def r(self) -> Expression | None:
        """Minus the exponent of the largest change of a feature; ``None`` if none ever changes."""
        return min_of(-f for f in self.feature_sizes) if self.feature_sizes else None

    @cached_property
    def feature_learning(self) -> Condition:
        """Stable, and some feature moves by order one."""
        return all_of([self.stable, any_of(compare("==", f, NOUGHT) for f in self.feature_sizes)])

    @cached_property
    def kernel_regime(self) -> Condition:
        """Stable and nontrivial, while no feature moves."""
        still = [compare("<", f, NOUGHT) for f in self.feature_sizes]
        return all_of([self.stable, self.nontrivial, *still])

    def contributes(self, array: Array) -> Condition:
        """When an array adds to the limiting kernel: ⟨∇f, ΔW⟩ is of order one."""
        moved = any_of(compare("==", f, NOUGHT) for f in self._needed(kernel_size(self.run, array)))
        # the gradient is aligned with itself whatever is assumed of what arrays meet
        return moved if self.run.setting.rules.alignment == "worst" else all_of([moved, self.nontrivial])

    def own(self, array: Array) -> Size:
        """What the update of an array changes directly in features and in the output."""
        return own_updates(self.run, array)

    # --- geometry -----------------------------------------------------------------------------------

    @cached_property
    def pieces(self) -> tuple[Polyhedron, ...]:
        """The stable region as polyhedra: one, unless features are sums of several arrays."""
        exact = all_of([*(condition for _, condition in self.constraints), self.faithful])
        return tuple(p.minimal() for p in pieces(exact))

    @property
    def polyhedron(self) -> Polyhedron | None:
        """The stable region, if it is convex and not empty."""
        return self.pieces[0] if len(self.pieces) == 1 else None
