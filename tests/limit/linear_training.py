r"""Training of linear networks in the limit by free probability, in exact numbers.

All vectors are words in the initial matrices and their transposes, times initial vectors, and the only rule is that
:math:`\frac1n u^\top \omega u` tends to the number of noncrossing pairings of the word ω that match each matrix with
its transpose. No random variable and no correlation part occur in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

Letter = tuple[str, bool]
"""The name of a matrix, and whether it is transposed."""
Word = tuple[Letter, ...]
"""A product of matrices, the leftmost first."""
Vector = dict[tuple[Word, str], Fraction]
"""A sum of words times initial vectors, all independent with variance 1."""


@cache
def trace(word: Word) -> int:
    """The limit of the normalised trace of a word."""
    if not word:
        return 1
    (name, flipped), total = word[0], 0
    for k in range(1, len(word), 2):
        if word[k] == (name, not flipped):
            total += trace(word[1:k]) * trace(word[k + 1:])
    return total


def transposed(word: Word) -> Word:
    return tuple((name, not flipped) for name, flipped in reversed(word))


def inner(x: Vector, y: Vector) -> Fraction:
    """The limit of the mean of products of coordinates."""
    found = Fraction(0)
    for (left, a), c in x.items():
        for (right, b), d in y.items():
            if a == b:
                found += c * d * trace(transposed(left) + right)
    return found


def plus(*terms: tuple[Fraction, Vector]) -> Vector:
    """A linear combination."""
    found: Vector = {}
    for c, x in terms:
        for key, d in x.items():
            found[key] = found.get(key, Fraction(0)) + c * d
    return {key: c for key, c in found.items() if c}


@dataclass
class Array:
    """A trained matrix: a multiple of the initial one and outer products divided by n. ``speed`` is the momentum."""

    factor: Fraction = Fraction(1)
    parts: list[tuple[Vector, Vector]] = field(default_factory=list)
    moved: list[Fraction] = field(default_factory=list)
    speed: list[Fraction] = field(default_factory=list)


Layer = Sequence[tuple[Fraction, Letter]]
"""A sum of multiples of matrices."""


@dataclass
class Network:
    r"""f(x) = vᵀ A_L … A_1 U x / n with each A_l a sum of the matrices and their transposes."""

    layers: Sequence[Layer]
    inputs: int
    rates: Mapping[str, Fraction]
    momentum: Fraction = Fraction(0)
    decay: Fraction = Fraction(0)
    first: list[Vector] = field(init=False)
    readout: Vector = field(init=False)
    arrays: dict[str, Array] = field(init=False)
    speeds: dict[str, Vector] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.first = [{((), f"u{k}"): Fraction(1)} for k in range(self.inputs)]
        self.readout = {((), "v"): Fraction(1)}
        self.arrays = {name: Array() for layer in self.layers for _, (name, _) in layer}

    def times(self, letter: Letter, x: Vector) -> Vector:
        name, flipped = letter
        array = self.arrays[name]
        found = [(array.factor, {((letter, *word), base): c for (word, base), c in x.items()})]
        for c, (left, right) in zip(array.moved, array.parts, strict=True):
            out, other = (right, left) if flipped else (left, right)
            found.append((c * inner(other, x), out))
        return plus(*found)

    def applied(self, layer: Layer, x: Vector, *, flip: bool = False) -> Vector:
        return plus(*((c, self.times((name, flipped != flip), x)) for c, (name, flipped) in layer))

    def forward(self, x: Sequence[Fraction]) -> list[Vector]:
        found = [plus(*zip(x, self.first, strict=True))]
        for layer in self.layers:
            found.append(self.applied(layer, found[-1]))
        return found

    def output(self, x: Sequence[Fraction]) -> Fraction:
        return inner(self.readout, self.forward(x)[-1])

    def step(self, data: Sequence[tuple[Sequence[Fraction], Fraction]]) -> None:
        """A step of gradient descent on the mean of squares, all at the old arrays."""
        gradients: dict[str, list[tuple[Fraction, Vector, Vector]]] = {name: [] for name in self.arrays}
        readout: list[tuple[Fraction, Vector]] = []
        first: list[list[tuple[Fraction, Vector]]] = [[] for _ in self.first]
        for x, target in data:
            hidden = self.forward(x)
            signal = (inner(self.readout, hidden[-1]) - target) / len(data)
            readout.append((signal, hidden[-1]))
            back = self.readout
            for layer, below in zip(reversed(self.layers), reversed(hidden[:-1]), strict=True):
                for c, (name, flipped) in layer:
                    pair = (below, back) if flipped else (back, below)
                    gradients[name].append((c * signal, *pair))
                back = self.applied(layer, back, flip=True)
            for k, number in enumerate(x):
                first[k].append((signal * number, back))
        for name, found in gradients.items():
            self.move(name, found)
        self.readout = self.moved_vector("v", self.readout, plus(*readout))
        columns = zip(self.first, first, strict=True)
        self.first = [self.moved_vector(f"u{k}", u, plus(*g)) for k, (u, g) in enumerate(columns)]

    def move(self, name: str, gradient: list[tuple[Fraction, Vector, Vector]]) -> None:
        array, rate = self.arrays[name], self.rates[name]
        kept = 1 - self.decay
        array.factor *= kept
        array.speed = [self.momentum * s for s in array.speed] + [c for c, _, _ in gradient]
        array.parts += [(left, right) for _, left, right in gradient]
        old = [kept * c for c in array.moved] + [Fraction(0)] * len(gradient)
        array.moved = [c - rate * s for c, s in zip(old, array.speed, strict=True)]

    def moved_vector(self, name: str, vector: Vector, gradient: Vector) -> Vector:
        """``decay`` is rate times decay, the same for all arrays."""
        self.speeds[name] = plus((self.momentum, self.speeds.get(name, {})), (Fraction(1), gradient))
        return plus((1 - self.decay, vector), (-self.rates[name[0]], self.speeds[name]))
