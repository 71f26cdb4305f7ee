"""What the tab *Face* asks of the engine: drawings read once, other faces' parts, pictures.

    strokes, or a picture's file --> Faces.understood --> Faces.painted --> picture
    pictures of other faces -------------^                     ^
    photo whose look it gets ----------------------------------+

Knows nothing of the page's fields.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from apps.errors import UsageError
from apps.pad import SIZE
from apps.studio import Studio
from vunet.checkpoint import (
    file_sha256,
    list_weights,
    load_face_parts,
    read_config,
    resolve_weights,
)
from vunet.config import DrawingConfig
from vunet.drawing.painter import DRAWING_PX, DrawnPicture, Look
from vunet.drawing.sheet import DrawingError, is_drawn
from vunet.engine import VARIED
from vunet.face.directions import Directions, load_directions
from vunet.face.manifolds import SIDE, RefinedSketch, Sliders
from vunet.face.painter import DrawnFace, FacePainter
from vunet.face.parts import soft_square
from vunet.gallery.framing import cut
from vunet.images import read_image

MODEL, PARTS = "face", "face-parts"
"""Weights of the tab, unless others are given."""
_FAINT = 0.08
"""Ink of a shadow that is none: faces that are blended leave a haze."""


@dataclass(frozen=True)
class FaceWeights:
    """Weights that paint drawn faces, with their manifolds."""

    model: str
    """Name, file or run folder, as the engine takes it."""
    parts: str
    directions: Directions | None
    """Named directions of their looks, where these are known."""


def face_weights(
    model: str | Path | None = None, parts: str | Path | None = None
) -> FaceWeights | None:
    """Weights that paint drawn faces.

    Args:
        model: Name, file or run folder; None takes `MODEL`.
        parts: Of the manifolds; None takes `PARTS`.

    Returns:
        None if none are given and the project ships without them.

    Raises:
        WeightsError: If one of those given cannot be read.
        UsageError: If the model paints no faces.
    """
    shipped = {info.name for info in list_weights()}
    if model is None and parts is None and not {MODEL, PARTS} <= shipped:
        return None
    model, parts = model or MODEL, parts or PARTS
    path, sha256 = resolve_weights(model)
    config = read_config(path)
    if not isinstance(config, DrawingConfig) or not config.faces:
        raise UsageError(f"{path}: these weights paint no faces; give others as --face-model")
    load_face_parts(parts)
    return FaceWeights(str(model), str(parts), load_directions(sha256 or file_sha256(path)))


@dataclass(frozen=True)
class Taken:
    """What a face takes from another one."""

    path: str
    """Of a drawing or a photo."""
    parts: tuple[str, ...]
    """Some of `vunet.face.parts.NAMES`."""
    share: float | None = None
    """How far they go there, from 0 to 1; None copies them."""


@dataclass(frozen=True)
class FaceWishes:
    """What a visitor asks of a face besides its drawing."""

    sliders: Sliders = field(default_factory=Sliders)
    taken: tuple[Taken, ...] = ()
    """One after the other."""
    like: str | None = None
    """Path of the photo whose look it gets."""
    strength: float = 1.0
    temperature: float = 1.0
    seed: int = 0
    directions: Mapping[str, float] = field(default_factory=dict)
    match_eyes: bool = True


@dataclass(frozen=True, eq=False)
class Understood:
    """A drawing with what was taken from other faces, and drawn towards real ones."""

    face: DrawnFace
    refined: RefinedSketch


class Faces:
    """The engine's face painter for the page; the last drawings and photos are kept."""

    def __init__(self, studio: Studio, weights: FaceWeights) -> None:
        self._studio, self.weights = studio, weights
        # gradio names an upload's folder after its content: a path keeps its picture
        self._file = functools.lru_cache(maxsize=8)(self._read_file)
        self._look = functools.lru_cache(maxsize=4)(self._read_look)
        self._strokes = functools.lru_cache(maxsize=4)(self._read_strokes)

    @property
    def painter(self) -> FacePainter:
        """Loaded when first needed."""
        return self._studio.engine.face_painter(self.weights.model, self.weights.parts)

    def understood(self, drawing: str | np.ndarray, wishes: FaceWishes) -> Understood:
        """A drawing with the parts of others, refined.

        Args:
            drawing: A file's path, or (H, W, 3) uint8 RGB.
            wishes: What is asked.

        Raises:
            ValueError: A sentence, if it or another face cannot be used.
        """
        if isinstance(drawing, str):
            face = self._file(_in_use(drawing), False)
        else:
            face = self._strokes(drawing.tobytes(), drawing.shape)
        said = face.warnings
        for taken in wishes.taken:
            other = self._file(_in_use(taken.path), True)
            said += other.warnings
            if taken.share is None:
                face = self.painter.with_parts(face, dict.fromkeys(taken.parts, other))
            else:
                face = self.painter.morphed(face, other, dict.fromkeys(taken.parts, taken.share))
        face = replace(face, warnings=tuple(dict.fromkeys(said)))
        return Understood(face, self.painter.refine(face, wishes.sliders))

    def painted(
        self, seen: Understood, wishes: FaceWishes, number: int = 0, size: int = DRAWING_PX
    ) -> DrawnPicture:
        """A picture.

        Args:
            seen: From `understood`, with the same wishes.
            wishes: What is asked.
            number: Of the variation; those after the first are other faces that the drawing may
                have meant, and stray from the look.
            size: Side in pixels.
        """
        look, strength, said = None, wishes.strength, ()
        if wishes.like is not None:
            copied = tuple(
                (part, _in_use(taken.path))
                for taken in wishes.taken
                for part in taken.parts
                if taken.share is None
            )
            look, said = self._look(_in_use(wishes.like), copied)
            strength *= VARIED if number else 1
        refined = seen.refined
        if number:
            refined = self.painter.refine(
                seen.face, wishes.sliders, variation=number, seed=wishes.seed
            )
        drawn = self.painter.paint(
            seen.face,
            look,
            refined=refined,
            directions={name: amount for name, amount in wishes.directions.items() if amount},
            match_eyes=wishes.match_eyes,
            strength=strength,
            temperature=wishes.temperature,
            seed=wishes.seed + number,
            size=size,
        )
        return replace(drawn, warnings=tuple(dict.fromkeys((*drawn.warnings, *said))))

    def _read_strokes(self, data: bytes, shape: tuple[int, ...]) -> DrawnFace:
        try:
            return self.painter.read(np.frombuffer(data, np.uint8).reshape(shape))
        except DrawingError as error:
            raise DrawingError(
                "There is no face to be seen yet; go on drawing with dark lines."
            ) from error

    def _read_file(self, path: str, other: bool) -> DrawnFace:
        """A drawing, or another face, which may well be a photo."""
        picture = read_image(path)
        photo = other and not is_drawn(picture)
        try:
            face = self.painter.read_photo(picture) if photo else self.painter.read(picture)
        except DrawingError as error:
            raise DrawingError(f"{path}: {error}") from error
        if not other:
            return face
        return replace(face, warnings=tuple(f"{path}: {text}" for text in face.warnings))

    def _read_look(
        self, path: str, copied: tuple[tuple[str, str], ...]
    ) -> tuple[Look, tuple[str, ...]]:
        return self.painter.look(
            read_image(path), {part: self._file(other, True) for part, other in copied}
        )


def _in_use(path: str) -> str:
    """A path whose file `apps.tidy` leaves."""
    os.utime(path)
    return path


def shadow_of(seen: Understood) -> np.ndarray:
    """(H, W) uint8 ink of the faces nearest to what is drawn, where it lies on the pad's paper."""
    x0, y0, x1, _ = seen.face.frame
    height, width = SIZE
    scale = SIDE / (x1 - x0)
    paper = (-x0 * scale, -y0 * scale, (width - x0) * scale, (height - y0) * scale)
    ink = np.clip((seen.refined.shadow - _FAINT) / (1 - _FAINT), 0, 1) * soft_square(SIDE)
    ink = np.rint(255 * ink).astype(np.uint8)
    return cut(ink, paper, SIZE, paper=0)
