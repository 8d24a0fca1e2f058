r"""Tangent kernels of carried vectors: their recursion over layers, and what it rests on.

With a probe p in place of the gradient that arrives from above, one round gives

.. math:: \Theta_l = \sum_{W \in \text{round}} \dots + \sum_{ij} E[Z^{g_i} Z^{g'_j}]\, \Theta_{l-1}^{ij}

where g is the gradient the round hands down. This is right for the true gradient if it acts as an independent
probe: either what a round hands down is free of the forward pass (products with transposed matrices only), or a
round uses what it is handed without multiplying it by random variables of its own first, so that second moments
are all that matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sympy as sp
from sympy import Expr, S, Symbol

from tpsym.limit.interpret import Limit
from tpsym.limit.parity import is_gradient
from tpsym.limit.series import maximum
from tpsym.limit.states import Statistic, Unclosed, behind, missing, statistic
from tpsym.limit.variables import Layered
from tpsym.program.graph import Loop
from tpsym.program.instructions import MatMul, State
from tpsym.program.scope import Context, Trained
from tpsym.program.values import VectorValue
from tpsym.results.gradient_words import differ
from tpsym.results.tangent import (
    TangentLimit,
    by_states,
    gradients,
    largest,
    probe,
    tangent_limit,
)
from tpsym.transform.backward import Gradients
from tpsym.transform.tangent import Contribution, contributions

ADVICE = "give the depth a value, such as depth L = 3"


@dataclass(slots=True)
class TangentLayers:
    """The tangent kernels of the carried vectors of a file, round by round."""

    context: Context
    limit: Limit
    parts: dict[Statistic, tuple[tuple[str, Expr], ...]] = field(default_factory=dict)
    passes: dict[int, Gradients] = field(default_factory=dict)
    needs_independence: set[int] = field(default_factory=set)
    shared: dict[int, set[str]] = field(default_factory=dict)

    # --- one round ---------------------------------------------------------------------------------

    def step(self, key: Statistic) -> Expr:
        """Θ at the layer ``index`` in terms of Θ and other statistics one layer before."""
        loops = self.limit.program.loops
        nodes = [loops[k].exit[c] for k, c in (key.first, key.second)]
        first, second = (self._pass(k) for k in nodes)
        found = contributions(self.context, first, second)
        pairs = by_states(self.context, first, second)
        self._check_round(key, found)
        for state in {k for a, b, _ in pairs for k in (a, b)}:
            self.check_arrays(state, self._of_layers(state, key, found))
        result = tangent_limit(self.context, self.limit, found, pairs, self.below, exponent=self.exponent(key))
        self.parts[key] = result.parts
        return result.value

    def first(self, key: Statistic) -> Expr:
        """Θ before the first round."""
        first, second = self._first_passes(key)
        pairs = by_states(self.context, first, second)
        found = contributions(self.context, first, second)
        above = [self._pass(self.limit.program.loops[k].exit[c]) for k, c in (key.first, key.second)]
        used = [*found, *contributions(self.context, above[0], above[1])]
        for a, b, _ in pairs:
            self._check_known(a, b)
            self.check_seed(a, first, above=key.first[0])
            self.check_seed(b, second, above=key.second[0])
            for state in (a, b):
                self.check_arrays(state, used)
        result = tangent_limit(self.context, self.limit, found, pairs, self.below, exponent=self.exponent(key))
        return result.value

    def _of_layers(self, state: int, key: Statistic, found: list[Contribution]) -> list[Contribution]:
        """The arrays of a round that may not be behind a state of it: for its own states those of one layer."""
        instruction = self.limit.program[state]
        assert isinstance(instruction, State)
        if instruction.loop not in (key.first[0], key.second[0]):
            return found
        layered = {a.name for a in self.context.trained
                   if any(k in self.limit.program.layered for k in array_nodes(self.context, a))}
        return [c for c in found if c.name in layered]

    def exponent(self, key: Statistic) -> Expr:
        """The power of n that the tangent kernels of a loop are stated at: the largest of all its rounds."""
        loops = self.limit.program.loops
        found: list[Expr] = []
        first, second = (self._pass(loops[k].exit[c]) for k, c in (key.first, key.second))
        for passes in ((first, second), self._first_passes(key)):
            top = largest(self.context, self.limit, contributions(self.context, *passes))
            found += [top] if top is not None else []
            for a, b, _ in by_states(self.context, *passes):
                one, other = (self.limit.program[k] for k in (a, b))
                assert isinstance(one, State)
                assert isinstance(other, State)
                if loops[one.loop].statement != loops[key.first[0]].statement:
                    inner = Statistic("Theta", (one.loop, one.component), (other.loop, other.component), one.layer)
                    found.append(self.exponent(inner))
        return maximum(found) if found else S.Zero

    def below(self, a: int, b: int) -> tuple[Expr, Expr]:
        """The power of n and the symbol of the tangent kernel of two states of one layer."""
        one, other = self.limit.program[a], self.limit.program[b]
        assert isinstance(one, State)
        assert isinstance(other, State)
        if self.limit.program.loops[one.loop].statement != self.limit.program.loops[other.loop].statement:
            raise missing(self.limit, a, b)
        pair = (one.loop, one.component), (other.loop, other.component)
        symbol = statistic(self.limit, "Theta", *pair, one.layer)
        return self.exponent(self.limit.statistics[symbol]), symbol

    def _pass(self, node: int) -> Gradients:
        if node not in self.passes:
            dimension = self.context.builder[node].dimension  # type: ignore[union-attr]
            assert dimension is not None
            self.passes[node] = gradients(self.context, VectorValue(self.context.symbol(node), dimension))
        return self.passes[node]

    def _first_passes(self, key: Statistic) -> tuple[Gradients, Gradients]:
        loops = self.limit.program.loops
        one, other = (self._pass(loops[k].initial[c]) for k, c in (key.first, key.second))
        return one, other

    # --- what it rests on --------------------------------------------------------------------------

    def _check_round(self, key: Statistic, found: list[Contribution]) -> None:
        """Refuse a round for which a probe is not as good as the gradient from above."""
        for number in {key.first[0], key.second[0]}:
            loop = self.limit.program.loops[number]
            passes = [self._pass(k) for k in loop.exit]
            starts = [self._pass(k) for k in loop.initial]
            plain = all(self._passes_on(g, loop.exit) for g in passes)
            free = all(self._free(g) for g in passes)
            if not plain:
                self.needs_independence.add(loop.statement)
            if not (free or (plain and all(self._passes_on(g, loop.initial) for g in starts))):
                label = loop.label(0, loop.index)
                raise Unclosed("the tangent kernel's recursion over layers does not close: the gradient of "
                               f"{label} is correlated with what a round multiplies it by; {ADVICE}")
            self._check_shared(number, found)

    def _probes(self, nodes: tuple[int, ...]) -> set[Symbol]:
        found: set[Symbol] = set()
        for k in nodes:
            dimension = self.context.builder[k].dimension  # type: ignore[union-attr]
            assert dimension is not None
            node = probe(self.context, VectorValue(S.Zero, dimension))
            self.limit.prepare([node])
            found |= self.limit.hat(node).free_symbols
        return found

    def _written(self, gradient: Expr) -> Expr:
        series = self.limit.series(gradient)
        return self.limit.variables.expand(series.leading()[1]) if series.terms else S.Zero

    def _passes_on(self, found: Gradients, nodes: tuple[int, ...]) -> bool:
        """Whether a pass multiplies its probe by nothing random before a product with a matrix takes it."""
        probes = self._probes(nodes)
        for gradient in found.vectors.values():
            written = self._written(gradient)
            if any(self.limit.is_random(sp.diff(written, p)) for p in probes & written.free_symbols):
                return False
        return True

    def _free(self, found: Gradients) -> bool:
        """Whether what a pass hands to states is a sum of Gaussians: no factor of the forward pass in it."""
        states = [g for k, g in found.vectors.items() if isinstance(self.context.builder[k], State)]
        return all(self.limit.variables.linear(sp.expand(self._written(g))) is not None for g in states)

    def _hands_on(self, found: Gradients, nodes: tuple[int, ...]) -> bool:
        """Whether a probe reaches a state without passing a matrix."""
        probes = self._probes(nodes)
        states = [g for k, g in found.vectors.items() if isinstance(self.context.builder[k], State)]
        return any(self._written(g).free_symbols & probes for g in states)

    def _check_shared(self, number: int, found: list[Contribution]) -> None:
        """Arrays that rounds share add no cross terms if gradients of different rounds are independent."""
        loop = self.limit.program.loops[number]
        trained = {a.name: a for a in self.context.trained}
        used = [trained[c.name] for c in found]
        groups: dict[str, set[Expr]] = {}
        layered = self.limit.program.layered
        for array in used:
            for node in array_nodes(self.context, array):
                if node in layered:
                    group, at = layered[node]
                    groups.setdefault(group, set()).add(at)
        common = {a.name for a in used if not any(k in layered for k in array_nodes(self.context, a))}
        self.shared.setdefault(loop.statement, set()).update(common)
        twice = [g for g, indices in groups.items() if len(indices) > 1 or not next(iter(indices)).has(loop.index)]
        twice += [a.name for a in used if a.name in common and a.node is not None and self._uses(number, a.node) > 1]
        direct = common and any(self._hands_on(self._pass(k), loop.exit) for k in loop.exit)
        nodes = [k for a in used if a.name in common for k in array_nodes(self.context, a)]
        if twice or direct or (common and not differ(self.limit.program, loop, nodes)):
            names = ", ".join(twice or sorted(common))
            raise Unclosed("the tangent kernel's recursion over layers does not close: it would need the covariance "
                           f"of gradients at different layers, all of which use {names}; {ADVICE}")

    def _uses(self, number: int, node: int) -> int:
        """The products of one round with a matrix that all rounds share."""
        inside = set(self.context.builder.program().ancestors(self.limit.program.loops[number].exit))
        after = self.context.builder.graph.successors(node)
        return sum(1 for k in after if k in inside and isinstance(self.context.builder[k], MatMul))

    def check_seed(self, state: int, found: Gradients, *, above: int | None = None) -> None:
        """Refuse a gradient that arrives at a loop from above and does not act as an independent probe.

        It has to be odd in a readout that the loop knows nothing of (the simple GIA check), and independent of
        the forward pass where a round multiplies it by that. With ``above``, the number of a loop, it comes from a
        probe of what that loop starts from.
        """
        direct = above is not None
        instruction = self.limit.program[state]
        assert isinstance(instruction, State)
        loop = self.limit.program.loops[instruction.loop]
        gradient = found.vectors[state]
        nodes = [self.context.nodes[s] for s in gradient.free_symbols if s in self.context.nodes]
        others = [*loop.initial, *loop.exit]
        if not direct and not all(is_gradient(self.limit.program, k, others, self.limit.parities) for k in nodes):
            raise Unclosed(f"the gradient of {self.limit.label(state)} is not odd in an independent readout, so that "
                           f"backpropagation through the layers is not independent of them; {ADVICE}")
        if loop.statement in self.needs_independence and (direct or not self._free(found)):
            raise Unclosed("the tangent kernel's recursion over layers does not close: the gradient of "
                           f"{self.limit.label(state)} is correlated with the layers below; {ADVICE}")
        if self.shared.get(loop.statement) and self._passes_again(gradient, loop, above):
            raise Unclosed("the tangent kernel's recursion over layers does not close: the gradient of "
                           f"{self.limit.label(state)} passed a matrix that all layers use; {ADVICE}")

    def _passes_again(self, gradient: Expr, loop: Loop, above: int | None) -> bool:
        """Whether a gradient from above rests on products with a matrix of all rounds."""
        owner = self.limit.variables.owner
        nodes = [owner[s] for s in self._written(gradient).free_symbols if s in owner]
        nodes += self.limit.program.ancestors(self.limit.program.loops[above].exit) if above is not None else []
        found = [self.limit.program[k] for k in nodes]
        matrices = {s[1] for s in loop.sources if s[0] == "matrix"}
        return any(isinstance(i, MatMul) and i.matrix in matrices for i in found)

    def check_arrays(self, state: int, found: list[Contribution]) -> None:
        """Refuse arrays that rounds share with what comes after the loop."""
        instruction = self.limit.program[state]
        assert isinstance(instruction, State)
        names = {c.name for c in found}
        names = {a.name for a in self.context.trained if a.name in names and self._is_behind(a, instruction)}
        if names:
            raise Unclosed(f"{', '.join(sorted(names))} is used in the layers and after them; {ADVICE}")

    def _is_behind(self, array: Trained, state: State) -> bool:
        """Whether a state may rest on a trained array."""
        program = self.limit.program
        loop = program.loops[state.loop]
        nodes = array_nodes(self.context, array)
        inside = set(program.behind([*loop.initial, *loop.exit]))
        known = [program.layered[k] for k in nodes if k in program.layered]
        layered = [Layered(*array, False, way) for array in known for way in (False, True)]
        if layered:
            return any(behind(loop, state.layer, one) for one in layered)
        return not inside.isdisjoint(nodes)

    def head(self, first: Gradients, second: Gradients) -> TangentLimit:
        """The tangent kernel of what comes after the loops, with what comes from below them."""
        found = contributions(self.context, first, second)
        pairs = by_states(self.context, first, second)
        result = tangent_limit(self.context, self.limit, found, pairs, self.below)
        for a, b, _ in pairs:
            self._check_known(a, b)
            self.check_seed(a, first)
            self.check_seed(b, second)
            self.check_arrays(a, found)
            self.check_arrays(b, found)
        return result

    def _check_known(self, a: int, b: int) -> None:
        """Have the checks of a round made before those of what comes after it."""
        one, other = self.limit.program[a], self.limit.program[b]
        assert isinstance(one, State)
        assert isinstance(other, State)
        loop = self.limit.program.loops[one.loop]
        if sp.expand(one.layer - other.layer) == 0:
            pair = sorted(((one.loop, one.component), (other.loop, other.component)))
            self.step(Statistic("Theta", pair[0], pair[1], loop.index))


def array_nodes(context: Context, array: Trained) -> list[int]:
    """The nodes of a trained array: of an input layer, its products with data."""
    if array.node is not None:
        return [array.node]
    return [k for k, _ in context.input_families.get(array.name, [])]
