"""The five rules: independence, tilt, Stein, delta, and orthants (probit is in ``shape``).

Each rule rewrites the mean of a term under a law as a combination of means of simpler terms.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations

import sympy as sp
from flint import fmpq

from tpsym.functions import Phi
from tpsym.gauss.atoms import raw_atom
from tpsym.gauss.coincide import without_coincidence, without_constants
from tpsym.gauss.existence import DivergentExpectation
from tpsym.gauss.field import Field
from tpsym.gauss.law import Form, Law
from tpsym.gauss.orthant import arcsine
from tpsym.gauss.terms import Opaque, Term, is_smooth, parity, slopes, with_scaled
from tpsym.gauss.trig import is_trig, trig_mean
from tpsym.gauss.values import Algebra, Value


@dataclass
class Reducer:
    """One reduction: the algebra, the auxiliary variables of Phi and erf, the rules used so far."""

    algebra: Algebra
    size: int
    auxiliary: dict[int, sp.Rational] = field(default_factory=dict)
    rules: dict[str, None] = field(default_factory=dict)
    memo: dict[tuple[int, Term], Value] = field(default_factory=dict)
    laws: list[Law] = field(default_factory=list)
    conditioned: dict[tuple[int, Form], Law] = field(default_factory=dict)

    @property
    def field_(self) -> Field:
        return self.algebra.field

    def used(self, rule: str) -> None:
        self.rules.setdefault(rule)

    def mean(self, law: Law, term: Term) -> Value:
        """E[term] under the law."""
        key = (self.number(law), term)
        if key not in self.memo:
            self.memo[key] = self._mean(law, term)
        return self.memo[key]

    def number(self, law: Law) -> int:
        """The number of a law, for the memo."""
        for index, known in enumerate(self.laws):
            if known is law:
                return index
        self.laws.append(law)
        return len(self.laws) - 1

    def _mean(self, law: Law, term: Term) -> Value:
        if term.deltas:
            return self.delta(law, term)
        factor, reduced = without_constants(self.algebra, law, term)
        if reduced != term:
            return factor * self.mean(law, reduced) if factor else factor
        simpler = without_coincidence(self.algebra, law, term)
        if simpler is not None:
            total = Value({})
            for weight, part in simpler:
                if weight:
                    total = total + weight * self.mean(law, part)
            return total
        parts = self.blocks(law, term)
        if len(parts) > 1:
            self.used("independence")
            value = self.algebra.one
            for part in parts:
                value = value * self.mean(law, part)
            return value
        if self.odd(law, term):
            self.used("symmetry")
            return Value({})
        if term.degree and all(is_smooth(o.expr) for o, _ in term.opaques):
            return self.stein(law, term)
        return self.closed(law, term)

    # -- independence -------------------------------------------------------------------------------

    def blocks(self, law: Law, term: Term) -> list[Term]:
        """The factors of the term grouped into independent sets."""
        pieces: list[tuple[tuple[Form, ...], Term]] = []
        none = (0,) * len(term.powers)
        for i, k in enumerate(term.powers):
            if k:
                pieces.append(((self.variable(i),), Term(tuple(k * (i == j) for j in range(len(none))))))
        pieces += [((form,), Term(none, steps=(form,))) for form in term.steps]
        pieces += [(o.forms, Term(none, opaques=((o, k),))) for o, k in term.opaques]
        groups: list[tuple[tuple[Form, ...], Term]] = []
        for forms, piece in pieces:
            for group in list(groups):
                if any(law.between(a, b) for a in forms for b in group[0]):
                    groups.remove(group)
                    forms, piece = group[0] + forms, product(group[1], piece)
            groups.append((forms, piece))
        return [piece for _, piece in groups]

    def variable(self, index: int) -> Form:
        one, zero = self.field_.one, self.field_.zero
        return Form(tuple(one if i == index else zero for i in range(self.size)), zero)

    # -- delta --------------------------------------------------------------------------------------

    def delta(self, law: Law, term: Term) -> Value:
        r"""E[δ(a·z+m) g] = e^{−μ²/2v}/√(2πv) · E[g | a·z+m = 0], with v = a'Ca and μ the form's mean."""
        self.used("delta")
        form, rest = term.deltas[0], replace(term, deltas=term.deltas[1:])
        variance, mean = law.variance(form), law.at(form)
        if not variance:
            raise DivergentExpectation("a point mass at a constant has no mean")
        two_pi = self.field_.of(2 * sp.pi)
        density = self.algebra.inverse(self.algebra.sqrt(two_pi * variance))
        if mean:
            density = density * self.algebra.exp(-(mean * mean) / (variance.scale(2)))
        key = (self.number(law), form)
        if key not in self.conditioned:
            self.conditioned[key] = law.conditioned(form)
        return density * self.mean(self.conditioned[key], rest)

    # -- Stein --------------------------------------------------------------------------------------

    def stein(self, law: Law, term: Term) -> Value:
        """E[z_i g] = E z_i · E g + Σ_j C_ij E[∂_j g] (Stein 1981; Isserlis 1918 for a polynomial g)."""
        self.used("Stein" if term.steps or term.opaques else "Wick")
        index = max(i for i, k in enumerate(term.powers) if k)
        rest = term.lowered(index)
        row = law.covariance[index]
        total = Value({})
        if law.mean[index]:
            total = self.mean(law, rest).scale(law.mean[index])
        for j, k in enumerate(rest.powers):
            if k and row[j]:
                total = total + self.mean(law, rest.lowered(j)).scale(row[j].scale(k))
        for n, form in enumerate(rest.steps):
            slope = law.between(self.variable(index), form)
            if slope:
                others = rest.steps[:n] + rest.steps[n + 1 :]
                total = total + self.mean(law, replace(rest, steps=others, deltas=(form,))).scale(slope)
        for opaque, power in rest.opaques:
            total = total + self.stein_opaque(law, rest, index, opaque, power)
        return total

    def stein_opaque(self, law: Law, rest: Term, index: int, opaque: Opaque, power: int) -> Value:
        total = Value({})
        lowered = rest.times(opaque, -1)
        for j, form in enumerate(opaque.forms):
            inner = law.between(self.variable(index), form)
            if not inner:
                continue
            for s in slopes(opaque.expr, j):
                term = lowered
                if s.expr is not None:
                    term = term.times(with_scaled(opaque, s, self.field_.of(s.scale)), s.power)
                weight = inner * self.field_.of(s.coefficient * power)
                total = total + self.mean(law, term).scale(weight)
        return total

    # -- symmetry -----------------------------------------------------------------------------------

    def sign(self, law: Law, term: Term) -> int:
        """±1 if the term without its steps is even or odd under z → −z, 0 if that is not known."""
        if any(k and law.mean[i] for i, k in enumerate(term.powers)):
            return 0
        sign = -1 if term.degree % 2 else 1
        for opaque, power in term.opaques:
            if any(law.at(f) for f in opaque.forms):
                return 0
            sign *= parity(opaque.expr) ** power
        return sign

    def odd(self, law: Law, term: Term) -> bool:
        return not term.steps and self.sign(law, term) == -1

    # -- what is left: steps and opaque factors -------------------------------------------------------

    def closed(self, law: Law, term: Term) -> Value:
        """The mean of steps times opaque factors: orthants, trigonometry, or an unevaluated atom."""
        steps, centred = term.steps, not any(law.at(f) for f in term.steps)
        sign = self.sign(law, term) if steps and centred else 0
        if sign and sign != (-1) ** len(steps):
            return self.fewer_steps(law, term)
        if not term.opaques and not term.degree:
            if not steps:
                return self.algebra.one
            if len(steps) == 1:
                self.used("orthant")
                scaled = self.algebra.inverse(self.algebra.sqrt(law.variance(steps[0])))
                mean = scaled.scale(law.at(steps[0]))
                return self.algebra.opaque(Phi(self.algebra.expr(mean)))
            if len(steps) == 2 and centred:
                self.used("orthant")
                quarter = self.field_.constant(fmpq(1, 4))
                return self.algebra.scalar(quarter) + arcsine(self.algebra, law, steps[0], steps[1])
        if not term.degree and all(is_trig(o.expr) for o, _ in term.opaques):
            value = trig_mean(self, law, term)
            if value is not None:
                self.used("tilt")
                return value
        return raw_atom(self, law, term)

    def fewer_steps(self, law: Law, term: Term) -> Value:
        r"""For g·∏ step_i odd in its all-sign part: E[g ∏_{i≤n} step_i] through fewer steps.

        With sign_i = 2 step_i − 1 the mean of g ∏ sign_i vanishes by symmetry, so
        E[g ∏ step_i] = −Σ_{S proper} 2^{|S|−n} (−1)^{n−|S|} E[g ∏_S step_i].
        """
        self.used("symmetry")
        n, total = len(term.steps), Value({})
        for size in range(n):
            weight = self.field_.constant(fmpq(-((-1) ** (n - size)), 2 ** (n - size)))
            for chosen in combinations(term.steps, size):
                total = total + self.mean(law, replace(term, steps=chosen)).scale(weight)
        return total


def product(a: Term, b: Term) -> Term:
    powers = tuple(x + y for x, y in zip(a.powers, b.powers, strict=True))
    return Term(powers, a.steps + b.steps, a.deltas + b.deltas, a.opaques + b.opaques)
