"""The report of a program: one value that renders itself in every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tpsym.report.contents import sections
from tpsym.report.html_document import fragment, to_html
from tpsym.report.json_document import to_json
from tpsym.report.latex_document import to_latex
from tpsym.report.markdown_document import display, to_markdown
from tpsym.report.output import pdf, write
from tpsym.report.text_document import to_text
from tpsym.results.answers import Answer, ClaimResult, Notation

__all__ = ["FORMATS", "Report", "pdf", "write"]


def _no_notation() -> Notation:
    return Notation(MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Report:
    """What was asked of a program and what came out: answers with their derivations, claims with verdicts."""

    title: str
    filename: str
    source: str
    answers: tuple[Answer, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    notation: Notation = field(default_factory=_no_notation)

    def to_text(self, *, columns: int = 80, color: bool = False) -> str:
        """For a terminal of this many columns (at least 40 are used)."""
        return to_text(self, width=max(columns, 40), color=color)

    def to_markdown(self) -> str:
        """Markdown with LaTeX formulas."""
        return to_markdown(self)

    def to_latex(self) -> str:
        """A complete article for pdflatex."""
        return to_latex(self)

    def to_html(self) -> str:
        """A page that needs nothing else."""
        return to_html(self)

    def to_json(self) -> str:
        """The schema is in :func:`tpsym.report.json_document.to_json`."""
        return to_json(self)

    def _repr_html_(self) -> str:
        return fragment(self)

    def _repr_markdown_(self) -> str:
        return to_markdown(self)

    def _repr_latex_(self) -> str:
        blocks = (block for section in sections(self.answers) for block in section.blocks if block.has_equation)
        return "\n".join(f"$${display(block, self.notation)}$$" for block in blocks)


FORMATS: Mapping[str, str] = MappingProxyType(
    {"text": "to_text", "markdown": "to_markdown", "latex": "to_latex", "html": "to_html", "json": "to_json"}
)
"""Name on the command line → method of :class:`Report`."""
