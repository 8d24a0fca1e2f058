"""Published architectures as ``.tp`` files: ``names()``, ``source(name)``, ``load(name)``."""

from tpsym.zoo.catalogue import Entry, entries, entry, load, names, source

__all__ = ["Entry", "entries", "entry", "load", "names", "source"]
