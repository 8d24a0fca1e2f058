"""Sizes as maxima of affine forms, by what flipping the sign of an initial array does to them.

A size is a set of forms, read as their maximum; the empty set is that of zero. A vector is a sum of parts:
each has a size and a :class:`Signature`, from which the mean of a product of parts can be seen to vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

from tpsym.polyhedra.forms import Form, number
from tpsym.scaling.domination import needed

Size = frozenset[Form]
"""The maximum of its forms; of none, the size of zero."""

Source = int | str
"""Gaussians whose sign can be flipped: those of a matrix by node, of its transpose by :func:`transposed` of that, of a
family of vectors by name."""


def transposed(matrix: int) -> int:
    """The source of what the transpose of a matrix gives; of that again, the matrix."""
    return -matrix - 1


Terms = tuple[tuple[str, Fraction], ...]
NOTHING: Size = frozenset()
ZERO = number(0)
ONE: Size = frozenset({ZERO})
"""The size of what stays of order one."""


class Signature(NamedTuple):
    """What flips do to a part: it changes sign with each of ``odd``, and has no parity in ``mixed``.

    ``tag`` names the array whose update the part is made of directly, with nothing nonlinear in between.
    """

    odd: frozenset[Source] = frozenset()
    mixed: frozenset[Source] = frozenset()
    tag: str | None = None

    def __mul__(self, other: Signature) -> Signature:  # type: ignore[override]
        mixed = self.mixed | other.mixed
        tag = self.tag or other.tag if not (self.tag and other.tag) else None
        return Signature((self.odd ^ other.odd) - mixed, mixed, tag)

    def flipped(self, source: Source) -> Signature:
        """The signature of the product with something odd in a source."""
        return self if source in self.mixed else self._replace(odd=self.odd ^ {source})

    def without_parity(self, sources: Iterable[Source]) -> Signature:
        """The signature of something that has no parity in these sources either."""
        more = frozenset(sources)
        return self._replace(odd=self.odd - more, mixed=self.mixed | more)

    def knows(self, source: Source) -> bool:
        """Whether the part depends on a source as far as its parity shows."""
        return source in self.odd or source in self.mixed

    def covers(self, other: Signature) -> bool:
        """Whether every mean that vanishes by symmetry for this part does so for the other one."""
        return self.tag == other.tag and self.mixed >= other.mixed | (self.odd ^ other.odd)


EVEN = Signature()

Parts = Mapping[Signature, Size]
"""A vector or a scalar as a sum of parts."""


def united(*many: Parts) -> dict[Signature, Size]:
    """The parts of a sum."""
    found: dict[Signature, Size] = {}
    for parts in many:
        for signature, size in parts.items():
            found[signature] = found.get(signature, NOTHING) | size
    return found


def product(a: Parts, b: Parts) -> dict[Signature, Size]:
    """The parts of a product, coordinate by coordinate."""
    found: dict[Signature, Size] = {}
    for s, x in a.items():
        for t, y in b.items():
            key = s * t
            found[key] = found.get(key, NOTHING) | sums(x, y)
    return found


def sums(a: Size, b: Size) -> Size:
    """The size of a product."""
    if a == ONE:
        return b
    return a if b == ONE else frozenset(x + y for x in a for y in b)


def shifted(parts: Parts, by: Form) -> dict[Signature, Size]:
    """Parts times a number of size ``by``."""
    if by == ZERO:
        return dict(parts)
    return {s: frozenset(x + by for x in size) for s, size in parts.items()}


def total(parts: Parts) -> Size:
    """The size of a sum of parts."""
    return frozenset().union(*parts.values())


def untagged(parts: Parts) -> dict[Signature, Size]:
    """Parts that have passed something nonlinear, or another array."""
    found: dict[Signature, Size] = {}
    for s, size in parts.items():
        key = s._replace(tag=None)
        found[key] = found.get(key, NOTHING) | size
    return found


def unsymmetric(parts: Parts, behind: frozenset[Source]) -> dict[Signature, Size]:
    """Changes, which know all that is behind the network and its gradients and have no symmetry left in it."""
    found: dict[Signature, Size] = {}
    for s, size in parts.items():
        key = Signature(frozenset(), behind, s.tag)
        found[key] = found.get(key, NOTHING) | size
    return found


def sources(parts: Parts) -> frozenset[Source]:
    """Every source that a vector depends on."""
    return frozenset().union(*(s.odd | s.mixed for s in parts))


FEW = 64
"""Pairs of forms up to which all are compared exactly."""
SLACK = 1e-9


def scaled(form: Form) -> tuple[Terms, Fraction]:
    """Terms and constant divided by the size of the first coefficient."""
    scale = abs(form.terms[0][1])
    if scale == 1:
        return form.terms, form.constant
    return tuple((v, q / scale) for v, q in form.terms), form.constant / scale


@dataclass(slots=True)
class Known:
    """What is known to be ≤ 0, and the equations solved: grows while a program is read.

    ``bounds`` gives, by the terms of a form scaled to a leading coefficient of ±1, the largest constant with which
    it is known to be ≤ 0; ``facts`` are the same forms as they were met, ``sums`` the bounds that two of them give.
    ``solved`` replaces variables by forms. Maxima of more than ``room`` forms are made as small as they can be.
    With a ``guide``, a point, a maximum is the form that attains it there and nothing is learned.
    """

    solved: dict[str, Form] = field(default_factory=dict)
    bounds: dict[Terms, Fraction] = field(default_factory=dict)
    facts: dict[Terms, Form] = field(default_factory=dict)
    sums: dict[Terms, Form] = field(default_factory=dict)
    room: int = 12
    guide: Mapping[str, Fraction] | None = None
    prints: Any = None

    def reduced(self, form: Form) -> Form:
        """A form with the equations put in."""
        return form.substitute(self.solved)

    def at_most_zero(self, form: Form) -> None:
        """Learn that a form is ≤ 0."""
        if self.guide is not None:
            return
        form = self.reduced(form)
        if not form.terms:
            return
        if self.holds(form):
            return
        terms, bound = scaled(form)
        self.bounds[terms], self.facts[terms] = bound, form
        self.prints = None
        for other in self.facts.values():
            both = form + other
            known = self.sums.get(both.terms)
            if known is None or known.constant < both.constant:
                self.sums[both.terms] = both

    def solve(self, form: Form, prefer: Callable[[str], int]) -> bool:
        """Learn that a form is zero; says whether that can be."""
        form = self.reduced(form)
        if form.is_constant:
            return form.constant == 0
        name, q = min(form.terms, key=lambda term: (prefer(term[0]), term[0]))
        value = Form(form.constant, tuple(t for t in form.terms if t[0] != name)) * (-1 / q)
        self.solved = {v: f.substitute({name: value}) for v, f in self.solved.items()} | {name: value}
        facts = list(self.facts.values())
        self.bounds, self.facts, self.sums, self.prints = {}, {}, {}, None
        for fact in facts:
            self.at_most_zero(fact)
        return True

    def holds(self, form: Form) -> bool:
        """Whether a form is seen to be ≤ 0, from one bound or from two."""
        if self.guide is not None:
            return self.at_guide(form) <= 0
        if not form.terms:
            return form.constant <= 0
        both = self.sums.get(form.terms)
        if both is not None and form.constant <= both.constant:
            return True
        terms, constant = scaled(form)
        bound = self.bounds.get(terms)
        return bound is not None and constant <= bound

    def at_guide(self, form: Form) -> Fraction:
        """A form at the guide, variables without a value being zero."""
        assert self.guide is not None
        return form.constant + sum((q * self.guide.get(v, ZERO.constant) for v, q in form.terms), ZERO.constant)

    def small(self, initial: Parts, change: Parts) -> bool:
        """Whether a change is seen to be no larger than what there was."""
        was = total(initial)
        return bool(was) and all(any(self.holds(self.reduced(f - g)) for g in was) for f in total(change))

    def pruned(self, parts: Parts) -> dict[Signature, Size]:
        """Parts without the forms that another one, of a part that is correlated with no less, is never below."""
        reduced = {s: frozenset(map(self.reduced, size)) for s, size in parts.items() if size}
        for signature in reduced:
            rivals = [f for s, size in reduced.items() if s != signature and s.covers(signature) for f in size]
            reduced[signature] = self.maximal(reduced[signature], rivals)
        return {s: size for s, size in reduced.items() if size}

    def maximal(self, size: Size, rivals: Iterable[Form] = ()) -> Size:
        """The forms of a maximum that none of the others is seen never to be below."""
        forms = sorted(size, key=lambda f: (f.terms, f.constant))
        others = tuple(rivals)
        if self.guide is not None and forms:
            top = max(forms, key=lambda f: (self.at_guide(f), -len(f.terms), str(f)))
            beaten = any(self.at_guide(f) >= self.at_guide(top) for f in others)
            return NOTHING if beaten else frozenset({top})
        if len(forms) + len(others) < 2:
            return size
        against = (*forms, *others)
        alive = [True] * len(against)
        for i, rows in enumerate(self._candidates(forms, against)):
            alive[i] = not any(j != i and alive[j] and self.holds(forms[i] - against[j]) for j in rows)
        kept = [form for form, lives in zip(forms, alive, strict=False) if lives]
        if len(kept) > self.room:
            kept = needed(kept, others, list(self.facts.values()))
        return frozenset(kept)

    def _candidates(self, forms: Sequence[Form], against: Sequence[Form]) -> Iterator[Iterable[int]]:
        """By form, the numbers of those that may be above it: by fingerprints where there are many."""
        if len(forms) * len(against) <= FEW:
            yield from (range(len(against)) for _ in forms)
            return
        import numpy as np

        if self.prints is None:
            known = [f.fingerprint for f in self.facts.values()] + [f.fingerprint for f in self.sums.values()]
            self.prints = np.array(sorted([*known, 0.0]))
        mine, theirs = (np.array([f.fingerprint for f in group]) for group in (forms, against))
        gaps = mine[:, None] - theirs[None, :]
        places = np.clip(np.searchsorted(self.prints, gaps - SLACK), 0, len(self.prints) - 1)
        hits = np.abs(self.prints[places] - gaps) < 2 * SLACK
        yield from (np.flatnonzero(row).tolist() for row in hits)
