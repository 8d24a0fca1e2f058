"""A layered layout of an acyclic graph: longest-path layers, barycentre ordering, routed long edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import networkx as nx

GAP, LEVEL, MARGIN = 18.0, 62.0, 14.0
SWEEPS = 8
LONGEST = 40
"""Layers an edge may cross with a place kept free for it; a longer one runs straight."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its centre."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes by node, polylines by edge, the size of the whole."""

    boxes: Mapping[int, Box]
    paths: Mapping[tuple[int, int], list[tuple[float, float]]]
    width: float
    height: float


Slot = tuple[int, int, int]
"""``(node, -1, layer)``, or ``(tail, head, layer)`` where an edge crosses a layer."""


def arrange(
    nodes: Sequence[int], edges: Sequence[tuple[int, int]], sizes: Mapping[int, tuple[float, float]]
) -> Drawing:
    """Places for nodes of the given (width, height) so that every edge points down."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(nodes)
    graph.add_edges_from(edges)
    layer = _layers(graph)
    routes = {edge: _route(edge, layer) for edge in graph.edges}
    rows = _order(layer, routes)
    x = _coordinates(rows, routes, sizes)
    left = min((x[s] - _width(s, sizes) / 2 for row in rows for s in row), default=0.0)
    right = max((x[s] + _width(s, sizes) / 2 for row in rows for s in row), default=0.0)
    shift = MARGIN - left
    boxes = {n: Box(x[(n, -1, k)] + shift, MARGIN + 20 + LEVEL * k, *sizes[n]) for n, k in layer.items()}
    paths = {edge: _path(edge, route, boxes, x, shift) for edge, route in routes.items()}
    height = 2 * MARGIN + 40 + LEVEL * (len(rows) - 1 if rows else 0)
    return Drawing(boxes, paths, right - left + 2 * MARGIN, height)


def _layers(graph: nx.DiGraph[int]) -> dict[int, int]:
    """Longest path from a source; sources then move down to just above their first user."""
    layer = {n: k for k, generation in enumerate(nx.topological_generations(graph)) for n in generation}
    for node in graph:
        if graph.in_degree(node) == 0 and graph.out_degree(node):
            layer[node] = min(layer[user] for user in graph.successors(node)) - 1
    return layer


def _route(edge: tuple[int, int], layer: Mapping[int, int]) -> list[Slot]:
    tail, head = edge
    first, last = layer[tail], layer[head]
    between = range(first + 1, last) if last - first <= LONGEST else range(0)
    return [(tail, -1, first), *((tail, head, k) for k in between), (head, -1, last)]


def _order(layer: Mapping[int, int], routes: Mapping[tuple[int, int], list[Slot]]) -> list[list[Slot]]:
    """The slots of every layer from left to right, with few crossings."""
    rows: list[dict[Slot, None]] = [{} for _ in range(max(layer.values(), default=-1) + 1)]
    for node in sorted(layer):
        rows[layer[node]][(node, -1, layer[node])] = None
    above: dict[Slot, list[Slot]] = {}
    below: dict[Slot, list[Slot]] = {}
    for route in routes.values():
        for a, b in pairwise(route):
            rows[a[2]].setdefault(a)
            rows[b[2]].setdefault(b)
            below.setdefault(a, []).append(b)
            above.setdefault(b, []).append(a)
    ordered = [list(row) for row in rows]
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        _sweep(ordered, above if down else below, down=down)
    return ordered


def _sweep(rows: list[list[Slot]], neighbours: Mapping[Slot, list[Slot]], *, down: bool) -> None:
    """One pass of the barycentre rule; a slot without neighbours keeps its place."""
    place = {slot: (k + 0.5) / len(row) for row in rows for k, slot in enumerate(row)}
    for index in range(len(rows)) if down else reversed(range(len(rows))):
        row = rows[index]
        keys = {
            slot: sum(place[o] for o in others) / len(others) if (others := neighbours.get(slot)) else place[slot]
            for slot in row
        }
        row.sort(key=lambda slot: keys[slot])
        place.update({slot: (k + 0.5) / len(row) for k, slot in enumerate(row)})


def _width(slot: Slot, sizes: Mapping[int, tuple[float, float]]) -> float:
    return sizes[slot[0]][0] if slot[1] < 0 else 4.0


def _coordinates(
    rows: list[list[Slot]],
    routes: Mapping[tuple[int, int], list[Slot]],
    sizes: Mapping[int, tuple[float, float]],
) -> dict[Slot, float]:
    """Horizontal places: rows packed and centred, then drawn towards their neighbours in order."""
    x: dict[Slot, float] = {}
    linked: dict[Slot, list[Slot]] = {}
    for route in routes.values():
        for a, b in pairwise(route):
            linked.setdefault(a, []).append(b)
            linked.setdefault(b, []).append(a)
    for row in rows:
        total = sum(_width(s, sizes) + GAP for s in row)
        at = -total / 2
        for slot in row:
            x[slot] = at + _width(slot, sizes) / 2
            at += _width(slot, sizes) + GAP
    for sweep in range(6):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            _relax(row, linked, x, sizes)
    return x


def _relax(
    row: list[Slot],
    linked: Mapping[Slot, list[Slot]],
    x: dict[Slot, float],
    sizes: Mapping[int, tuple[float, float]],
) -> None:
    """Move every slot of a row towards the mean of its neighbours without overtaking or overlapping."""
    wish = [sum(x[o] for o in others) / len(others) if (others := linked.get(s)) else x[s] for s in row]
    forward, backward = list(wish), list(wish)
    gaps = [(_width(a, sizes) + _width(b, sizes)) / 2 + GAP for a, b in pairwise(row)]
    for k, gap in enumerate(gaps):
        forward[k + 1] = max(wish[k + 1], forward[k] + gap)
    for k in range(len(gaps) - 1, -1, -1):
        backward[k] = min(wish[k], backward[k + 1] - gaps[k])
    # The mean of a leftmost and a rightmost admissible placement is admissible.
    for slot, a, b in zip(row, forward, backward, strict=True):
        x[slot] = (a + b) / 2


def _path(
    edge: tuple[int, int],
    route: list[Slot],
    boxes: Mapping[int, Box],
    x: Mapping[Slot, float],
    shift: float,
) -> list[tuple[float, float]]:
    tail, head = boxes[edge[0]], boxes[edge[1]]
    between = [(x[s] + shift, MARGIN + 20 + LEVEL * s[2]) for s in route[1:-1]]
    return [(tail.x, tail.y + tail.height / 2), *between, (head.x, head.y - head.height / 2)]
