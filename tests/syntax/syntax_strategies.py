"""Random trees, to be printed and read back."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from tpsym.errors import Span
from tpsym.syntax import tree
from tpsym.syntax.alphabet import fold

SPAN = Span(1, 1, 1, 2)
WORDS = (
    "x",
    "W",
    "h",
    "x'",
    "sigma_w",
    "σ_w",
    "λ",
    "lambda",
    "in",
    "with",
    "and",
    "or",
    "xi",
    "x_1",
    "pi",
    "E2",
    "class",
)
NUMBERS = ("0", "1", "2", "10", "1.3", "0.5", "1e-4", "2.5e3", "1.", ".5")


def name(word: str) -> tree.Name:
    return tree.Name(fold(word), word, span=SPAN)


names = st.sampled_from(WORDS).map(name)
numbers = st.sampled_from(NUMBERS).map(lambda text: tree.Number(Fraction(text), text, span=SPAN))


def tuples(items: st.SearchStrategy, least: int = 0) -> st.SearchStrategy:
    return st.lists(items, min_size=least, max_size=3).map(tuple)


def clauses(expressions: st.SearchStrategy, least: int = 0) -> st.SearchStrategy:
    sums = expressions.filter(lambda e: not isinstance(e, tree.Tolerance))
    return tuples(st.builds(tree.For, names, sums, sums, span=st.just(SPAN)), least)


def _larger(inner: st.SearchStrategy) -> st.SearchStrategy:
    span = st.just(SPAN)
    options = tuples(st.tuples(st.sampled_from(("lr", "steps", "batch")), inner)).map(
        lambda pairs: tuple(dict(pairs).items())
    )
    comparisons = st.lists(inner, min_size=2, max_size=3).flatmap(
        lambda operands: st.builds(
            tree.Compare,
            st.one_of(
                st.lists(
                    st.sampled_from(("<", "<=", ">", ">=", "==", "!=")),
                    min_size=len(operands) - 1,
                    max_size=len(operands) - 1,
                ).map(tuple),
                st.just(("<=>",) * (len(operands) - 1)),
            ),
            st.just(tuple(operands)),
            span=span,
        )
    )
    return st.one_of(
        st.builds(tree.Unary, st.sampled_from(("-", "+", "not")), inner, span=span),
        st.builds(
            tree.Binary, st.sampled_from(("+", "-", "*", "/", "^", "@", "and", "or")), inner, inner, span=span
        ),
        comparisons,
        st.builds(tree.Call, inner, tuples(inner), options, span=span),
        st.builds(tree.Index, inner, tuples(inner, 1), span=span),
        st.builds(tree.Attribute, inner, st.sampled_from(("T", "h", "input", "in")), span=span),
        st.builds(tree.Expectation, inner, span=span),
        st.builds(tree.Comprehension, st.sampled_from(("sum", "mean", "list")), inner, clauses(inner, 1), span=span),
        st.builds(tree.ListLiteral, tuples(inner), span=span),
        st.builds(tree.TupleLiteral, tuples(inner), span=span),
        st.builds(tree.TableLiteral, tuples(st.tuples(inner, inner)), span=span),
    )


expressions = st.recursive(st.one_of(names, numbers), _larger, max_leaves=12)
small = st.recursive(st.one_of(names, numbers), _larger, max_leaves=4)

_span = st.just(SPAN)
_maybe = st.one_of(st.none(), small)
targets = st.builds(tree.Target, names, tuples(small), span=_span)
shapes = st.builds(tree.TupleLiteral, tuples(small), span=_span)
parameters = st.lists(names, max_size=2, unique_by=lambda each: each.id).map(tuple)
bindings = st.builds(tree.Binding, targets, small, span=_span)
where = tuples(st.one_of(small, bindings))
labels = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), max_size=8)

relations = st.one_of(
    expressions,
    st.builds(
        lambda left, value, error: tree.Compare(
            ("==",), (left, tree.Tolerance(value, error, span=SPAN)), span=SPAN
        ),
        small,
        small,
        small,
    ),
)

assignments = st.builds(tree.Assign, targets, expressions, clauses(small), span=_span)
returns = st.builds(tree.Return, small, span=_span)


def _block(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(inner, min_size=1, max_size=3).map(tuple)


loops = st.builds(tree.Loop, clauses(small, 1).map(lambda found: found[0]), _block(assignments), span=_span)
definitions = st.builds(
    tree.Def, names, parameters, _block(st.one_of(assignments, loops, returns)), span=_span
)

statements = st.one_of(
    st.builds(
        tree.Size, st.sampled_from(("width", "dim", "depth")), tuples(st.tuples(names, _maybe), 1), span=_span
    ),
    st.builds(
        tree.Param,
        tuples(targets, 1),
        tuples(st.sampled_from(("real", "positive", "integer")).map(name)),
        _maybe,
        clauses(small),
        span=_span,
    ),
    st.builds(tree.Input, tuples(targets, 1), shapes, _maybe, clauses(small), span=_span),
    st.builds(tree.Assume, small, clauses(small), span=_span),
    st.builds(
        tree.Random,
        st.booleans(),
        tuples(targets, 1),
        shapes,
        st.one_of(st.none(), st.builds(tree.Law, small, small, span=_span)),
        clauses(small),
        span=_span,
    ),
    st.builds(tree.Fn, names, parameters, _maybe, span=_span),
    st.builds(tree.Parametrization, st.sampled_from(("standard", "ntk", "mup")).map(name), span=_span),
    assignments,
    loops,
    definitions,
    st.builds(
        tree.Train,
        names,
        small,
        small,
        tuples(st.tuples(st.sampled_from(("loss", "data", "steps")), small)).map(
            lambda pairs: tuple(dict(pairs).items())
        ),
        span=_span,
    ),
    st.builds(tree.Derive, expressions, span=_span),
    st.builds(tree.Let, targets, parameters, expressions, where, clauses(small), span=_span),
    st.builds(tree.Claim, labels, relations, where, clauses(small), span=_span),
)

titles = st.one_of(
    st.none(),
    st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1, max_size=9).map(
        lambda text: tree.Title(text, span=SPAN)
    ),
)
files = st.builds(tree.File, titles, _block(statements), span=_span)
