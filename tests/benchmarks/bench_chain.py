"""How the derivation of a chain of instructions grows with its length; printed, never asserted.

Run with ``python tests/benchmarks/bench_chain.py [REPEATS]``. A chain of N instructions is N/2 layers of a
product and a nonlinearity. Each run is a process of its own, so that nothing is remembered; the time counted
is the processor's for elaboration and derivation (``derive``), or for these and the verdict (``verify``).
"""

from __future__ import annotations

import statistics
import subprocess
import sys

SIZES = (250, 500, 1000, 2000)

HEADER = """
width n
param s: positive
random u, w: (n) ~ N([0, 0], [[1, 1/3], [1/3, 2]])
random W[l]: (n, n) ~ N(0, s/n) for l in 1..{layers}
random V: (n, n) ~ N(0, 1/n)
def f(x):
    h[1] = W[1] @ x
    for l in 2..{layers}:
        h[l] = W[l] @ {phi}(h[l-1])
    return h[{layers}]
"""

CHAINS = {
    "derive, relu": ("relu", "derive E[f(u)^2]"),
    "derive, erf, two inputs": ("erf", "derive E[f(u)*f(w)]"),
    "verify, relu": ("relu", 'claim "size": E[f(u)^2] == s*(s/2)^({layers} - 1)'),
    "verify, erf": (
        "erf",
        'claim "last": E[f(u)*f(w)] == 2*s/pi*asin(2*c/sqrt((1 + 2*p)*(1 + 2*q))) '
        "where c = E[f.h[{layers} - 1](u)*f.h[{layers} - 1](w)], p = E[f.h[{layers} - 1](u)^2], "
        "q = E[f.h[{layers} - 1](w)^2]",
    ),
}

CHILD = """
import sys, time
from tpsym.api import derive, parse, verify
text = sys.stdin.read()
derive(parse('width n\\nrandom u: (n) ~ N(0, 1)\\nderive E[u^2]\\n'))
start = time.process_time()
found = 'derived'
if 'claim' in text:
    (claim,) = verify(parse(text))
    found = claim.verdict
else:
    from tpsym.results.derive import derive as answers
    program = parse(text)
    answers(program.model, program.limit_side)
print(found, time.process_time() - start)
"""


def program(kind: str, instructions: int) -> str:
    phi, question = CHAINS[kind]
    layers = instructions // 2
    return HEADER.format(layers=layers, phi=phi) + question.format(layers=layers) + "\n"


def measured(text: str) -> tuple[str, float]:
    """What came of it, and the processor seconds it took."""
    done = subprocess.run([sys.executable, "-c", CHILD], input=text, capture_output=True, text=True, check=True)
    found, seconds = done.stdout.split()
    return found, float(seconds)


def main(repeats: int) -> None:
    runs = {(kind, size): list[tuple[str, float]]() for kind in CHAINS for size in SIZES}
    for _ in range(repeats):
        for kind, size in runs:
            runs[kind, size].append(measured(program(kind, size)))
    for kind in CHAINS:
        print(kind)
        middles = [statistics.median(t for _, t in runs[kind, size]) for size in SIZES]
        for i, (size, middle) in enumerate(zip(SIZES, middles, strict=True)):
            factor = f"   factor {middle / middles[i - 1]:4.2f}" if i else ""
            outcomes = ", ".join(sorted({found for found, _ in runs[kind, size]}))
            print(f"  {size:5} instructions {middle:7.2f} s   {outcomes:9}{factor}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
