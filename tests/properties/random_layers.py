"""Random networks with loops over a symbolic depth, as texts.

A body is one to three sublayers: residual or not, with normalisation, biases, input injection, matrices of one
layer or of all layers, transposes, post-activations, parameters of the layer. ``wild`` bodies and heads also use
arrays again where gradients or hidden layers are correlated with them, which only a refusal gets right.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from layered_programs import Program, program

DECLARED = """
weight U: (n, d) ~ N(0, 1/d)
weight v: (1, n) ~ N(0, 1/n)
weight v2: (1, n) ~ N(0, 1/n)
weight H: (n, n) ~ N(0, 1/n)
weight b: (n) ~ N(0, sb^2)
weight c: (n) ~ N(1/3, sb^2)
weight T: (n, n) ~ N(0, sw^2/n)
weight W[l, k]: (n, n) ~ N(0, sw^2/n) for l in 1..L+1, k in 1..3
weight bb[l]: (n) ~ N(0, sb^2) for l in 1..L+1
weight Q[l]: (n, d) ~ N(0, 1/d) for l in 1..L+1
random R[l]: (n, n) ~ N(0, 1/n) for l in 1..L+1
random rv: (1, n) ~ N(0, 1/n)
param a[l]: positive for l in 1..L+1
def norm(z):
    k = z - mean(z)
    return k/sqrt(mean(k^2))
"""
PHI = ("erf({})", "relu({})", "sin({})", "{}", "erf(norm({}))", "norm({})")
SCALES = ("", "", "al*", "al/sqrt(L)*", "a[l]*", "1/l*", "1/2*")


@dataclass
class Draft:
    """A network in the making; ``gaussian`` as long as nothing is added after an activation."""

    rng: random.Random
    wild: bool
    gaussian: bool = True
    lines: list[str] = field(default_factory=list)

    def pick(self, *options: str) -> str:
        return self.rng.choice(options)

    def matrix(self, k: int) -> str:
        usual = (f"W[l, {k}]",) * 6 + ("T", "R[l]")
        return self.pick(*usual, *(("W[l+1, 1]", "W[2, 1]", "T.T", f"W[l, {k}].T") if self.wild else ()))

    def extra(self) -> str:
        wild = (" + Q[l+1] @ xi", " + bb[2]", " + c") if self.wild else ()
        return self.pick("", "", "", " + bb[l]", " + b", " + U @ xi", " + Q[l] @ xi", *wild)


def sublayer(d: Draft, z: str, k: int) -> str:
    """What a sublayer makes of a vector."""
    kind = d.rng.choice(["plain", "plain", "residual", "residual", "post", "twice", "norm"])
    scale, m, extra = d.pick(*SCALES), d.matrix(k), d.extra()
    phi = d.pick(*PHI) if d.gaussian or d.wild else "{}"
    if kind == "plain":
        return f"{scale}{m} @ {phi.format(z)}{extra}".replace("* ", "*")
    if kind == "residual":
        return f"{z} + {scale}{m} @ {phi.format(z)}{extra}"
    if kind == "norm":
        return f"norm({z} + {scale}{m} @ {phi.format(z)})"
    if kind == "twice":
        return f"{z} + {scale}{m} @ erf(W[l, {k}] @ {phi.format(z)}{extra})"
    d.gaussian = False
    keep = d.pick("", f"{z} + ")
    return f"{keep}{scale}{d.pick('relu', 'erf', 'sin')}({m} @ {z})"


def head(d: Draft, h: str) -> str:
    """A readout of the last layer."""
    phi = d.pick(*PHI) if d.gaussian or d.wild else "{}"
    usual = [f"v @ {phi.format(h)}", f"v @ {phi.format(h)} + v2 @ {h}", f"v @ erf(H @ {phi.format(h)})",
             f"v @ ({h}*mean({h}^2))", f"v @ (W[L+1, 2] @ {phi.format(h)})"]
    wild = [f"rv @ ({h} + W[L, 1] @ {phi.format(h)})", f"v @ (T @ {phi.format(h)})", f"v @ (T.T @ {phi.format(h)})",
            f"rv @ ({h} + U @ xi)", f"v @ (W[L, 1].T @ {h})", f"rv @ ({h} + b)", f"v @ if({h} > 1, {h}, 0)"]
    return d.rng.choice(usual + wild if d.wild else usual)


def body(d: Draft) -> str:
    """The statements of a function ``f(xi)``."""
    plain = d.rng.random() < 0.4
    loops = 1 + (d.rng.random() < 0.25)
    before = d.pick("U @ xi", "U @ xi", "U @ xi + c", "U @ xi + b")
    if d.wild:
        before = d.pick(before, "W[1, 1] @ erf(U @ xi)", "T @ erf(U @ xi)")
    text = ""
    for i in range(loops):
        name = "hg"[i]
        entry, exit_ = (name, name) if plain else (f"{name}[l-1]", f"{name}[l]")
        text += f"    {name if plain else name + '[0]'} = {before}\n    for l in 1..L:\n"
        z = entry
        count = d.rng.randint(1, 2)
        for k in range(1, count + 1):
            made = sublayer(d, z, k if i == 0 or d.wild else 3)
            z = exit_ if k == count else f"s{k}"
            text += f"        {z} = {made}\n"
        before = name if plain else f"{name}[L]"
    return f"def f(xi):\n{text}    return {head(d, before)}\n"


def network(seed: int, *, wild: bool = False, depths: tuple[int, ...] = (1, 2, 3)) -> Program:
    """The random network of a seed."""
    rng = random.Random(seed)
    d = Draft(rng, wild)
    parametrization = rng.choice(["standard", "ntk", "mup"])
    return program(DECLARED + body(d), parametrization=parametrization, depths=depths)
