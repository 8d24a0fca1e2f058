"""The sources of the rules, read from ``references.bib`` beside this file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "v": "\u030c",
    "c": "\u0327",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One entry; the fields are Unicode text, empty where the entry has none."""

    key: str
    kind: str
    author: str = ""
    title: str = ""
    venue: str = ""
    volume: str = ""
    number: str = ""
    pages: str = ""
    year: str = ""
    eprint: str = ""
    note: str = ""

    def line(self) -> str:
        """The entry in one sentence for a list of sources."""
        names = self.author.split(" and ")
        authors = self.author.replace(" and ", ", ") if len(names) < 5 else f"{names[0]} et al."
        where = self.venue + (f" {self.volume}" if self.volume else "") + (f"({self.number})" if self.number else "")
        where += f", {self.pages}" if self.pages else ""
        where = f"arXiv:{self.eprint}" if self.venue == "arXiv" else where
        where += f", arXiv:{self.eprint}" if self.eprint and self.venue != "arXiv" else ""
        return f"{authors}. {self.title}. {where}, {self.year}."


@cache
def references() -> Mapping[str, Reference]:
    """Every source by its key."""
    return MappingProxyType(parse(files(__package__).joinpath("references.bib").read_text(encoding="utf-8")))


def parse(text: str) -> dict[str, Reference]:
    """The entries of a BibTeX file without macros; anything between entries is a comment."""
    entries: dict[str, Reference] = {}
    for match in re.finditer(r"@(\w+)\s*\{\s*([^,\s}]+)\s*,", text):
        fields = _fields(text, match.end())
        venue = next((fields[k] for k in ("journal", "booktitle", "publisher", "howpublished") if k in fields), "")
        known = {k: fields[k] for k in Reference.__slots__ if k in fields and k not in ("key", "kind", "venue")}
        entries[match[2]] = Reference(match[2], match[1].lower(), venue=venue, **known)
    return entries


def _fields(text: str, at: int) -> dict[str, str]:
    fields: dict[str, str] = {}
    pattern = re.compile(r"\s*(\w+)\s*=\s*")
    while match := pattern.match(text, at):
        value, at = _value(text, match.end())
        fields[match[1].lower()] = _unicode(value)
        at = re.compile(r"\s*,?").match(text, at).end()  # type: ignore[union-attr]
    return fields


def _value(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] == '"':
        match = re.compile(r'"((?:[^"{}]|\{[^{}]*\})*)"?').match(text, at)
        assert match is not None
        return match[1], match.end()
    if text[at : at + 1] != "{":
        match = re.compile(r"[^,}\s]*").match(text, at)
        assert match is not None
        return match.group(), match.end()
    depth = 0
    for k in range(at, len(text)):
        depth += (text[k] == "{") - (text[k] == "}")
        if depth == 0:
            return text[at + 1 : k], k + 1
    return text[at + 1 :], len(text)


def _unicode(value: str) -> str:
    def accent(match: re.Match[str]) -> str:
        return unicodedata.normalize("NFC", match[2] + _ACCENTS[match[1]])

    value = re.sub(r"""\\(['`^"~]|v\b|c\b)\s*\{?(\w)\}?""", accent, value)
    return re.sub(r"\s+", " ", value.replace("{", "").replace("}", "").replace("--", "–")).strip()
