"""From a training to its recursion without random matrices: powers of n settled, expressions compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
from sympy import Expr, S, Symbol

from tpsym.particles.entrywise_rules import ENTRYWISE, EntryRule, direction_power
from tpsym.particles.grids_checks import bends, stages
from tpsym.particles.grids_laws import Law, Laws
from tpsym.particles.grids_recursion import Fixed, Moved, Part, Quantity, Recursion
from tpsym.particles.plan import Setting, formula, ratio
from tpsym.particles.powers import NOTHING, Lead, no_limit
from tpsym.particles.training import Observed
from tpsym.program.instructions import Moment, Nonlin, RandomScalar, Vector, is_scalar, scalar_slot, vector_slot
from tpsym.program.scope import Context
from tpsym.simulate.payload import Array, compile_payload
from tpsym.simulate.train_losses import numeric_loss
from tpsym.transform.trainable import Trainable
from tpsym.transform.training import Training

PASSES = 16
"""Passes over the program after which powers of n that still grow are taken to grow without end."""


@dataclass(slots=True)
class Compiler:
    """One training on its way to a :class:`Recursion`; ``powers`` are those of the trained arrays so far."""

    training: Training
    observed: Observed
    setting: Setting
    points: Mapping[str, Array]
    trained: tuple[Trainable, ...]
    order: tuple[int, ...]
    laws: Laws
    initial: dict[str, Law] = field(default_factory=dict)
    vectors: dict[int, Law] = field(default_factory=dict)
    powers: dict[str, Fraction | None] = field(default_factory=dict)
    exact: dict[str, bool] = field(default_factory=dict)
    leads: dict[Symbol, Lead] = field(default_factory=dict)
    found: dict[int, Quantity] = field(default_factory=dict)
    arrays: list[Moved] = field(default_factory=list)

    @property
    def context(self) -> Context:
        """The context of the program."""
        return self.training.context

    def settle(self) -> Recursion:
        """Pass over the program until the powers of the trained arrays stay."""
        for _ in range(PASSES):
            before = dict(self.powers), dict(self.exact)
            self._pass()
            if (self.powers, self.exact) == before:
                return self._recursion()
        raise no_limit("in training the arrays grow with the width without bound")

    def begin(self) -> None:
        """The laws of all initial arrays."""
        context = self.context
        layers = {k: t.name for t in self.trained if t.node is None for k, _ in t.points}
        wanted = [k for k in self.order if isinstance(context.builder[k], Vector) and k not in layers]
        self.laws.vectors(wanted)
        self.vectors = {k: self.laws.vector(k) for k in wanted}
        declared = {t.name: t for t in context.trained}
        for array in self.trained:
            if array.node is None:
                self.initial[array.name] = self.laws.layer(declared[array.name], len(self._basis(array)))
            elif isinstance(array.law, RandomScalar):
                self.initial[array.name] = self.laws.scalar(array.law)
            else:
                self.initial[array.name] = self.vectors[array.node]
        for array in self.trained:
            law = self.initial[array.name]
            if law.power is not None and array.entries:
                self.initial[array.name] = replace(law, power=law.power + array.entries)
        self.powers = {k: law.power for k, law in self.initial.items()}
        self.exact = dict.fromkeys(self.initial, True)

    def _basis(self, array: Trainable) -> Array:
        """Directions of the space of data, in rows, in which an input layer moves.

        Rules that treat entries one by one know the coordinates themselves; the others may turn them.
        """
        used = np.array([self.points[name] for node, name in array.points if node in self.order])
        if self.training.optimizer.rule == "adafactor":
            return np.eye(used.shape[1])
        if self.training.optimizer.rule in ENTRYWISE:
            return np.eye(used.shape[1])[np.any(used != 0, axis=0)]
        _, sizes, rows = np.linalg.svd(used, full_matrices=False)
        found: Array = rows[sizes > 1e-12 * max(float(sizes[0]), 1e-300)]
        return found

    def _pass(self) -> None:
        self.leads, self.found, self.arrays = {}, {}, []
        for array in self.trained:
            lead = _lead(self.powers[array.name], self.exact[array.name])
            for node in nodes_of(array):
                self._put(node, lead)
        for node in self.order:
            symbol = self.context.symbol(node)
            if symbol in self.leads:
                continue
            match self.context.builder[node]:
                case Vector():
                    self._put(node, _lead(self.vectors[node].power, True))
                case RandomScalar() as law:
                    self._put(node, _lead(self.laws.scalar(law).power, True))
                case Nonlin() | Moment() as instruction:
                    slots = {vector_slot(i): self.context.symbol(k) for i, k in enumerate(instruction.vectors)}
                    slots |= {scalar_slot(i): self.context.symbol(k) for i, k in enumerate(instruction.scalars)}
                    self.found[node], lead = self._quantity(instruction.payload.xreplace(slots))
                    self._put(node, lead)
        self.arrays = [self._moved(array) for array in self.trained]

    def _put(self, node: int, lead: Lead) -> None:
        symbol = self.context.symbol(node)
        self.leads[symbol] = NOTHING if lead.zero else Lead(symbol, lead.power, lead.exact)

    def _quantity(self, expr: Expr) -> tuple[Quantity, Lead]:
        made = formula(expr, self.leads, self.setting)
        coefficient = made.lead.coefficient
        nodes = tuple(sorted((s.name, self.context.nodes[s]) for s in made.payload.symbols if s in self.context.nodes))
        kinks = tuple(
            compile_payload(kink, functions=self.setting.functions)
            for kink in bends(coefficient) if self.context.vector_symbols(kink)
        )
        return Quantity(made.payload, nodes, self.setting.parameters, kinks, made.guards), made.lead

    def _moved(self, array: Trainable) -> Moved:
        """An array with what one step does to it; its power of n grows if the step is larger."""
        constant, optimizer, name = self.setting.constant, self.training.optimizer, array.name
        unit, of_unit = constant(array.unit, f"the size of {name}")
        rate, of_rate = constant(optimizer.rate_of(name), f"the learning rate for {name}")
        assert of_unit is not None
        parts, top, steady = self._parts(array, unit, of_unit)
        direction, rule = self._direction(array, top, steady)
        step = None
        if direction is not None and of_rate is not None:
            step = direction + of_rate - of_unit
            if optimizer.rule == "adafactor":
                step += of_unit + (self.powers[name] or Fraction(0))
        shrink, centre = self._decay(array, rate, of_rate)
        if not steady and optimizer.rule == "muon":
            raise no_limit(f"the gradient of {name} has parts of different sizes, which muon makes equal")
        self._grow(name, step)
        power, law = self.powers[name], self.initial[name]
        used = rate / unit if step is not None and step == power else 0.0
        if optimizer.rule == "adafactor":
            used *= abs(unit)
        if optimizer.rule == "muon" and isinstance(array.law, Vector):
            used /= np.sqrt(ratio(array.law.dimension, self.setting))
        begins = law.power == power
        return Moved(
            name, isinstance(array.law, RandomScalar), self._products(array),
            law.mean if begins else 0 * law.mean, self._spread(law, begins, array),
            parts, used, shrink, centre, rule,
        )

    def _grow(self, name: str, step: Fraction | None) -> None:
        before = self.powers[name]
        if step is None:
            return
        self.powers[name] = step if before is None else max(before, step)
        lower = {p for p in (self.initial[name].power, step) if p is not None and p != self.powers[name]}
        self.exact[name] = self.exact[name] and not lower

    def _spread(self, law: Law, begins: bool, array: Trainable) -> Array:
        """Loadings on all directions."""
        found = np.zeros((len(law.mean), self.laws.count))
        if isinstance(array.law, RandomScalar):
            if begins and law.loadings[0, 0]:
                raise no_limit(f"{array.name} is a random number, which keeps its law in the limit")
            return found
        if begins:
            found[:, law.first: law.first + law.loadings.shape[1]] = law.loadings
        return found

    def _products(self, array: Trainable) -> tuple[tuple[int, Array], ...]:
        if array.node is not None:
            return ((array.node, np.ones(1)),)
        basis = self._basis(array)
        return tuple((k, basis @ self.points[name]) for k, name in array.points if k in self.order)

    def _parts(
        self, array: Trainable, unit: float, of_unit: Fraction
    ) -> tuple[tuple[Part, ...], Fraction | None, bool]:
        """The gradient by p at its largest power of n, that power, and whether there is nothing else."""
        found: list[tuple[Fraction, Part, bool]] = []
        basis = self._basis(array) if array.node is None else np.ones((1, 1))
        for use in array.uses:
            left, lead = self._quantity(use.left)
            scale, of_scale = self.setting.constant(use.scale, "a gradient")
            if lead.power is None or of_scale is None:
                continue
            point = basis @ self.points[use.right] if isinstance(use.right, str) else np.ones(1)
            part = Part(use.example, scale / unit, left, point)
            found.append((lead.power + of_scale - of_unit, part, lead.exact))
        if not found:
            return (), None, True
        top = max(power for power, _, _ in found)
        steady = all(power == top and exact for power, _, exact in found)
        return tuple(part for power, part, _ in found if power == top), top, steady

    def _direction(
        self, array: Trainable, top: Fraction | None, steady: bool
    ) -> tuple[Fraction | None, EntryRule]:
        """The power of n of the direction of a step, and the entrywise rule with the ε that counts."""
        optimizer, name = self.training.optimizer, array.name
        eps, of_eps = self.setting.constant(optimizer.eps_of(name), f"the ε for {name}")
        power, rooted, counts = direction_power(optimizer.rule, top, of_eps)
        beta1, beta2 = (self.setting.number(e, "the optimizer") for e in (optimizer.beta1, optimizer.beta2))
        rule = EntryRule(name, optimizer.rule, beta1, beta2, eps if counts else 0.0, rooted, steady)
        if optimizer.rule in ENTRYWISE or top is None:
            return power, rule
        if optimizer.rule == "muon":
            return Fraction(0) if isinstance(array.law, RandomScalar) else -Fraction(1, 2), rule
        return top, rule

    def _decay(self, array: Trainable, rate: float, of_rate: Fraction | None) -> tuple[float, float]:
        """ηλ, and the centre as a coefficient of the power of the array."""
        name = array.name
        decay, of_decay = self.setting.constant(self.training.optimizer.decay_of(name), f"the decay for {name}")
        centre, of_centre = self.setting.constant(array.centre, f"the centre of {name}")
        power = self.powers[name]
        matters = self.training.optimizer.rule == "adafactor" or of_decay is not None
        if of_centre is not None and matters and (power is None or of_centre > power):
            raise no_limit(f"the decay of {name} is larger than {name} is")
        at = centre if of_centre == power else 0.0
        if of_decay is None or of_rate is None or of_decay + of_rate < 0:
            return 0.0, at
        if of_decay + of_rate > 0:
            raise no_limit(f"the decay of {name} grows with the width")
        return rate * decay, at

    def _recursion(self) -> Recursion:
        training, setting = self.training, self.setting
        outputs = [self._bounded(e, "an output") for e in training.outputs]
        observed = [(label, self._bounded(e, label), d is not None) for label, e, d in self.observed]
        numbers, fixed = self._still()
        used = [*self.found.values(), *(p.left for a in self.arrays for p in a.parts), *(q for _, q, _ in observed)]
        bent = any(q.kinks for q in used) or training.optimizer.rule in ENTRYWISE
        vectors = frozenset(k for k in self.order if not is_scalar(self.context.builder[k]))
        return Recursion(
            training, self.found, stages(self.context, self.found, observed), vectors, fixed, numbers,
            tuple(self.arrays), tuple(outputs), tuple(observed),
            numeric_loss(training.loss, setting.parameters, setting.functions),
            np.array([setting.number(e, "a target") for e in training.targets]),
            training.optimizer.rule, setting.number(training.optimizer.momentum, "the momentum"),
            self.laws.count, bent,
        )

    def _bounded(self, expr: Expr, what: str) -> Quantity:
        found, lead = self._quantity(expr)
        if lead.power is not None and lead.power > 0:
            raise no_limit(f"{what} grows with the width, or has the size of a central limit theorem")
        return found if lead.power == 0 else self._quantity(S.Zero)[0]

    def _still(self) -> tuple[dict[int, float], tuple[Fixed, ...]]:
        """Initial scalars and vectors that are not trained."""
        moving = {k for array in self.trained for k in nodes_of(array)}
        numbers, fixed = {}, []
        for node in self.order:
            instruction = self.context.builder[node]
            if node in moving or not isinstance(instruction, Vector | RandomScalar):
                continue
            law = self.laws.scalar(instruction) if isinstance(instruction, RandomScalar) else self.vectors[node]
            if isinstance(instruction, RandomScalar):
                if law.loadings[0, 0]:
                    raise no_limit(f"{instruction.name} is a random number, which keeps its law in the limit")
                numbers[node] = float(law.mean[0])
            else:
                loadings = np.zeros(self.laws.count)
                loadings[law.first: law.first + law.loadings.shape[1]] = law.loadings[0]
                fixed.append(Fixed(node, float(law.mean[0]), loadings))
        return numbers, tuple(fixed)


def nodes_of(array: Trainable) -> list[int]:
    return [array.node] if array.node is not None else [k for k, _ in array.points]


def _lead(power: Fraction | None, exact: bool) -> Lead:
    return NOTHING if power is None else Lead(S.One, power, exact)
