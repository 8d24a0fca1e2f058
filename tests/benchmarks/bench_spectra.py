"""Spectra and exact traces against rmtool, sympy and plain enumeration, in one run; printed, never asserted.

Run with ``python tests/benchmarks/bench_spectra.py [REPEATS]``. rmtool (https://github.com/rajraomichigan/rmtool) is
optional, ``pip install rmtool``; where it is not there its lines say so. Each job runs in processes of its own,
imports and first calls done, so that nothing is remembered, and the least time counts. A ratio is how many times
longer the other way takes; answers that differ are said to. rmtool and ``sympy, series`` start from the known
equation or generating function, tpsym from the matrices.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable
from functools import partial
from queue import Empty
from typing import Any

import sympy as sp
from sympy import Symbol

from tpsym.exact.recursions import goe_moment, gue_moment
from tpsym.exact.traces import loop_equations
from tpsym.freeprob.spectrum import spectrum
from tpsym.freeprob.system import H, T, system
from tpsym.matrices import Factor, Gaussian, Polynomial, Space, Word, polynomial

LIMIT = 40.0
"""Seconds after which a job is given up."""

Job = Callable[[], Any]

RATIO, N, G, Z = Symbol("lambda", positive=True), Symbol("n", positive=True, integer=True), Symbol("G"), Symbol("z")
SQUARE = Space("n", sp.S.One)
X, Y = (Factor(Gaussian(name, SQUARE, SQUARE, sp.S.One, "symmetric")) for name in "XY")
TALL = Factor(Gaussian("R", SQUARE, Space("m", 1 / RATIO), RATIO))
POLYNOMIALS: dict[str, list[Word]] = {
    "X": [(X,)], "X^2": [(X, X)],
    "X^3": [(X, X, X)], "XY + YX": [(X, Y), (Y, X)], "X^2 Y + Y X^2": [(X, X, Y), (Y, X, X)],
    "XYX + X^2": [(X, Y, X), (X, X)], "R R^T": [(TALL, Factor(TALL.matrix, True))],
}


def of(name: str) -> Polynomial:
    return polynomial([(sp.S.One, word) for word in POLYNOMIALS[name]], SQUARE, SQUARE)


# --- moments and equations -----------------------------------------------------------------------------------


def ours_moments(name: str, count: int) -> list[sp.Expr]:
    law = spectrum(of(name))
    return [law.moments(count)[k] for k in range(count + 1)]


def ours_equation(name: str) -> sp.Expr:
    curve = spectrum(of(name)).curve
    assert curve.certified
    return curve.polynomial.xreplace({curve.g: G, curve.z: Z})


def rmtool_moments(name: str, count: int) -> list[sp.Expr]:
    import rmtool

    equation = rmtool.wignerpol() if name == "X" else rmtool.wishartpol(RATIO)
    return [sp.expand(m) for m in rmtool.Lmz2MomS(equation, count)]


def rmtool_sum() -> sp.Expr:
    """The semicircle plus Marchenko–Pastur."""
    import rmtool

    found = rmtool.AplusB(rmtool.wignerpol(), rmtool.wishartpol(RATIO))
    return sp.expand(found.subs({rmtool.m: -G, rmtool.z: Z}))


def ours_sum() -> sp.Expr:
    both = polynomial([(sp.S.One, w) for name in ("X", "R R^T") for w in POLYNOMIALS[name]], SQUARE, SQUARE)
    curve = spectrum(both).curve
    return curve.polynomial.xreplace({curve.g: G, curve.z: Z})


def series_moments(count: int) -> list[sp.Expr]:
    """Of the semicircle, as coefficients of (1 - sqrt(1 - 4 t²))/(2 t²) by sympy's series."""
    t = Symbol("t")
    found = sp.series((1 - sp.sqrt(1 - 4 * t**2)) / (2 * t**2), t, 0, count + 1).removeO()
    return [found.coeff(t, k) for k in range(count + 1)]


def integrated_moments(count: int) -> list[sp.Expr]:
    """Of the semicircle, by sympy's integrals of t^k times the density, t = 2 sin u."""
    u = Symbol("u", real=True)
    return [sp.integrate(2 * sp.cos(u) ** 2 * (2 * sp.sin(u)) ** k / sp.pi, (u, -sp.pi / 2, sp.pi / 2))
            for k in range(count + 1)]


def ring_wishart(count: int) -> list[sp.Expr]:
    """Of Marchenko–Pastur, by iterating M = 1 + t (λ M² - (λ - 1) M) in a polynomial ring of sympy."""
    ring, t, rate = sp.ring(f"t,{RATIO.name}", sp.ZZ)
    found = ring.one
    for k in range(1, count + 1):
        moved = 1 + t * (rate * found**2 - (rate - 1) * found)
        found = ring.from_dict({m: c for m, c in moved.items() if m[0] <= k})
    terms = list(found.items())
    return [sp.expand(sum(c * RATIO**j for (i, j), c in terms if i == k)) for k in range(count + 1)]


def groebner(name: str) -> sp.Expr:
    """The equation from the same linearisation, its system eliminated by sympy's groebner."""
    moments = spectrum(of(name)).moments
    found = system(moments)
    equations = [found.ring.expression(p) for p in found.polynomials]
    others = sorted({s for e in equations for s in e.free_symbols} - {H, T, RATIO}, key=str)
    basis = sp.groebner([sp.numer(sp.together(e)) for e in equations], *others, H, T, RATIO, order="lex")
    (last,) = (e for e in basis.exprs if not e.free_symbols & set(others))
    written = sp.numer(sp.together(last.xreplace({H: Z * G, T: moments.affine.scale / Z})))
    return next(f for f, _ in sp.factor_list(written)[1] if f.has(G))


# --- traces at finite n --------------------------------------------------------------------------------------


def by_loop_equations(k: int, kind: str) -> sp.Expr:
    """The word of 2k equal letters, as if there were no recursion for a single matrix."""
    letter = Factor(Gaussian("H", SQUARE, SQUARE, sp.S.One, kind))
    return sp.expand(loop_equations([(letter,) * (2 * k)], N) / N ** (k + 1))


def harer_zagier(k: int) -> sp.Expr:
    """The recursion written out in sympy."""
    before, last = sp.Integer(1), sp.Integer(1)
    for j in range(2, k + 1):
        total = (4 * j - 2) * last + sp.Integer((j - 1) * (2 * j - 1) * (2 * j - 3)) / N**2 * before
        before, last = last, sp.expand(total / (j + 1))
    return last


def by_enumeration(k: int) -> sp.Expr:
    """The GUE: all pairings of 2k sides of a polygon, their vertices counted by union of the corners."""
    powers = [0] * (k + 2)

    def pairings(left: list[int]) -> Any:
        if not left:
            yield []
            return
        first, *rest = left
        for i, other in enumerate(rest):
            for others in pairings(rest[:i] + rest[i + 1:]):
                yield [(first, other), *others]

    for pairs in pairings(list(range(2 * k))):
        partner = {a: b for pair in pairs for a, b in (pair, pair[::-1])}
        seen: set[int] = set()
        vertices = 0
        for corner in range(2 * k):
            vertices += corner not in seen
            while corner not in seen:
                seen.add(corner)
                corner = (partner[corner] + 1) % (2 * k)
        powers[vertices] += 1
    return sum(count * N ** (v - k - 1) for v, count in enumerate(powers))


# --- times ---------------------------------------------------------------------------------------------------


def run(job: Job, queue: multiprocessing.Queue[tuple[float, Any]]) -> None:
    start = time.perf_counter()
    found = job()
    queue.put((time.perf_counter() - start, found))


def timed(job: Job, repeats: int) -> tuple[float, Any] | None:
    """The least of a few times, in seconds, and the answer, each in a process of its own; ``None`` after the limit."""
    best: tuple[float, Any] | None = None
    for _ in range(repeats):
        queue: multiprocessing.Queue[tuple[float, Any]] = multiprocessing.Queue()
        process = multiprocessing.Process(target=run, args=(job, queue))
        process.start()
        try:
            found = queue.get(timeout=LIMIT)
        except Empty:
            return None
        finally:
            process.terminate()
            process.join()
        if best is None or found[0] < best[0]:
            best = found
        if best[0] > 1:
            break
    return best


def same(one: Any, other: Any) -> bool:
    """Equal lists or expressions; equations up to sign."""
    if isinstance(one, list):
        return len(one) == len(other) and all(sp.expand(a - b) == 0 for a, b in zip(one, other, strict=True))
    return 0 in (sp.expand(one - other), sp.expand(one + other))


def shown(seconds: float) -> str:
    return f"{1000 * seconds:9.1f} ms" if seconds < 1 else f"{seconds:9.2f} s "


def compare(title: str, ours: Job, others: dict[str, Job | None], repeats: int) -> None:
    """A line for tpsym and one for each other way with the ratio of times."""
    found = timed(ours, repeats)
    if found is None:
        print(f"{title:34} tpsym > {LIMIT:.0f} s")
        return
    print(f"{title:34} {'tpsym':28}{shown(found[0])}")
    for name, job in others.items():
        if job is None:
            print(f"{'':34} {name:28} is not installed, skipped")
            continue
        other = timed(job, repeats)
        if other is None:
            print(f"{'':34} {name:28}   > {LIMIT:.0f} s     ratio > {LIMIT / found[0]:.0f}")
            continue
        agreement = "" if same(found[1], other[1]) else "   DIFFERENT ANSWERS"
        print(f"{'':34} {name:28}{shown(other[0])}   ratio {other[0] / found[0]:8.1f}{agreement}")


def growth(title: str, sizes: tuple[int, ...], job: Callable[[int], Any], repeats: int) -> None:
    times = [found[0] if (found := timed(partial(job, size), repeats)) else float("inf") for size in sizes]
    print(f"{title:34} " + "   ".join(f"{size}: {shown(t).strip()}" for size, t in zip(sizes, times, strict=True)))


def first_calls(*, rmtool: bool) -> None:
    """What imports modules and fills tables, once, on problems that are not timed."""
    ours_moments("X^2", 2)
    spectrum(polynomial([(RATIO, (X, X)), (sp.S.One, (Y,))], SQUARE, SQUARE)).moment(2)
    groebner("X^2")
    ours_equation("X^2")
    series_moments(2)
    integrated_moments(2)
    ring_wishart(2)
    goe_moment(3, N)
    harer_zagier(3)
    by_loop_equations(2, "symmetric")
    by_enumeration(2)
    if rmtool:
        rmtool_moments("X", 2)


def main(repeats: int) -> None:
    there = importlib.util.find_spec("rmtool") is not None
    first_calls(rmtool=there)

    def rmtool(job: Job) -> Job | None:
        return job if there else None

    compare("semicircle, 40 moments", partial(ours_moments, "X", 40), {
        "rmtool, Lmz2MomS": rmtool(partial(rmtool_moments, "X", 40)),
        "sympy, series": partial(series_moments, 40),
    }, repeats)
    compare("semicircle, 8 moments", partial(ours_moments, "X", 8),
            {"sympy, integrate": partial(integrated_moments, 8)}, repeats)
    compare("Marchenko–Pastur, 12 moments", partial(ours_moments, "R R^T", 12), {
        "rmtool, Lmz2MomS": rmtool(partial(rmtool_moments, "R R^T", 12)),
        "sympy, iteration in a ring": partial(ring_wishart, 12),
    }, repeats)
    compare("Marchenko–Pastur, equation", partial(ours_equation, "R R^T"),
            {"sympy, groebner": partial(groebner, "R R^T")}, repeats)
    compare("X + R R^T, equation", ours_sum, {"rmtool, AplusB": rmtool(rmtool_sum)}, repeats)
    for name in ("XY + YX", "XYX + X^2", "X^3", "X^2 Y + Y X^2"):
        compare(f"{name}, equation", partial(ours_equation, name),
                {"sympy, groebner": partial(groebner, name)}, repeats)
    for name in ("X", "X^2 Y + Y X^2"):
        growth(f"{name}, moments", (25, 50, 100), partial(ours_moments, name), repeats)
    for k in (10, 15, 20):
        compare(f"orthogonal, tr X^{2 * k}, all n", partial(goe_moment, k, N),
                {"tpsym, loop equations": partial(by_loop_equations, k, "symmetric")}, repeats)
    compare("unitary, tr X^14, all n", partial(by_loop_equations, 7, "hermitian"),
            {"all pairings in Python": partial(by_enumeration, 7)}, repeats)
    compare("unitary, tr X^200, all n", partial(gue_moment, 100, N),
            {"Harer–Zagier in sympy": partial(harer_zagier, 100)}, repeats)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
