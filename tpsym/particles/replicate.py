"""One replicate of training on particles, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpsym.errors import fail
from tpsym.particles.arrays import Part, TrainedArray, is_matrix, is_number, most, nodes_given, ratios, total
from tpsym.particles.entrywise import EntrywiseMatrix
from tpsym.particles.entrywise_start import NonlinearState, points_of, started
from tpsym.particles.interpret import Draw, Operator, draw, execute
from tpsym.particles.muon import MuonMatrix
from tpsym.particles.plan import Formula
from tpsym.particles.states import Gradient, Linear, MatrixState, ValuesState
from tpsym.particles.training import Plan, evaluate, limit_of
from tpsym.simulate.payload import Array
from tpsym.transform.training import OUTPUT, TARGET

State = MatrixState | ValuesState | NonlinearState
MATRICES = (MatrixState, EntrywiseMatrix, MuonMatrix)


@dataclass(frozen=True, slots=True)
class Record:
    """What is seen at one step."""

    outputs: Array
    loss: float
    values: tuple[float, ...]


@dataclass(slots=True)
class Replicate:
    """A run with its own random numbers: ``step`` updates have been made."""

    plan: Plan
    drawn: Draw
    states: dict[str, State]
    step: int = 0

    @classmethod
    def begin(cls, plan: Plan, *, particles: int, seed: tuple[int, ...]) -> Replicate:
        """The network before training."""
        drawn = draw(plan.ready, plan.initial, particles=particles, seed=seed)
        used = plan.ready.leads
        found = {
            a.trainable.name: _start(plan, a, drawn) for a in plan.arrays if used.keys() & set(nodes_given(a.trainable))
        }
        return cls(plan, drawn, found)

    def pass_through(self) -> dict[int, Any]:
        """The values of all nodes with the arrays as they are."""
        given = dict(self.drawn.values)
        operators: dict[int, Operator] = dict(self.drawn.matrices)
        for array in self.plan.arrays:
            state = self.states.get(array.trainable.name)
            if isinstance(state, MATRICES):
                assert array.trainable.node is not None
                operators[array.trainable.node] = state
            elif state is not None:
                given |= state.given()
        return execute(self.plan.ready, particles=self.drawn.particles, given=given, operators=operators)

    def record(self, live: Mapping[int, Any]) -> Record:
        """What is seen of a pass.

        Raises:
            TpError: ``not-finite``.
        """
        plan = self.plan
        with np.errstate(all="ignore"):
            outputs = np.array([float(limit_of(plan, f, live)) for f in plan.outputs])
            given = {OUTPUT.name: outputs, TARGET.name: plan.targets}
            losses = np.broadcast_to(plan.loss({**plan.ready.setting.parameters, **given}), outputs.shape)
            seen = [limit_of(plan, f, live) for _, f, _ in plan.observed]
        pairs = zip(seen, plan.observed, strict=True)
        values = [float(v if d is None else np.mean(np.square(v))) for v, (_, _, d) in pairs]
        if not np.all(np.isfinite([*outputs, *values])):
            raise fail("not-finite", f"training diverges: after {self.step} steps a value is not finite")
        return Record(outputs, float(np.mean(losses)), tuple(values))

    def update(self, live: Mapping[int, Any], outputs: Array) -> None:
        """One step of the optimizer, after a pass."""
        plan, batch = self.plan, list(self.plan.training.batch(self.step))
        given = {OUTPUT.name: outputs, TARGET.name: plan.targets}
        with np.errstate(all="ignore"):
            signals = plan.signal({**plan.ready.setting.parameters, **given})
            times = np.bincount(batch, minlength=len(outputs)) / len(batch)
            errors = np.where(times > 0, signals, 0.0) * times
            for array in plan.arrays:
                if array.trainable.name in self.states:
                    self.states[array.trainable.name].advance(self._gradient(array, live, errors, set(batch)))
        self.step += 1

    def _gradient(self, array: TrainedArray, live: Mapping[int, Any], errors: Array, batch: set[int]) -> Gradient:
        plan = self.plan
        top = array.gradient_power
        parts = [p for p in array.parts if p.example in batch and p.power is not None and p.power == top]
        size = 1 if is_number(array) else self.drawn.particles
        coefficients = np.array([errors[p.example] * p.scale[0] for p in parts])

        def rows(formulas: list[Formula]) -> Array:
            found = np.empty((len(formulas), size))
            for i, f in enumerate(formulas):
                found[i] = evaluate(plan, f, live)
            return found

        lefts = rows([p.left for p in parts])
        if is_matrix(array):
            return Gradient(coefficients, lefts, rows([p.right for p in parts if isinstance(p.right, Formula)]))
        return Gradient(coefficients, lefts, self._products(array, parts))

    def _products(self, array: TrainedArray, parts: list[Part]) -> Array | None:
        """Of an input layer, the data points of the parts, or their products with those of its nodes."""
        if array.trainable.node is not None:
            return None
        state = self.states[array.trainable.name]
        assert not isinstance(state, MATRICES)
        own = points_of(self.plan, [name for k, name in array.trainable.points if k in state.nodes])
        other = points_of(self.plan, [str(p.right) for p in parts]).reshape(len(parts), own.shape[1])
        return other @ own.T if isinstance(state, ValuesState) else other

    def state(self) -> dict[str, Array]:
        """To go on from later."""
        found = {f"{name}/{k}": v for name, state in self.states.items() for k, v in state.state().items()}
        found |= {f"#{node}/{k}": v for node, m in self.drawn.matrices.items() for k, v in m.state().items()}
        taken = {f"taken/{name}": np.array(n.taken) for name, n in self.drawn.normals.items()}
        return found | taken | {"step": np.array(self.step)}

    def restore(self, saved: Mapping[str, Array]) -> None:
        """Go on from a saved state."""
        self.step = int(saved["step"])
        for name, state in self.states.items():
            state.restore(_under(f"{name}/", saved))
        for node, matrix in self.drawn.matrices.items():
            matrix.restore(_under(f"#{node}/", saved))
        for name, normals in self.drawn.normals.items():
            normals.taken = int(saved[f"taken/{name}"])


def _under(prefix: str, saved: Mapping[str, Array]) -> dict[str, Array]:
    return {key[len(prefix):]: value for key, value in saved.items() if key.startswith(prefix)}


def _start(plan: Plan, array: TrainedArray, drawn: Draw) -> State:
    """An array before training."""
    if plan.training.optimizer.rule != "sgd":
        return started(plan, array, drawn)
    trainable = array.trainable
    nodes = nodes_given(trainable)
    top = most(array.initial, plan.updates[trainable.name])
    rule = _linear(plan, array)
    kept = float(array.initial is not None and array.initial == top)
    if is_matrix(array):
        sizes = ratios(array, plan.ready.setting)
        return MatrixState(rule=rule, matrix=drawn.matrices[nodes[0]], sizes=sizes, kept=kept)
    nodes = tuple(k for k in nodes if k in drawn.values)
    values = kept * np.array([np.atleast_1d(np.asarray(drawn.values[k], dtype=np.float64)) for k in nodes])
    return ValuesState(rule, nodes, values, np.zeros_like(values))


def _linear(plan: Plan, array: TrainedArray) -> Linear:
    """The numbers of gradient descent, zero for what is of smaller order than the array."""
    optimizer = plan.training.optimizer
    top = most(array.initial, plan.updates[array.trainable.name])
    momentum = plan.ready.setting.number(optimizer.momentum, "the momentum")
    if not 0 <= momentum < 1:
        raise fail("bad-option", f"the momentum is {momentum:g}", expected="at least 0 and below 1")
    step = array.step[0] if top is not None and total(array.step[1], array.gradient_power) == top else 0.0
    keep, shift = array.decay(top)
    return Linear(step, keep, shift, momentum)
