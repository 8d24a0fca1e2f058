"""Times of exact Gaussian means against sympy.stats and plain expansion; printed, never asserted.

Run with ``python tests/benchmarks/bench_gauss.py``.
"""

from __future__ import annotations

import itertools
import multiprocessing
import time
from collections.abc import Callable

import sympy as sp
from sympy.stats import E as SympyMean
from sympy.stats import Normal

from tpsym.functions import relu
from tpsym.gauss import expect

LIMIT = 60.0
Z = sp.symbols("z1:7", real=True)
SYMBOLS = [[sp.Symbol(f"c{min(i, j)}{max(i, j)}", real=True) for j in range(1, 7)] for i in range(1, 7)]
HALF = sp.Rational(1, 2)
PAIR = [[sp.S.One, HALF], [HALF, sp.S.One]]
TRIPLE = [[1 if i == j else HALF / 2 for j in range(3)] for i in range(3)]


def ours_relu() -> sp.Expr:
    return expect(relu(Z[0]) * relu(Z[1]), Z[:2], PAIR).value


def sympy_relu() -> sp.Expr:
    pair = Normal("pair", [0, 0], PAIR)
    return sp.simplify(SympyMean(sp.Max(pair[0], 0) * sp.Max(pair[1], 0)))


def ours_moment() -> sp.Expr:
    return expect(Z[0] ** 6 * Z[1] ** 4 * Z[2] ** 2, Z[:3], TRIPLE).value


def sympy_moment() -> sp.Expr:
    x = Normal("x", [0, 0, 0], TRIPLE)
    return SympyMean(x[0] ** 6 * x[1] ** 4 * x[2] ** 2)


def ours_twelve() -> sp.Expr:
    return expect(sp.Mul(*(z**2 for z in Z)), Z, SYMBOLS).value


def expanded_twelve() -> sp.Expr:
    """E ∏ z_i² as the coefficient of ∏ a_i² in (a'Ca/2)^6/6!, by sympy's expand, one a_i at a time."""
    pairs = [i for i in range(6) for _ in range(2)]

    def pairings(left: list[int]) -> sp.Expr:
        if not left:
            return sp.S.One
        first, rest = left[0], left[1:]
        return sp.expand(sum(SYMBOLS[first][k] * pairings(rest[:i] + rest[i + 1 :]) for i, k in enumerate(rest)))

    return pairings(pairs)


def run(job: Callable[[], sp.Expr], queue: multiprocessing.Queue[float]) -> None:
    start = time.perf_counter()
    job()
    queue.put(time.perf_counter() - start)


def timed(job: Callable[[], sp.Expr]) -> str:
    """The time a job takes in a process of its own, given up after the limit."""
    queue: multiprocessing.Queue[float] = multiprocessing.Queue()
    process = multiprocessing.Process(target=run, args=(job, queue))
    process.start()
    process.join(LIMIT)
    if process.is_alive():
        process.terminate()
        process.join()
        return f"> {LIMIT:.0f} s"
    return "failed" if queue.empty() else f"{1000 * queue.get():.1f} ms"


def main() -> None:
    rows = [
        ("E[relu relu]", ours_relu, "sympy.stats", sympy_relu),
        ("E[z1^6 z2^4 z3^2]", ours_moment, "sympy.stats", sympy_moment),
        ("E[z1^2 ... z6^2], symbols", ours_twelve, "sympy pairings", expanded_twelve),
    ]
    for name, ours, other, theirs in rows:
        print(f"{name:28} tpsym {timed(ours):>12}   {other} {timed(theirs):>12}")
    names = itertools.count()
    start = time.perf_counter()
    for _ in range(200):
        q, s, c = (sp.Symbol(f"k{next(names)}", positive=True) for _ in range(3))
        expect(relu(Z[0]) * relu(Z[1]), Z[:2], [[q, c], [c, s]])
    print(f"{'E[relu relu] per layer':28} tpsym {5 * (time.perf_counter() - start):>9.2f} ms")


if __name__ == "__main__":
    main()
