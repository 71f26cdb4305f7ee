"""Rough parts drawn towards what faces are like: locally linear embedding, part by part.

    drawing in its frame --> 21 points --> layout of the parts: robust fit to those of real faces
                        --> windows --> codes --> nearest codes of real faces, weighted
                                                    --> decoded, laid where the layout has them

A part that is not drawn is taken from the faces whose other parts are nearest. How far each part
goes is its slider's: 0 leaves the strokes as they are, 1 takes the neighbours' blend alone.

Locally linear embedding: Roweis and Saul 2000; its use on sketches: DeepFaceDrawing 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch

from vunet.face.network import COMPONENTS, PART_PX, REST_PX, FacePartsNet
from vunet.face.parts import (
    NAMES,
    PARTS,
    POINTS,
    REST,
    WINDOWS,
    centre,
    laid,
    reduced,
    soft_square,
    window,
    without_windows,
)

NEIGHBOURS = 10
SIDE = 256
"""Of the square picture in pixels."""
_RIDGE = 0.03
"""Of the weights: keeps neighbours from cancelling one another."""
_LEAST_INK = 0.012
"""Mean ink of a window or of the rest that counts as drawn."""
_OWN_PX = 2 * PART_PX
_STEADY = 0.9
"""Slider at which a part's own strokes have gone."""
_OUTLINE = slice(15, None)
"""Rows of points that lie on the outline of the face."""
_OUTLIER = 0.02
"""Residual in sides beyond which a point is likely to be misplaced."""


@dataclass(frozen=True, eq=False)
class FaceSketch:
    """A drawn face, understood."""

    ink: np.ndarray
    """(256, 256) float32 in [0, 1]: the drawing in the frame where faces lie as faces do."""
    points: np.ndarray
    """(21, 2) its points, in sides."""
    pieces: Mapping[str, np.ndarray]
    """Strokes of each of `NAMES`, (px, px) float32: windows, and the rest of the square."""
    codes: Mapping[str, np.ndarray]
    """Of each part that has strokes."""

    @property
    def drawn(self) -> frozenset[str]:
        """Parts that have strokes."""
        return frozenset(self.codes)


@dataclass(frozen=True, eq=False)
class RefinedSketch:
    """A face drawn anew."""

    ink: np.ndarray
    """(256, 256) float32 in [0, 1]."""
    points: np.ndarray
    """(21, 2), in sides."""
    shadow: np.ndarray
    """(256, 256) float32: the neighbours' blend alone, whatever the sliders."""
    guessed: tuple[str, ...]
    """Parts that were not drawn and were taken from neighbours."""
    strangeness: float
    """How far the drawing is from faces: 1 is as far as faces are from one another."""


@dataclass(frozen=True)
class Sliders:
    """How far parts go from one's own strokes (0) to their manifolds (1)."""

    amounts: Mapping[str, float] = field(default_factory=dict)
    """By part; what is not named is at `otherwise`."""
    otherwise: float = 0.5

    def of(self, name: str) -> float:
        """Of a part, from 0 to 1."""
        return float(np.clip(self.amounts.get(name, self.otherwise), 0, 1))


class Manifolds:
    """Networks and the codes of real faces. Safe to share between threads."""

    def __init__(self, net: FacePartsNet) -> None:
        """Take up networks with their codes.

        Args:
            net: With at least `NEIGHBOURS` + 1 faces.

        Raises:
            ValueError: If it holds fewer.
        """
        self.net = net.eval()
        if net.config.faces <= NEIGHBOURS:
            raise ValueError(f"{net.config.faces} faces are too few to find neighbours among")
        codes = net.codes.float() * net.steps + net.offsets
        widths = [net.config.part_dim] * len(PARTS) + [net.config.rest_dim]
        split = torch.split(codes, widths, 1)
        self.codes = {name: c.numpy() for name, c in zip(NAMES, split, strict=True)}
        """Of each part: (N, dim)."""
        self._scale = {
            n: float(c.std(0).mean()) * np.sqrt(c.shape[1]) for n, c in self.codes.items()
        }
        layout = net.layout.double().numpy()
        self._mean, self._axes = layout[0], layout[2:]
        self._spread, self._noise = layout[1, :COMPONENTS], float(layout[1, COMPONENTS])

    # what is drawn

    def points_of(self, ink: np.ndarray) -> tuple[np.ndarray, float]:
        """The points (21, 2) of a square drawing in sides, and how unsure they are, in sides."""
        tensor = torch.from_numpy(reduced(ink, REST_PX)[None, None].astype(np.float32))
        with torch.inference_mode():
            points, spread = self.net.points(tensor)
        return points[0].numpy().astype(np.float64), float(spread.median())

    def read(self, ink: np.ndarray, points: np.ndarray | None = None) -> FaceSketch:
        """Understand a drawing.

        Args:
            ink: (256, 256) float32 in [0, 1], a face that lies as faces do.
            points: (21, 2) where its points are known; None finds them.
        """
        if points is None:
            points, _ = self.points_of(ink)
        pieces = window_pieces(ink, points)
        drawn = {n: piece for n, piece in pieces.items() if piece.mean() > _LEAST_INK}
        own = {p.name: window(ink, centre(p, points), p.side, _OWN_PX) for p in PARTS}
        own[REST] = without_windows(ink, points)
        return FaceSketch(ink, points, own, self.net.coded(drawn))

    def with_part(self, sketch: FaceSketch, name: str, other: FaceSketch) -> FaceSketch:
        """A face with another's part, where its own is."""
        points = sketch.points.copy()
        if name in WINDOWS:
            rows = list(WINDOWS[name].rows)
            own, theirs = points[rows], other.points[rows]
            points[rows] = theirs + own.mean(0) - theirs.mean(0)
        codes = {n: c for n, c in sketch.codes.items() if n != name}
        if name in other.codes:
            codes[name] = other.codes[name]
        pieces = {**sketch.pieces, name: other.pieces[name]}
        return FaceSketch(composed(pieces, points), points, pieces, codes)

    def morphed(
        self, sketch: FaceSketch, other: FaceSketch, shares: Mapping[str, float]
    ) -> FaceSketch:
        """A face whose parts are on the way to another's.

        Args:
            sketch: The face.
            other: The other.
            shares: By part: from 0 (as it is) to 1 (the other's); what is not named stays.
        """
        whole = float(np.mean([shares.get(name, 0.0) for name in NAMES]))
        points = sketch.points + whole * (other.points - sketch.points)
        codes, pieces = dict(sketch.codes), dict(sketch.pieces)
        blends = [self.projected(one)[0] for one in (sketch, other)]
        for name in NAMES:
            share = shares.get(name, 0.0)
            if share <= 0:
                continue
            ends = [
                one.codes.get(name, b[name]) for one, b in zip((sketch, other), blends, strict=True)
            ]
            codes[name] = ends[0] + share * (ends[1] - ends[0])
            # strokes do not blend: the part on the way is drawn by its coder
            pieces[name] = self.net.drawn(name, codes[name])
            if name in WINDOWS:
                rows = list(WINDOWS[name].rows)
                step = other.points[rows] - sketch.points[rows]
                points[rows] = sketch.points[rows] + share * step
        return FaceSketch(composed(pieces, points), points, pieces, codes)

    # towards real faces

    def projected(
        self,
        sketch: FaceSketch,
        without: frozenset[int] = frozenset(),
        *,
        stray: float = 0.0,
        seed: int = 0,
    ) -> tuple[dict[str, np.ndarray], float]:
        """Each part's blend of its neighbours, drawn or not, and how strange the drawing is.

        Args:
            sketch: From `read`.
            without: Rows of faces that must not be neighbours.
            stray: How far blends stray towards some of the neighbours, from 0 to 1.
            seed: Decides to which.
        """
        rng = np.random.default_rng(seed)
        allowed = np.ones(self.net.config.faces, bool)
        allowed[list(without)] = False
        total = np.zeros(self.net.config.faces)
        blends: dict[str, np.ndarray] = {}
        strange = []
        for name in NAMES:
            if name not in sketch.drawn:
                continue
            codes, own = self.codes[name], sketch.codes[name]
            apart = np.linalg.norm(codes - own, axis=1) / self._scale[name]
            total += apart**2
            near = _nearest(apart, allowed, NEIGHBOURS)
            strange.append(apart[near[0]])
            weights = local_weights(codes[near], own)
            if stray > 0:
                weights = weights + stray * (rng.dirichlet(np.full(NEIGHBOURS, 0.3)) - weights)
            blends[name] = weights @ codes[near]
        # those parts that are not there come from faces whose other parts are alike
        near = _nearest(total, allowed, NEIGHBOURS)
        shares = np.exp(-0.5 * (total[near] - total[near[0]]) / max(1e-6, total[near].std()))
        if stray > 0:
            shares = shares * rng.dirichlet(np.full(NEIGHBOURS, 0.5))
        for name in NAMES:
            if name not in blends:
                blends[name] = (shares / shares.sum()) @ self.codes[name][near]
        return blends, float(np.mean(strange)) if strange else 9.0

    def layout(self, sketch: FaceSketch) -> np.ndarray:
        """Points (21, 2) of a face whose parts lie where faces have them.

        A face is the mean and a few components, each as large as among real faces; points that do
        not fit count less (iteratively reweighted least squares).
        """
        own = sketch.points.reshape(-1)
        rows = np.ones(len(POINTS))
        for part in PARTS:
            if part.name not in sketch.drawn:
                rows[list(part.rows)] = 0.05
        if REST not in sketch.drawn:
            rows[_OUTLINE] = 0.05
        weight = rows.copy()
        fitted = own
        for _ in range(6):
            w = np.repeat(weight, 2) / self._noise**2
            precision = (self._axes * w) @ self._axes.T + np.diag(1 / self._spread**2)
            amounts = np.linalg.solve(precision, (self._axes * w) @ (own - self._mean))
            fitted = self._mean + amounts @ self._axes
            off = np.linalg.norm((own - fitted).reshape(-1, 2), axis=1)
            weight = rows / (1 + (off / _OUTLIER) ** 2)
        return fitted.reshape(-1, 2)

    def refine(
        self,
        sketch: FaceSketch,
        sliders: Sliders | None = None,
        *,
        without: frozenset[int] = frozenset(),
        stray: float = 0.0,
        seed: int = 0,
    ) -> RefinedSketch:
        """The drawing, drawn towards real faces.

        Args:
            sketch: From `read`.
            sliders: How far each part goes.
            without: Rows of faces that must not be neighbours.
            stray: How far blends stray towards some of the neighbours, from 0 to 1: other faces
                that the drawing may have meant.
            seed: Decides to which.
        """
        sliders = sliders or Sliders()
        blends, strange = self.projected(sketch, without, stray=stray, seed=seed)
        proper = self.layout(sketch)
        points = sketch.points.copy()
        for part in PARTS:
            amount = sliders.of(part.name) if part.name in sketch.drawn else 1.0
            step = centre(part, proper) - centre(part, sketch.points)
            rows = list(part.rows)
            points[rows] += min(1.0, amount / _STEADY) * step
        pieces: dict[str, np.ndarray] = {}
        for name in NAMES:
            amount, code = sliders.of(name), blends[name]
            if name not in sketch.drawn:
                amount = 1.0 if amount > 0 else 0.0  # at 0 nothing is added to one's strokes
            else:
                code = sketch.codes[name] + amount * (code - sketch.codes[name])
            shown = min(1.0, amount / _STEADY)
            new = self.net.drawn(name, code) if shown > 0 else None
            own = sketch.pieces[name]
            pieces[name] = own if new is None else _mixed(own, new, shown)
        ink = composed(pieces, points)
        shadow = composed({n: self.net.drawn(n, blends[n]) for n in NAMES}, proper)
        if all(sliders.of(name) == 0 for name in NAMES):
            ink = sketch.ink
        guessed = tuple(n for n in NAMES if n not in sketch.drawn)
        return RefinedSketch(ink, points, shadow, guessed, strange)


def composed(pieces: Mapping[str, np.ndarray], points: np.ndarray) -> np.ndarray:
    """(256, 256) float32 ink of all parts, each laid where the points have it.

    Args:
        pieces: Of each of `NAMES`, square, of any size.
        points: (21, 2) in sides.
    """
    rest = pieces[REST]
    if rest.shape[0] != SIDE:
        rest = cv2.resize(rest, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    # windows overlap, and the rest fades out where they fade in: shares add up to 1
    parts, total = np.zeros((SIDE, SIDE), np.float32), np.full((SIDE, SIDE), 1e-6, np.float32)
    most = np.zeros((SIDE, SIDE), np.float32)
    for part in PARTS:
        piece, middle = pieces[part.name], centre(part, points)
        soft = laid(soft_square(piece.shape[0]), middle, part.side, SIDE)
        parts += soft * laid(piece, middle, part.side, SIDE)
        total += soft
        np.maximum(most, soft, out=most)
    within = np.clip(2 * most - 1, 0, 1)  # of the rest nothing is wanted here
    found = rest * (1 - within) + parts * (most / total)
    return np.clip(found, 0, 1).astype(np.float32)


def local_weights(neighbours: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Weights (K,), adding up to 1, whose blend of neighbours (K, D) is nearest to `own` (D,).

    Regularised as usual, by a share of the Gram matrix' trace.
    """
    apart = neighbours - own
    gram = apart @ apart.T
    gram += np.eye(len(gram)) * (_RIDGE * np.trace(gram) + 1e-9)
    weights = np.linalg.solve(gram, np.ones(len(gram)))
    return weights / weights.sum()


def _nearest(apart: np.ndarray, allowed: np.ndarray, count: int) -> np.ndarray:
    order = np.argsort(np.where(allowed, apart, np.inf), kind="stable")
    return order[:count]


def _mixed(own: np.ndarray, new: np.ndarray, shown: float) -> np.ndarray:
    """One's own strokes fading into new ones, at the size of one's own."""
    if new.shape != own.shape:
        new = cv2.resize(new, own.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return own + shown * (new - own)


def window_pieces(ink: np.ndarray, points: np.ndarray) -> dict[str, np.ndarray]:
    """What the coders see of a drawing (256, 256): each part's square, right eyes mirrored."""
    found = {p.name: window(ink, centre(p, points), p.side, PART_PX) for p in PARTS}
    found["right-eye"] = found["right-eye"][:, ::-1]
    return {**found, REST: reduced(without_windows(ink, points), REST_PX)}
