"""A rough drawing of a face in, faces out: drawing, manifolds, network and eyes together."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from vunet.drawing.lines import MAPS, line_maps
from vunet.drawing.painter import DRAWING_PX, DrawnPicture, Look, Painter
from vunet.drawing.sheet import DrawingError, Sheet, is_drawn
from vunet.face.directions import Directions
from vunet.face.eyes import agreeing
from vunet.face.manifolds import SIDE, FaceSketch, Manifolds, RefinedSketch, Sliders
from vunet.face.parts import (
    NAMES,
    POINTS,
    REST,
    WINDOWS,
    centre,
    frame_of_points,
    laid,
    soft_square,
    turn,
)
from vunet.face.template import Frame, anchors, face_frame, framed
from vunet.gallery.framing import cut

if TYPE_CHECKING:
    from pose.face import FaceDetection, FaceFinder

_SMALLEST_PX = 32
_LEAST_INK = 0.002
_MOST_INK = 0.6
_ROOM = 1.12
_STRAY = 0.6
"""How far further faces of one drawing stray towards single neighbours."""
_UNSURE = 0.06
"""Spread of a drawing's points, in sides, from which it is said to show no face; crude faces stay
below 0.04."""
_TURNED = 0.12
"""A photo is mirrored where it and the drawing are turned apart by so much (geometric mean)."""
_LARGEST_PX = 1024


@dataclass(frozen=True, eq=False)
class DrawnFace:
    """A drawing or a photo of a face, understood; a source of parts, too."""

    sketch: FaceSketch
    frame: Frame
    """x0, y0, x1, y1 of the square picture in the drawing, in its pixels."""
    warnings: tuple[str, ...]
    look: Look | None = None
    """Of a photo: its pixels in the frame."""


class FacePainter:
    """The face's networks with their weights. Safe to share between threads."""

    def __init__(
        self,
        painter: Painter,
        manifolds: Manifolds,
        finder: Callable[[], FaceFinder],
        directions: Directions | None = None,
    ) -> None:
        """Take up networks.

        Args:
            painter: Paints refined sketches.
            manifolds: Refine them.
            finder: Gives what finds faces in photos; called when a photo comes.
            directions: Of the painter's looks.
        """
        self.painter, self.manifolds, self.directions = painter, manifolds, directions
        self._finder, self._lock = finder, threading.Lock()

    # reading

    def read(self, drawing: np.ndarray) -> DrawnFace:
        """Understand a drawing of a face, or a photo of one, which is traced.

        Args:
            drawing: (H, W, 3) uint8 RGB.

        Raises:
            DrawingError: If nothing is drawn, or a photo shows no face; one sentence.
        """
        height, width = drawing.shape[:2]
        if min(height, width) < _SMALLEST_PX:
            raise DrawingError(
                f"The drawing is too small ({width} x {height} pixels); "
                f"draw on at least {_SMALLEST_PX} each way."
            )
        if not is_drawn(drawing):
            face = self.read_photo(drawing)
            words = "This looks like a photo: its lines were taken as the drawing."
            return dataclasses.replace(face, warnings=(words, *face.warnings))
        scale = min(1.0, _LARGEST_PX / max(height, width))
        small = drawing
        if scale < 1:
            small = cv2.resize(drawing, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        ink = paper_ink(small)
        if ink.mean() < _LEAST_INK:
            raise DrawingError("Nothing is drawn; draw a face with dark lines on white.")
        frame, unsure = self._frame(ink)
        placed = cut_ink(ink, frame)
        points, spread = self.manifolds.points_of(placed)
        sketch = self.manifolds.read(placed, points)
        warnings = []
        if max(unsure, spread) > _UNSURE or not sketch.drawn:
            warnings.append(
                "No face was recognised in the drawing; one was made up round its lines. "
                "Draw an outline, two eyes, a nose and a mouth."
            )
        x0, y0, x1, y1 = (v / scale for v in frame)
        return DrawnFace(sketch, (x0, y0, x1, y1), tuple(warnings))

    def _frame(self, ink: np.ndarray) -> tuple[Frame, float]:
        """Where the face's square lies: found in the square round the ink, then once more."""
        columns, rows = np.flatnonzero((ink > 0.3).any(0)), np.flatnonzero((ink > 0.3).any(1))
        if not len(rows):
            columns, rows = np.arange(ink.shape[1]), np.arange(ink.shape[0])
        side = max(columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]) * _ROOM
        x, y = (columns[0] + columns[-1] + 1) / 2, (rows[0] + rows[-1] + 1) / 2
        frame = (x - side / 2, y - side / 2, x + side / 2, y + side / 2)
        spread = 0.0
        for _ in range(2):
            points, spread = self.manifolds.points_of(cut_ink(ink, frame))
            side = frame[2] - frame[0]
            frame = frame_of_points(points * side + np.array(frame[:2]))
        return frame, spread

    def read_photo(self, photo: np.ndarray) -> DrawnFace:
        """A photo (H, W, 3) uint8 RGB of a face, as a source of parts and of looks.

        Raises:
            DrawingError: If it shows no face.
        """
        with self._lock:
            faces = self._finder().find(photo)
        if not faces:
            raise DrawingError("No face was found in the photo; give one that shows a face closer.")
        return self._of_photo(photo, faces[0], len(faces))

    def _of_photo(self, photo: np.ndarray, face: FaceDetection, count: int) -> DrawnFace:
        frame = face_frame(anchors(face.points))
        side = int(np.clip(frame[2] - frame[0], SIDE, 4 * SIDE))
        picture = cut(photo, frame, (side, side))
        with self._lock:
            mask = self._finder().person(picture)
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        inside = cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        lines = line_maps(small, inside)[MAPS.index("contours")]
        ink = cv2.GaussianBlur(lines.astype(np.float32) / 255, (0, 0), 0.6)
        points = framed(face.points[list(POINTS)], frame, 1)[:, :2].astype(np.float64)
        sketch = self.manifolds.read(ink, points)
        warnings = ("The photo shows several faces; the largest was taken.",) if count > 1 else ()
        return DrawnFace(sketch, frame, warnings, Look(picture, mask, turn(points)))

    def look(
        self, photo: np.ndarray, parts: Mapping[str, DrawnFace] | None = None
    ) -> tuple[Look, tuple[str, ...]]:
        """A reference photo: its face where faces lie, and warnings.

        Args:
            photo: (H, W, 3) uint8 RGB.
            parts: By name: photos whose parts it shows instead.

        Raises:
            DrawingError: If it shows no face.
        """
        face = self.read_photo(photo)
        assert face.look is not None
        return _mixed_look(face.look, face, parts or {}), face.warnings

    # steering

    def with_parts(self, face: DrawnFace, parts: Mapping[str, DrawnFace]) -> DrawnFace:
        """A face with parts of others.

        Args:
            face: The face.
            parts: Of each part's name (one of `vunet.face.parts.NAMES`): whose it becomes.
        """
        sketch = face.sketch
        for name, other in parts.items():
            sketch = self.manifolds.with_part(sketch, name, other.sketch)
        return dataclasses.replace(face, sketch=sketch)

    def morphed(self, face: DrawnFace, other: DrawnFace, shares: Mapping[str, float]) -> DrawnFace:
        """A face whose parts, by name, are on the way to another's, from 0 (as it is) to 1."""
        sketch = self.manifolds.morphed(face.sketch, other.sketch, shares)
        return dataclasses.replace(face, sketch=sketch)

    def refine(
        self,
        face: DrawnFace,
        sliders: Sliders | None = None,
        *,
        variation: int = 0,
        seed: int = 0,
    ) -> RefinedSketch:
        """The drawing, each part drawn towards its manifold as far as its slider says.

        Args:
            face: The face.
            sliders: How far parts go.
            variation: 0 for the likeliest face, others are further faces that it may be.
            seed: Decides which those are.
        """
        stray = _STRAY if variation else 0.0
        return self.manifolds.refine(face.sketch, sliders, stray=stray, seed=seed + variation)

    def paint(
        self,
        face: DrawnFace,
        look: Look | None = None,
        *,
        sliders: Sliders | None = None,
        refined: RefinedSketch | None = None,
        directions: Mapping[str, float] | None = None,
        match_eyes: bool = True,
        strength: float = 1.0,
        temperature: float = 1.0,
        seed: int = 0,
        size: int = DRAWING_PX,
    ) -> DrawnPicture:
        """A picture of a drawn face.

        Args:
            face: From `read`, `with_parts` or `morphed`.
            look: Whose skin, hair and light it gets; None draws one by `seed`.
            sliders: How far parts go towards their manifolds.
            refined: From `refine`, if that was called already.
            directions: By name of `Directions`: how far the look goes there, in standard
                deviations; what is copied from the photo gives way to it.
            match_eyes: Whether both irises get the same colour.
            strength: How much of the photo's look.
            temperature: How far sampled looks stray.
            seed: Decides what is sampled.
            size: Side in pixels.

        Raises:
            DrawingError: If a direction is unknown.
        """
        refined = refined or self.refine(face, sliders)
        warnings = list(face.warnings)
        shift = None
        if directions:
            if self.directions is None:
                raise DrawingError("These weights have no named directions; leave them out.")
            shift = self.directions.shift(directions)
            pull = max((abs(v) for v in directions.values()), default=0.0)
            strength = strength if look is None else strength * max(0.0, 1 - pull / 2)
        if look is not None and turn(refined.points) * look.turn < -(_TURNED**2):
            look = look.mirrored()
            warnings.append("The photo's face looks the other way and was mirrored.")
        paper = np.rint(255 * (1 - np.clip(refined.ink, 0, 1))).astype(np.uint8)
        if refined.guessed and len(refined.guessed) < len(NAMES):
            words = " and ".join(name.replace("-", " ") for name in refined.guessed)
            words = words.replace(REST, "outline and hair")
            warnings.append(f"Not drawn and made up: {words}.")
        height, width = self.painter.model.config.size
        if (height, width) != paper.shape:
            paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_AREA)
        sheet = Sheet(np.repeat(paper[..., None], 3, 2), face.frame, tuple(warnings))
        drawn = self.painter.paint(
            sheet,
            look,
            strength=strength,
            temperature=temperature,
            seed=seed,
            size=size,
            shift=shift,
        )
        if not match_eyes:
            return drawn
        return dataclasses.replace(drawn, image=agreeing(drawn.image, refined.points))


def _mixed_look(look: Look, face: DrawnFace, parts: Mapping[str, DrawnFace]) -> Look:
    """A look whose parts come from other photos, where those are photos.

    Args:
        look: Of the face.
        face: Whose look it is: a photo.
        parts: By name: whose part it becomes; drawings are left out.
    """
    side = look.picture.shape[0]
    picture = look.picture.astype(np.float32)
    for name, other in parts.items():
        if other.look is None:
            continue
        theirs = cv2.resize(other.look.picture, (side, side), interpolation=cv2.INTER_LINEAR)
        if name == REST:
            keep = _inner(face.sketch.points, side)
            picture = theirs + keep[..., None] * (picture - theirs)
            continue
        part = WINDOWS[name]
        here, there = centre(part, face.sketch.points), centre(part, other.sketch.points)
        step = (here - there) * side
        matrix = np.array([[1, 0, step[0]], [0, 1, step[1]]])
        moved = cv2.warpAffine(
            theirs, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE
        ).astype(np.float32)
        mask = laid(soft_square(64), here, part.side, side)
        picture = picture + mask[..., None] * (moved - picture)
    return dataclasses.replace(look, picture=np.clip(np.rint(picture), 0, 255).astype(np.uint8))


def _inner(points: np.ndarray, side: int) -> np.ndarray:
    """(side, side) float32, 1 on the face's inside, softly."""
    hull = cv2.convexHull(np.rint(points * side).astype(np.int32))
    mask = np.zeros((side, side), np.float32)
    cv2.fillConvexPoly(mask, hull, 1)
    return cv2.GaussianBlur(mask, (0, 0), 0.02 * side)


def paper_ink(drawing: np.ndarray) -> np.ndarray:
    """How much ink a drawing has, whatever its paper.

    Args:
        drawing: (H, W, 3) uint8 RGB, darker or coloured strokes on pale paper.

    Returns:
        (H, W) float32 in [0, 1].
    """
    grey = drawing.min(axis=2).astype(np.float32)
    reach = max(3, min(drawing.shape[:2]) // 8) | 1
    small = cv2.resize(grey, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    local = cv2.dilate(small, np.ones((max(3, reach // 4),) * 2, np.uint8))
    local = cv2.GaussianBlur(local, (0, 0), max(1.0, reach / 8))
    paper = cv2.resize(local, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    # a large dark area is hair, not paper
    paper = np.maximum(paper, 0.75 * float(np.percentile(grey, 90)))
    ink = np.clip((paper - grey) / (0.75 * np.maximum(paper, 32)), 0, 1)
    ink[ink < 0.08] = 0
    return ink


def cut_ink(ink: np.ndarray, frame: Frame) -> np.ndarray:
    """(256, 256) float32, a frame's part of the ink; thin lines stay dark."""
    side = frame[2] - frame[0]
    shrink = side / SIDE
    if shrink > 1.5:  # lines of a pixel in the result, or they would fade
        reach = max(1, round(shrink * 0.6))
        ink = cv2.dilate(ink, np.ones((reach, reach), np.uint8))
    grey = np.rint(255 * ink).astype(np.uint8)
    found = cut(grey, frame, (SIDE, SIDE), paper=0).astype(np.float32) / 255
    return np.clip(found * 1.2, 0, 1)
