"""How long regions of parametrisations take; ratios are printed, nothing is asserted.

Run with ``python tests/benchmarks/bench_scaling.py [REPEATS]``. Each measurement is a process of its own, so that
nothing is remembered; the time counted is the processor's. A case that takes more than ``LIMIT`` seconds is left out.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

SIZES = (5, 10, 20, 40)
LIMIT = 300
STAGES = ("read", "region", "stable", "maximal update")

CHILD = """
import json, sys, time
from sympy import Symbol
import tpsym
from tpsym.errors import NOWHERE
from tpsym.results.exponents import analyse, maximal_update
from tpsym.transform.optimizers import Optimizer

def network(arrays, own):
    layers = arrays - 1
    rates = ', '.join(f'c_{k}' for k in range(1, arrays + 1)) if own else 'c'
    lines = ['width n', 'dim d', f'param {rates}: real', 'input x: (d)']
    for k in range(1, arrays + 1):
        lines.append(f'param a_{k}, b_{k}: real')
        shape = '(n, d)' if k == 1 else '(1, n)' if k == arrays else '(n, n)'
        lines.append(f'weight w_{k}: {shape} ~ N(0, n^(-2*b_{k}))')
    lines += ['def f(x):', '    h1 = n^(-a_1) * w_1 @ x']
    lines += [f'    h{k} = n^(-a_{k}) * w_{k} @ tanh(h{k-1})' for k in range(2, arrays)]
    return '\\n'.join([*lines, f'    return n^(-a_{arrays}) * w_{arrays} @ tanh(h{layers})', ''])

def context_of(arrays, own):
    context = tpsym.parse(network(arrays, own)).model.context
    return context, context.scope.find('f')

def optimizer(context, own):
    named = {s.name: s for s in context.parameters}
    if not own:
        return Optimizer('sgd', rate=context.n ** -named['c'])
    return Optimizer('sgd', rates={t.name: context.n ** -named['c' + t.name[1:]] for t in context.trained})

def numeric(region):
    import numpy as np
    from scipy.optimize import linprog
    names = region.variables
    row = lambda f: [float(f.coefficient(v)) for v in names]
    kw = dict(A_ub=-np.array([row(f) for f in region.inequalities]),
              b_ub=np.array([float(f.constant) for f in region.inequalities]),
              A_eq=np.array([row(f) for f in region.equalities]),
              b_eq=-np.array([float(f.constant) for f in region.equalities]), bounds=(None, None))
    start = time.process_time()
    assert linprog(np.zeros(len(names)), **kw).status == 0
    return time.process_time() - start

def main(arrays, own):
    context, f = context_of(3, own)  # what is loaded once
    analyse(context, f, optimizer(context, own), NOWHERE).pieces
    found = {}
    def timed(what, function):
        start = time.process_time()
        value = function()
        found[what] = time.process_time() - start
        return value
    context, f = context_of(arrays, own)
    scaling = timed('read', lambda: analyse(context, f, optimizer(context, own), NOWHERE))
    pieces = timed('region', lambda: scaling.pieces)
    timed('stable', lambda: scaling.stable)
    numeric(pieces[0])
    found['linear program'] = numeric(pieces[0])
    context, f = context_of(arrays, own)
    timed('maximal update', lambda: maximal_update(context, f, Optimizer('sgd'), NOWHERE))
    print(json.dumps(found))

main(int(sys.argv[1]), sys.argv[2] == 'own')
"""


def measured(arrays: int, rates: str) -> dict[str, float] | None:
    """Processor seconds by stage, ``None`` beyond the limit."""
    import json

    command = [sys.executable, "-c", CHILD, str(arrays), rates]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return None
    found: dict[str, float] = json.loads(done.stdout)
    return found


def middle(runs: list[dict[str, float]], stage: str) -> float:
    return statistics.median(run[stage] for run in runs)


def against_a_linear_program(repeats: int) -> None:
    """The whole region of a network with three hidden layers, in numeric linear programs for one point of it."""
    runs = [run for _ in range(repeats) if (run := measured(4, "one")) is not None]
    if not runs:
        return
    unit = middle(runs, "linear program")
    print("three hidden layers, one rate; in units of one numeric linear program for a point of the region")
    for stage in STAGES:
        print(f"  {stage:16} {middle(runs, stage) / unit:8.0f}")


def growth(repeats: int, rates: str) -> None:
    """How each stage grows with the number of arrays."""
    print("deep networks, a rate for each array" if rates == "own" else "deep networks, one rate")
    before: list[dict[str, float]] = []
    for size in SIZES:
        runs = [run for _ in range(repeats) if (run := measured(size, rates)) is not None]
        if not runs:
            print(f"  {size:3} arrays   more than the limit")
            return
        total = sum(middle(runs, stage) for stage in STAGES)
        shares = ", ".join(f"{stage} {middle(runs, stage) / total:4.0%}" for stage in STAGES)
        factor = f"   factor {total / sum(middle(before, s) for s in STAGES):4.1f}" if before else ""
        print(f"  {size:3} arrays   {shares}{factor}", flush=True)
        before = runs


def main(repeats: int) -> None:
    against_a_linear_program(repeats)
    for rates in ("one", "own"):
        growth(repeats, rates)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
