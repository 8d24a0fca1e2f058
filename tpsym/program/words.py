"""Sums of words in matrices, with ``W`` and ``W.T`` in one place of two words taken together as ``W + W.T``."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from sympy import Expr, S

from tpsym.program.letters import Letter, MatrixLetter, SymmetricLetter, Word

Terms = tuple[tuple[Expr, Word], ...]


def collected(terms: Iterable[tuple[Expr, Word]]) -> Terms:
    """Equal words collected, and pairs of words that differ in one ``W`` against ``W.T`` made one.

    ``c·aWb + c·aWᵀb = c·a(W + Wᵀ)b`` and ``c·a(W + Wᵀ)b - c·aWb = c·aWᵀb``, so that a power of a symmetrised
    matrix is one word.
    """
    pairs = list(terms)
    if len(pairs) == 1:
        return tuple(pair for pair in pairs if pair[0] != 0)  # long words are not hashed needlessly
    found: dict[Word, Expr] = {}
    for coefficient, word in pairs:
        found[word] = found.get(word, S.Zero) + coefficient
    # an insertion-ordered set: the result depends on the order of the terms only
    todo = dict.fromkeys(found) if len(found) > 1 else {}
    while todo:
        word = next(iter(todo))
        del todo[word]
        merged = _merge(found, word) if found.get(word, S.Zero) != 0 else None
        if merged is not None:
            todo[merged] = None
    return tuple((c, w) for w, c in found.items() if c != 0)


def _merge(found: dict[Word, Expr], word: Word) -> Word | None:
    """Put a word and its partner together; the word that was made, ``None`` if there is no partner."""
    coefficient = found[word]
    for partner, sign, made, weight in _partners(word):
        if found.get(partner, S.Zero) == sign * coefficient:
            del found[word], found[partner]
            found[made] = found.get(made, S.Zero) + weight * coefficient
            return made
    return None


def _partners(word: Word) -> Iterator[tuple[Word, Expr, Word, Expr]]:
    """Words that this one may be put together with: the word, its relative weight, what is made and its weight."""
    for i, letter in enumerate(word):
        def at(other: Letter, i: int = i) -> Word:
            return (*word[:i], other, *word[i + 1 :])

        if isinstance(letter, MatrixLetter):
            both, flipped = SymmetricLetter(letter.node), MatrixLetter(letter.node, not letter.transposed)
            yield at(flipped), S.One, at(both), S.One
            yield at(both), S.NegativeOne, at(flipped), S.NegativeOne
        elif isinstance(letter, SymmetricLetter):
            for transposed in (False, True):
                left = MatrixLetter(letter.node, not transposed)
                yield at(MatrixLetter(letter.node, transposed)), S.NegativeOne, at(left), S.One


def written_out(word: Word, nodes: Container[int]) -> Iterator[Word]:
    """The words in ``W`` and ``W.T`` that a word is the sum of, where ``W + W.T`` is written out for these nodes."""
    for i, letter in enumerate(word):
        if isinstance(letter, SymmetricLetter) and letter.node in nodes:
            for transposed in (False, True):
                yield from written_out((*word[:i], MatrixLetter(letter.node, transposed), *word[i + 1 :]), nodes)
            return
    yield word
