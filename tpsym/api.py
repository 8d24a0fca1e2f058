"""The Python interface: load, derive, verify, simulate, evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tpsym.errors import Diagnostic, TpError, fail
from tpsym.program.elaborate import Model, elaborate
from tpsym.results.questions import LimitQuestions, questions
from tpsym.syntax import tree
from tpsym.syntax.parse import parse as parse_text
from tpsym.syntax.parse import parse_expression, read

if TYPE_CHECKING:
    from tpsym.report.document import Report
    from tpsym.results.answers import ClaimResult
    from tpsym.verify.runs import Runs


@dataclass(frozen=True)
class Program:
    """A parsed ``.tp`` file; elaborated when first asked something."""

    file: tree.File
    filename: str | None = None
    settings: Mapping[str, tree.Expr] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.file.source

    @cached_property
    def _session(self) -> tuple[Model, LimitQuestions]:
        with _Located(self):
            model = elaborate(self.file, overrides=_overrides(self.settings))
            return model, questions(model.context)

    @property
    def model(self) -> Model:
        """The elaborated file: its instruction graph is ``model.context.builder.graph``."""
        return self._session[0]

    @property
    def limit_side(self) -> LimitQuestions:
        return self._session[1]

    def kernel(self, kind: str, function: str) -> Any:
        """The kernel ``nngp`` of a network of the file at its declared inputs.

        Raises:
            TpError: unknown kind or function; the network has no Gaussian limit.
        """
        from tpsym.results.kernels import kernel

        with _Located(self):
            return kernel(self.model, self.limit_side, kind, function)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.source)}</pre>"


class _Located:
    """Adds the text and the file name to errors that leave the block."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TpError) and error.source is None:
            raise error.located(source=self.program.source, filename=self.program.filename) from None


def load(path: str | Path, *, settings: Mapping[str, tree.Expr] | None = None) -> Program:
    """Read a ``.tp`` file.

    Raises:
        TpError: the file cannot be read or parsed.
    """
    return Program(read(path), str(path), settings or {})


def parse(text: str, *, filename: str | None = None) -> Program:
    """Parse the text of a ``.tp`` file."""
    return Program(parse_text(text, filename=filename), filename)


def parse_settings(items: Iterable[str]) -> dict[str, tree.Expr]:
    """``sigma_w=1.5`` as a table of expressions; the left side is a name, ``a[1]`` or ``dot(x, y)``."""
    from tpsym.syntax.format import format_expression

    settings: dict[str, tree.Expr] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not value.strip():
            raise fail("bad-setting", f"--set {item}: expected NAME=VALUE", fix="--set sigma_w=1.5")
        settings[format_expression(folded(parse_expression(name)))] = parse_expression(value)
    return settings


def folded(node: tree.Expr) -> tree.Expr:
    """The left side of a setting with Greek letters spelled out, as symbols are named."""
    match node:
        case tree.Name(id=name):
            return tree.Name(name, name, span=node.span)
        case tree.Index(base=base, indices=indices):
            return tree.Index(folded(base), indices, span=node.span)
        case tree.Call(function=function, args=args):
            return tree.Call(folded(function), tuple(folded(a) for a in args), span=node.span)
    return node


def _overrides(settings: Mapping[str, tree.Expr]) -> dict[str, Any]:
    from tpsym.program.declare import constants
    from tpsym.program.evaluate import evaluate as value_of
    from tpsym.program.scope import Context, Scope
    from tpsym.program.values import ListValue, Scalar

    scope = Scope(None, constants())
    overrides: dict[str, Any] = {}
    for name, node in settings.items():
        value = value_of(Context(scope=scope), node, scope)
        if not isinstance(value, Scalar | ListValue):
            raise fail("bad-setting", f"--set {name}: expected a number or a list of numbers")
        overrides[name] = value.expr if isinstance(value, Scalar) else value
    return overrides


def derivation(program: Program) -> tuple[Report, tuple[Diagnostic, ...]]:
    """The report on every ``derive`` and claim, and what could not be answered."""
    from tpsym.report.document import Report
    from tpsym.results.derive import derive as answer
    from tpsym.results.derive import notation

    with _Located(program):
        derived = answer(program.model, program.limit_side)
        claims = claim_results(program)
    model = program.model
    report = Report(model.title, program.filename or "", program.source, derived.answers, claims,
                    notation(program.limit_side))
    return report, derived.refused


def derive(program: Program) -> Report:
    """The derivation of everything the file asks for; shows itself in a notebook.

    Raises:
        TpError: a question makes no sense, or has no answer yet.
    """
    report, refused = derivation(program)
    if refused and not report.answers:
        raise TpError(refused, program.source, program.filename)
    return report


def claim_results(program: Program) -> tuple[ClaimResult, ...]:
    """The verdict on every claim of the file."""
    from tpsym.verify.claims import verify as decide

    with _Located(program):
        return decide(program.model, program.limit_side)


def verify(program: Program) -> Verdicts:
    """The verdicts, one per claim; shows itself as a table in a notebook."""
    return Verdicts(program.filename or "", claim_results(program))


@dataclass(frozen=True)
class Verdicts:
    """The verdicts on the claims of a program: a sequence that shows itself as a table."""

    filename: str
    claims: tuple[ClaimResult, ...]

    def __iter__(self) -> Iterator[ClaimResult]:
        return iter(self.claims)

    def __len__(self) -> int:
        return len(self.claims)

    def __getitem__(self, label: str) -> ClaimResult:
        for claim in self.claims:
            if claim.label == label:
                return claim
        raise KeyError(label)

    def to_text(self, *, columns: int = 80) -> str:
        from tpsym.report.verdicts import verdicts_text

        return verdicts_text([(self.filename, self.claims)], width=columns)

    def to_json(self) -> str:
        from tpsym.report.verdicts import verdicts_json

        return verdicts_json([(self.filename, self.claims)])

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(c.verdict)}</td><td>{escape(c.label)}</td><td>{escape(c.method)}</td>"
            f"<td>{escape(c.detail)}</td></tr>"
            for c in self.claims
        )
        return f"<table><tr><th>verdict</th><th>claim</th><th>by</th><th></th></tr>{rows}</table>"


def check_all(program: Program) -> None:
    """Inline everything the questions and claims mention, so that the graph shows all of it."""
    from tpsym.verify.check import inline

    with _Located(program):
        inline(program.model)


def check(program: Program) -> tuple[Diagnostic, ...]:
    """Check names, shapes and indices without deriving; returns what is not available yet.

    Raises:
        TpError: the first mistake.
    """
    from tpsym.verify.check import check as checked

    with _Located(program):
        return checked(program.file, _overrides(program.settings))


def evaluate(program: Program, expression: str, *, digits: int = 15) -> str:
    """A limit-side expression as a decimal number with certified digits."""
    from tpsym.results.numbers import evaluate as value_of

    node = parse_expression(expression)
    try:
        return value_of(program.model, program.limit_side, node, overrides=_overrides(program.settings), digits=digits)
    except TpError as error:
        raise error.located(source=expression, filename="<expression>") from None


def simulate(
    program: Program,
    *,
    widths: Sequence[int] = (64, 256, 1024),
    seeds: int = 32,
    progress: bool = False,
) -> Runs:
    """Every limit the file asks for, measured at finite width.

    Raises:
        TpError: the file asks for nothing that can be measured.
    """
    from tpsym.verify.runs import simulate as run

    with _Located(program):
        return run(program.model, program.limit_side, widths=widths, seeds=seeds, progress=progress,
                   overrides=_overrides(program.settings))


def format_file(path: Path, *, write: bool) -> bool:
    """Bring a file to canonical form; says whether it was (or would be) changed."""
    from tpsym.report.output import write as write_file
    from tpsym.syntax.format import format_source

    source = read(path).source
    formatted = format_source(source)
    if formatted == source:
        return False
    if write:
        write_file(path, formatted)
    return True
