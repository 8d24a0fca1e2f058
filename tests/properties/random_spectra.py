"""Random symmetric matrix expressions: each as text of the language and as a NumPy function of one draw.

Matrices square and rectangular, symmetrised, shared with the vectors of diagonals; diagonals with finitely many values
of initial vectors and of images under the same matrices; scalars inside; products, powers, shifts, traces as
coefficients. The two halves of a piece are written side by side, so that neither is derived from the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

Array = Any
RATIOS = ("1/2", "2", "1/3", "3")
SIZE = Fraction(3, 2)
HEAD = """\
width n
width m = {ratio}*n
param s: positive = 3/2
random W: (n, n) ~ N(0, 1/n)
random V: (n, n) ~ N(0, s^2/n)
random R: (n, m) ~ N(0, 1/n)
random x, y: (n) ~ N([0, 0], [[1, 1/2], [1/2, 1]])
random q: (n) ~ N(1/2, 1)
random p: (m) ~ N(0, 1)
"""


@dataclass(frozen=True)
class Sample:
    """The initial arrays at one width."""

    arrays: dict[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]


def sample(ratio: str, n: int, seed: int) -> Sample:
    """One draw at width n."""
    rng, m = np.random.default_rng(seed), int(Fraction(ratio) * n)
    first, second = rng.normal(size=n), rng.normal(size=n)
    return Sample({
        "W": rng.normal(size=(n, n)) / np.sqrt(n), "V": float(SIZE) * rng.normal(size=(n, n)) / np.sqrt(n),
        "R": rng.normal(size=(n, m)) / np.sqrt(n), "x": first, "y": first / 2 + np.sqrt(3) / 2 * second,
        "q": 0.5 + rng.normal(size=n), "p": rng.normal(size=m),
    })


@dataclass(frozen=True)
class Piece:
    """An expression in the language and what it is for a draw."""

    text: str
    of: Callable[[Sample], Array]


def name(text: str) -> Piece:
    return Piece(text, lambda a: a[text])


@dataclass
class Drawn:
    """A program; the matrix ``A`` is its last line."""

    rng: random.Random
    ratio: str
    vectors: dict[str, list[Piece]]
    lines: list[str] = field(default_factory=list)
    matrix: Piece | None = None

    @property
    def text(self) -> str:
        assert self.matrix is not None
        return HEAD.format(ratio=self.ratio) + "".join(f"{line}\n" for line in (*self.lines, f"A = {self.matrix.text}"))


def program(seed: int) -> Drawn:
    """The random program of a seed."""
    rng = random.Random(seed)
    p = Drawn(rng, rng.choice(RATIOS), {"n": [name("x"), name("y"), name("q")], "m": [name("p")]})
    for _ in range(rng.choice([0, 1, 1, 2, 3])):
        grow(p)
    terms = [scaled(p, symmetric(p)) for _ in range(rng.choice([1, 1, 2, 2, 3]))]
    total = Piece(" + ".join(t.text for t in terms), lambda a: sum(t.of(a) for t in terms))
    p.matrix = centred(p, total) if rng.random() < 0.15 else total
    return p


# --- vectors -------------------------------------------------------------------------------------------


def grow(p: Drawn) -> None:
    """One more vector: an image under a matrix, a normalised vector, a shifted one."""
    kind = p.rng.choice(["square", "square", "wide", "tall", "norm", "shift"])
    label = f"h{len(p.lines)}"
    if kind in ("square", "wide", "tall"):
        space = "m" if kind == "wide" else "n"
        w = matrix(p.rng.choice(["W", "W.T", "V"])) if kind == "square" else matrix("R" if kind == "wide" else "R.T")
        v = bounded(p, space)
        made = Piece(f"{w.text} @ ({v.text})", lambda a: w.of(a) @ v.of(a))
        target = "m" if kind == "tall" else "n"
    else:
        v, u, target = p.rng.choice(p.vectors["n"]), p.rng.choice(p.vectors["n"]), "n"
        made = (
            Piece(f"{v.text}/sqrt(mean({v.text}^2))", lambda a: v.of(a) / np.sqrt(np.mean(v.of(a) ** 2)))
            if kind == "norm"
            else Piece(f"{v.text} + mean(tanh({u.text}))", lambda a: v.of(a) + np.mean(np.tanh(u.of(a))))
        )
    p.lines.append(f"{label} = {made.text}")
    p.vectors[target].append(Piece(label, made.of))


def bounded(p: Drawn, space: str) -> Piece:
    """A bounded function of one or two of the last vectors."""
    v, u = p.rng.choice(p.vectors[space][-3:]), p.rng.choice(p.vectors[space])
    functions = [
        Piece(f"step({v.text})", lambda a: (v.of(a) > 0) * 1.0),
        Piece(f"sign({v.text})", lambda a: np.sign(v.of(a))),
        Piece(f"step({v.text} - 1/2)", lambda a: (v.of(a) > 0.5) * 1.0),
        Piece(f"if({v.text} > 1/2, 1, if({v.text} < -1, -1, 0))", lambda a: (v.of(a) > 0.5) - 1.0 * (v.of(a) < -1)),
        Piece(f"step({v.text})*step({u.text})", lambda a: (v.of(a) > 0) * (u.of(a) > 0) * 1.0),
        Piece(f"(2*step({v.text}) + step({u.text}))", lambda a: 2.0 * (v.of(a) > 0) + (u.of(a) > 0)),
        Piece(f"tanh({v.text})", lambda a: np.tanh(v.of(a))),
    ]
    return p.rng.choices(functions, [3, 2, 2, 2, 1, 1, 1])[0]


# --- matrices ------------------------------------------------------------------------------------------


def matrix(text: str) -> Piece:
    letter = text[0]
    return Piece(text, lambda a: a[letter].T if text.endswith(".T") else a[letter])


def diagonal(p: Drawn, space: str = "n") -> Piece:
    inner = bounded(p, space)
    return Piece(f"diag({inner.text})", lambda a: np.diag(inner.of(a)))


def product(*pieces: Piece) -> Piece:
    def of(a: Sample) -> Array:
        found = pieces[0].of(a)
        for piece in pieces[1:]:
            found = found @ piece.of(a)
        return found

    return Piece(" @ ".join(piece.text for piece in pieces), of)


def transposed(piece: Piece) -> Piece:
    return Piece(f"({piece.text}).T", lambda a: piece.of(a).T)


def symmetric(p: Drawn) -> Piece:
    """A symmetric matrix of a few letters, in brackets."""
    kind = p.rng.choice(["sum", "diagonal", "square", "sandwich", "wide", "between", "word", "power", "identity"])
    w = matrix(p.rng.choice(["W", "V", "W.T", "V.T"]))
    if kind == "sum":
        found = Piece(f"{w.text} + ({w.text}).T", lambda a: w.of(a) + w.of(a).T)
    elif kind == "diagonal":
        found = diagonal(p)
    elif kind == "square":
        half = product(w, *([diagonal(p)] if p.rng.random() < 0.5 else []))
        found = product(Piece(f"({half.text})", half.of), transposed(half))
    elif kind == "sandwich":
        found = product(w, diagonal(p), transposed(w))
    elif kind == "wide":
        found = product(matrix("R"), *([diagonal(p, "m")] if p.rng.random() < 0.5 else []), matrix("R.T"))
    elif kind == "between":
        d = diagonal(p)
        both = Piece(f"({w.text} + ({w.text}).T)", lambda a: w.of(a) + w.of(a).T)
        inside = p.rng.choice([product(w, transposed(w)), both])
        found = product(d, inside, d)
    elif kind == "word":
        word = product(w, p.rng.choice([diagonal(p), matrix("W")]))
        found = Piece(f"{word.text} + ({word.text}).T", lambda a: word.of(a) + word.of(a).T)
    elif kind == "power":
        found = Piece(f"({w.text} + ({w.text}).T)^2", lambda a: (w.of(a) + w.of(a).T) @ (w.of(a) + w.of(a).T))
    else:
        found = Piece("eye(n)", lambda a: np.eye(len(a["x"])))
    return Piece(f"({found.text})", found.of)


def scaled(p: Drawn, piece: Piece) -> Piece:
    """Times a number, a parameter, or a mean that the program computes."""
    factor = p.rng.choice([
        None, None, Piece("2", lambda a: 2), Piece("-1/2", lambda a: -0.5), Piece("s", lambda a: float(SIZE)),
        Piece("sqrt(2)", lambda a: np.sqrt(2)), Piece("mean(y^2)", lambda a: np.mean(a["y"] ** 2)),
        Piece("tr(W @ W.T)", lambda a: np.sum(a["W"] ** 2) / len(a["x"])),
    ])
    if factor is None:
        return piece
    return Piece(f"{factor.text}*{piece.text}", lambda a: factor.of(a) * piece.of(a))


def centred(p: Drawn, piece: Piece) -> Piece:
    """Less its normalised trace."""
    p.lines.append(f"B = {piece.text}")

    def of(a: Sample) -> Array:
        found = piece.of(a)
        return found - np.trace(found) / len(found) * np.eye(len(found))

    return Piece("B - tr(B)*eye(n)", of)
