"""What is said for every depth holds at each depth: recursions against unrolled programs, or an honest refusal.

The programs in ``depth/refused`` would need what a recursion does not carry: correlations of states with arrays
that are used again, laws that are not Gaussian, gradients of several rounds that meet.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from layered_programs import QUESTIONS, Outcome, Program, outcomes
from random_layers import network

DEPTH = Path(__file__).parent / "depth"
FILES = {p.stem: p for p in sorted(DEPTH.glob("*/*.tp"))}
QUICK = ("nngp(f)(x, y)", "ntk(f)(x, y)")
REASONS = ("does not close", "is used in the layers and after them", "not odd in an independent readout",
           "stays random in the limit", "tends to a number", "can read the layer",
           "a network with jumps", "inside another", "only known up to")
ANSWERED = {"answered": {"nngp", "ntk"}, "covariance_only": {"nngp"}, "tangent_only": {"ntk"}, "refused": set()}


def of_file(name: str) -> Program:
    text = FILES[name].read_text()
    assert text.count("depth L\n") == 1
    braces = text.replace("{", "{{").replace("}", "}}")
    return Program(braces.replace("depth L\n", "depth L{depth}\n"))


def check(found: list[Outcome]) -> set[str]:
    """Every number is right and every refusal says what is missing; the kinds of kernels that have an answer."""
    assert found
    for outcome in found:
        if outcome.unknown:
            continue
        if isinstance(outcome.symbolic, str):
            assert any(reason in outcome.symbolic for reason in REASONS), outcome
        else:
            assert outcome.agrees, outcome
    return {o.question.partition("(")[0] for o in found if not o.refused}


def expected(name: str) -> set[str]:
    return ANSWERED[FILES[name].parent.name]


FAST = ("activations_residual", "attention", "convolution", "everything_shared", "factors_and_biases_of_layers",
        "input_layers_residual", "loop_after_loop", "mean_not_zero_normalised", "momentum", "offset_shorter_range",
        "parallel_loops", "preactivation_only", "product_of_states", "siamese", "states_of_two_widths",
        "transpose_in_the_round", "two_layers_two_readouts", "two_layers_of_arrays")


@pytest.mark.parametrize("name", [n for n in FILES if n in FAST or not expected(n)])
def test_recursions_hold_at_a_depth(name: str) -> None:
    assert check(list(outcomes(replace(of_file(name), questions=QUICK, depths=(2,))))) == expected(name)


CASES = [(name, "ntk") for name in FILES] + [(name, other) for name in FAST for other in ("standard", "mup")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parametrization"), CASES)
def test_recursions_hold_at_every_depth(name: str, parametrization: str) -> None:
    program = of_file(name)
    text = re.sub(r"^parametrization \w+$", f"parametrization {parametrization}", program.text, flags=re.M)
    answered = check(list(outcomes(replace(program, text=text, questions=QUESTIONS, depths=(1, 3)))))
    assert answered <= expected(name)
    assert answered == expected(name) or parametrization != "ntk"


@pytest.mark.parametrize("seed", [1, 6, 10, 12, 15, 16, 18, 24, 26, 28, 30, 31])
def test_random_networks(seed: int) -> None:
    check(list(outcomes(replace(network(seed), questions=QUICK, depths=(2,)))))


@pytest.mark.slow
@pytest.mark.parametrize("wild", [False, True])
@pytest.mark.parametrize("block", range(3))
def test_many_random_networks(block: int, wild: bool) -> None:
    answered = 0
    for seed in range(1000 + 15 * block, 1015 + 15 * block):
        answered += bool(check(list(outcomes(network(seed, wild=wild, depths=(1, 2))))))
    assert answered >= (1 if wild else 5)
