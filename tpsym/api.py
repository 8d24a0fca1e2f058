"""The Python interface: load, derive, verify, simulate, evaluate."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tpsym.errors import Diagnostic, TpError, fail
from tpsym.program.elaborate import Model, elaborate
from tpsym.program.settings import evaluated
from tpsym.results.questions import LimitQuestions, questions
from tpsym.results.setting_texts import parse_settings as parse_settings
from tpsym.syntax import tree
from tpsym.syntax.parse import parse as parse_text
from tpsym.syntax.parse import parse_expression, read

if TYPE_CHECKING:
    from tpsym.report.document import Report
    from tpsym.report.verdicts import Verdicts
    from tpsym.results.answers import Answer, ClaimResult, Notation
    from tpsym.results.kernels import Kernel, Values
    from tpsym.results.meanfield import MeanField
    from tpsym.results.meanfield_phases import PhaseDiagram, Range
    from tpsym.results.spectrum_study import SpectrumStudy
    from tpsym.results.training_curves import TrainingStudy
    from tpsym.scaling.mup import MaximalUpdate
    from tpsym.scaling.regimes import Scaling
    from tpsym.verify.runs import Runs

Settings = Mapping[str, tree.Expr | str | int | float | Any]
"""Values by name (``sigma_w``, ``a[1]``, ``dot(x, y)``): numbers, or text of the language such as ``"sqrt(2)"``.
A float stands for the decimal it prints as: 0.1 is 1/10."""

NOTHING: Settings = MappingProxyType({})


@dataclass(frozen=True, repr=False)
class Program:
    """A parsed ``.tp`` file; elaborated when first asked something.

    ``settings`` replace the defaults of parameters, sizes and depths.
    """

    file: tree.File
    filename: str | None = None
    settings: Mapping[str, tree.Expr] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return self.file.source

    @cached_property
    def _session(self) -> tuple[Model, LimitQuestions]:
        with _Located(self):
            model = elaborate(self.file, overrides=evaluated(self.settings))
            return model, questions(model.context)

    @cached_property
    def _unavailable(self) -> tuple[Diagnostic, ...]:
        from tpsym.verify.check import check as checked

        with _Located(self):
            return checked(self.file, evaluated(self.settings))

    @property
    def model(self) -> Model:
        """The elaborated file: its instruction graph is ``model.context.builder.graph``."""
        return self._session[0]

    @property
    def limit_side(self) -> LimitQuestions:
        return self._session[1]

    def kernel(self, kind: str, function: str) -> Kernel:
        """The kernel ``"nngp"`` or ``"ntk"`` of a network, such as ``"f"``, or of its inner vectors, ``"f.h[2]"``.

        Raises:
            TpError: unknown kind or function.
        """
        from tpsym.results.kernels import kernel

        with _Located(self):
            return kernel(self.model, self.limit_side, kind, function, _typeset)

    def meanfield(self, function: str, *, values: Values | None = None) -> MeanField:
        """The mean field theory of a network of layers that repeat, with the parameters in ``values`` put in exactly.

        The other parameters stay symbols; ``.evaluate({})`` takes their settings or defaults.

        Raises:
            TpError: no such network or parameter; no loop over layers that carries one vector to the next.
        """
        from tpsym.results.meanfield_networks import network_theory

        with _Located(self):
            return network_theory(self.model, self.limit_side, function, values or {})

    def exponents(self, question: str) -> Scaling | MaximalUpdate:
        """``"scaling(f, sgd(lr = n^(-c)))"`` or ``"mup(f, adam)"`` as an object, the question as in a file.

        Raises:
            TpError: the question makes no sense. NoLimit: it has no answer.
        """
        from tpsym.program.evaluate import evaluate as value_of
        from tpsym.program.values import Theory

        node = parse_expression(question)
        with _Located(self):
            value = value_of(self.model.context, node, self.model.context.scope)
            if not isinstance(value, Theory) or value.kind not in ("scaling", "mup"):
                raise fail("no-exponents", f"{question} asks for no exponents", expected="scaling(f, …) or mup(f, …)")
            return value.content()

    def training(
        self, name: str | None = None, *, features: Sequence[str] | None = None, steps: int | None = None
    ) -> TrainingStudy:
        """A ``train`` statement: its limit and finite widths by step, its kernel, learning rates over widths."""
        from tpsym.report.training_figures import curves_figure, transfer_figure
        from tpsym.results.training_curves import TrainingStudy

        with _Located(self):
            seen = None if features is None else tuple(features)
            return TrainingStudy(self.model, self.limit_side, name, evaluated(self.settings), seen, steps,
                                 self.filename, curves_figure, transfer_figure)

    def spectrum(self, matrix: str) -> SpectrumStudy:
        """The limiting law of the eigenvalues of a matrix such as ``"W @ W.T"`` or a named one, exact and in numbers.

        Raises:
            TpError: it is no symmetric matrix between widths.
        """
        from tpsym.report.spectrum_figures import spectrum_figure
        from tpsym.results.spectrum_asked import spectrum_study

        with _Located(self):
            return spectrum_study(self.model, self.limit_side, matrix, spectrum_figure)

    def phase_diagram(
        self, function: str, x: str, y: str, x_range: Range, y_range: Range, *, values: Values | None = None,
        resolution: int = 160, squared: bool = True,
    ) -> PhaseDiagram:
        """The phases over two parameters, in double precision; ``tpsym.report.figures.phase_figure`` draws them.

        The ranges are of x² and y² (of x and y unless ``squared``). Raises as :meth:`meanfield`, and where another
        parameter has no value.
        """
        from tpsym.results.meanfield_networks import network_phases

        found = self.meanfield(function, values=values)
        with _Located(self):
            return network_phases(found, x, y, (x_range, y_range), resolution=resolution, squared=squared)

    def evaluate(self, expression: str, *, digits: int = 15) -> str:
        """A limit-side expression such as ``"E[tanh(g)^2]"`` as a decimal number with certified digits.

        Raises:
            TpError: a parameter has no value; the expression is no number.
        """
        return evaluate(self, expression, digits=digits)

    def __repr__(self) -> str:
        kinds = [type(statement) for statement in self.file.statements]
        asked = f"{kinds.count(tree.Derive)} derive, {kinds.count(tree.Claim)} claim"
        title = self.file.title.text if self.file.title else ""
        return f"<tpsym program {self.filename or title or 'without title'!r}: {asked}>"

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
        if isinstance(error, TpError) and (error.source is None or error.filename is None):
            raise error.located(source=self.program.source, filename=self.program.filename) from None


def load(path: str | Path, *, settings: Settings = NOTHING) -> Program:
    """Read a ``.tp`` file.

    Raises:
        TpError: the file cannot be read or parsed.
    """
    return Program(read(path), str(path), _parsed(settings))


def parse(text: str, *, filename: str | None = None, settings: Settings = NOTHING) -> Program:
    """Parse the text of a ``.tp`` file; ``filename`` is what messages call it.

    Raises:
        TpError: the text does not follow the grammar; all mistakes found, each with its place.
    """
    return Program(parse_text(text, filename=filename), filename, _parsed(settings))


def _parsed(settings: Settings) -> dict[str, tree.Expr]:
    given = {name: v for name, v in settings.items() if isinstance(v, tree.Expr)}
    return given | parse_settings(f"{name}={v}" for name, v in settings.items() if name not in given)


def derivation(program: Program) -> tuple[Report, tuple[Diagnostic, ...]]:
    """The report on every ``derive`` and claim, and what could not be answered."""
    from tpsym.report.document import Report
    from tpsym.results.derive import derive as answer
    from tpsym.results.derive import notation

    check(program)
    with _Located(program):
        derived = answer(program.model, program.limit_side)
        claims = claim_results(program)
    model = program.model
    report = Report(model.title, program.filename or "", program.source, derived.answers, claims,
                    notation(program.limit_side))
    return report, derived.refused


def derive(program: Program) -> Report:
    """The derivation of everything the file asks for; shows itself in a notebook.

    Questions without an answer are warned about, as long as there is one that has.

    Raises:
        TpError: a question makes no sense, or none has an answer.
    """
    report, refused = derivation(program)
    if refused and not report.answers:
        raise TpError(refused, program.source, program.filename)
    for diagnostic in refused:
        warnings.warn(diagnostic.render(source=program.source, filename=program.filename), stacklevel=2)
    return report


def _typeset(answer: Answer, notation: Notation) -> str:
    """An answer with its where-clause as LaTeX."""
    from tpsym.report.contents import sections
    from tpsym.report.markdown_document import display

    return display(sections([answer])[0].blocks[0], notation)


def claim_results(program: Program) -> tuple[ClaimResult, ...]:
    """The verdict on every claim of the file."""
    from tpsym.verify.claims import verify as decide

    check(program)
    with _Located(program):
        return decide(program.model, program.limit_side)


def verify(program: Program) -> Verdicts:
    """The verdicts, one per claim; shows itself as a table in a notebook."""
    from tpsym.report.verdicts import Verdicts

    return Verdicts(program.filename or "", claim_results(program))


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
    return program._unavailable


def evaluate(program: Program, expression: str, *, digits: int = 15) -> str:
    """A limit-side expression as a decimal number with certified digits."""
    from tpsym.results.numbers import evaluate as value_of

    node = parse_expression(expression)
    with _Located(program):
        overrides = evaluated(program.settings)
    try:
        return value_of(program.model, program.limit_side, node, overrides=overrides, digits=digits)
    except TpError as error:
        if error.source is None:
            raise error.located(source=expression, filename="<expression>") from None
        raise error.located(source=program.source, filename=program.filename) from None


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

    check(program)
    with _Located(program):
        return run(program.model, program.limit_side, widths=widths, seeds=seeds, progress=progress,
                   overrides=evaluated(program.settings))


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
