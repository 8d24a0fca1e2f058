"""The sources: both copies equal, every entry complete, every key a rule cites present."""

from __future__ import annotations

import re
from pathlib import Path

import tpsym
from tpsym.report.bibliography import parse, references

PACKAGE = Path(tpsym.__file__).parent


def test_the_packaged_copy_is_the_master_copy() -> None:
    master = PACKAGE.parent / "references.bib"
    assert master.read_bytes() == (PACKAGE / "report" / "references.bib").read_bytes()


def test_entries_are_complete() -> None:
    assert len(references()) >= 25
    for key, entry in references().items():
        assert entry.author, key
        assert entry.title, key
        assert entry.venue, key
        assert entry.note, key
        assert re.fullmatch(r"\d{4}", entry.year), key
        assert not re.search(r"[{}\\]", entry.line() + entry.note), key


def test_every_source_in_the_code_resolves() -> None:
    cited = {
        key
        for path in PACKAGE.rglob("*.py")
        for key in re.findall(r"@rule\([^)]*source=\"([^\"]+)\"", path.read_text(encoding="utf-8"))
    }
    assert cited <= set(references())


def test_parser_is_tolerant() -> None:
    text = 'junk @Article{ Key1,\n author = "A. B{\\"o}hm" , title={The {L}aw}, year=1999\n} @book{K2, title = {Open'
    entries = parse(text)
    assert entries["Key1"].author.startswith("A. B")
    assert entries["Key1"].title == "The Law"
    assert "K2" in entries


def test_accents() -> None:
    assert references()["Jacot2018"].author.endswith("Clément Hongler")
    assert "Marčenko" in references()["MarchenkoPastur1967"].author
