"""Expectations at finite n: products of traces, sums over indices, sums of coordinates; exact functions of n."""

from __future__ import annotations

from tpsym.exact.edgeworth import edgeworth_polynomials
from tpsym.exact.graphs import Entry, Graph, Vertex, expected_graph, expected_graphs
from tpsym.exact.pairings import Gluing, gluings
from tpsym.exact.partitions import Blocks, moment_by_blocks
from tpsym.exact.recursions import goe_moment, gue_moment
from tpsym.exact.sums import cumulants_of, expected_sums, moments_of
from tpsym.exact.traces import expected_trace, expected_traces
from tpsym.exact.wigner import wigner_moment

__all__ = [
    "Blocks", "Entry", "Gluing", "Graph", "Vertex", "cumulants_of", "edgeworth_polynomials", "expected_graph",
    "expected_graphs", "expected_sums", "expected_trace", "expected_traces", "gluings", "goe_moment", "gue_moment",
    "moment_by_blocks", "moments_of", "wigner_moment",
]
