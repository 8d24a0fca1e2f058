"""True claims with one slip each: none may be proved, and nearly all that became false are refuted.

Whether a mutant is still true is found out by :mod:`verify_oracle`, at 50 digits.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import mpmath
import pytest
import sympy as sp
from sympy import Expr
from verify_mutants import Mutant, mutant
from verify_oracle import Undefined, admissible, value

from tpsym.api import load, parse_settings
from tpsym.functions import Unknown
from tpsym.gauss.expectation import E
from tpsym.verify.cases import cases, comparisons
from tpsym.verify.claims import Equation, equation
from tpsym.verify.decide import Verdict, decide
from tpsym.verify.premises import assumption
from tpsym.verify.spectral import is_spectral

HERE = Path(__file__).parent
EXAMPLES = [HERE.parent / "examples" / f"{name}.tp" for name in (
    "02_relu_mlp", "03_activations", "04_rnn", "05_residual_layernorm", "06_attention", "14_convolution")]
UNAVAILABLE = ("tangent kernel", "slope at c = 1")
DIGITS = 50
POINTS = 4
SECONDS = 4.0


@cache
def sources() -> tuple[tuple[str, Equation], ...]:
    """Every equation behind the true claims of the files."""
    found: list[tuple[str, Equation]] = []
    for path in (*EXAMPLES, *sorted((HERE / "programs").glob("*.tp"))):
        settings = parse_settings(["L=3"]) if path.stem == "02_relu_mlp" else {}
        program = load(path, settings=settings)
        model, side = program.model, program.limit_side
        assumptions = tuple(c for node in model.assumptions for c in assumption(model, node))
        for claim in model.claims:
            if claim.label in UNAVAILABLE:
                continue
            for case in cases(model, side, claim):
                # equations and supports are lists of comparisons; their mutants have a test of their own
                if case.relation == "==" and case.tolerance is None and not is_spectral(case):
                    found += [
                        (f"{path.stem}: {claim.label}", equation(side, case, pair, side.limit.definitions, assumptions))
                        for pair in comparisons(side, case)
                    ]
    return tuple((label, eq) for label, eq in found if within_reach(eq))


def within_reach(eq: Equation) -> bool:
    """Whether the oracle can evaluate it, and there is something to change."""
    parts = (eq.left, eq.right, *eq.definitions.values())
    integrals = {e for p in parts for e in p.atoms(E)}
    plain = all(e.covariance.rows == 1 and not e.body.has(sp.Abs, sp.sign) for e in integrals)
    derivatives = any(any(u.orders) for p in parts for u in p.atoms(Unknown))
    return plain and not derivatives and (eq.left != 0 or eq.right != 0)


@dataclass
class Tally:
    """What became of the mutants."""

    verdicts: Counter[str] = field(default_factory=Counter)
    slips: Counter[str] = field(default_factory=Counter)
    still_true: int = 0
    undefined: int = 0
    proved: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    @property
    def refuted(self) -> float:
        return self.verdicts["refuted"] / max(1, self.verdicts.total())

    def __str__(self) -> str:
        return (f"{self.verdicts.total()} false: {dict(self.verdicts)}, refuted {100 * self.refuted:.1f} %; "
                f"{self.still_true} still true, {self.undefined} nowhere defined")


def mutants(count: int, seed: int) -> Iterator[tuple[str, Equation, Mutant, bool]]:
    """Mutated right or left sides of random equations; the flag says it is the left."""
    generator = random.Random(seed)
    pool = sources()
    made = 0
    while made < count:
        label, eq = generator.choice(pool)
        left = generator.random() < 0.25
        changed = mutant(eq.left if left else eq.right, generator)
        if changed is not None:
            made += 1
            yield label, eq, changed, left


def differs(eq: Equation, left: Expr, right: Expr) -> bool | None:
    """Whether the sides differ at an admissible point; ``None`` if they are defined at none."""
    compared = 0
    with mpmath.workdps(DIGITS):
        for tries, env in enumerate(admissible(eq.domain, eq.definitions, seed=1)):
            if compared >= POINTS or tries > 12:
                break
            try:
                a, b = value(left, env), value(right, env)
            except Undefined:
                continue
            compared += 1
            if abs(a - b) > mpmath.mpf(10) ** -40 * (1 + abs(a) + abs(b)):
                return True
    return False if compared else None


def examine(count: int, seed: int) -> Tally:
    tally = Tally()
    for label, eq, changed, is_left in mutants(count, seed):
        left, right = (changed.expr, eq.right) if is_left else (eq.left, changed.expr)
        found = differs(eq, left, right)
        if found is None:
            tally.undefined += 1
        elif not found:
            tally.still_true += 1
        else:
            verdict = decide(left, "==", right, domain=eq.domain, definitions=eq.definitions, seconds=SECONDS)
            record(tally, f"{label} [{changed.slip}]: {left} == {right}", verdict, changed.slip)
    return tally


def record(tally: Tally, text: str, verdict: Verdict, slip: str) -> None:
    tally.verdicts[verdict.kind] += 1
    tally.slips[slip] += 1
    if verdict.kind == "proved":
        tally.proved.append(text)
    elif verdict.kind != "refuted":
        tally.missed.append(f"{verdict.kind} ({verdict.method}, {verdict.detail}) {text}")


def check(count: int, seed: int) -> Tally:
    tally = examine(count, seed)
    print(tally)
    print(*tally.missed, sep="\n")
    assert tally.proved == []
    assert tally.verdicts.total() >= 0.7 * count
    assert tally.refuted >= 0.95
    return tally


def test_the_true_claims_agree_with_the_oracle() -> None:
    pool = sources()
    assert len(pool) > 150
    for label, eq in random.Random(5).sample(pool, 40):
        assert differs(eq, eq.left, eq.right) is not True, label


def test_slips_are_refuted() -> None:
    check(150, seed=11)


@pytest.mark.slow
def test_many_slips_are_refuted() -> None:
    tally = check(2000, seed=2024)
    assert min(tally.slips.values()) >= 20
