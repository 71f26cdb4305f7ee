"""Trousers and shoes for people whose photo ends above theirs, in whatever colours they are to be.

    photo of half a body --> which legs it does not show ----------+
    latents (prior or photo) --> colours of trousers and shoes ----+--> a rendered person's legs,
    rendered people (this folder) --> cloth and leather, no colour +    dyed, carried like a photo's

A network's painting of legs that it has never seen is a smear; folds and soles of somebody else's,
in its colours, are not. They are told as invented. The people are renders made for this project
(MakeHuman bodies and garments, CC0 1.0) and given away likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from pose import Pose
from pose.formats import read_poses
from pose.retarget import body_scale
from vunet.images import read_image
from vunet.render import Subject

FOLDER = Path(__file__).parent
_SIDE = 0.18
"""Width of the hips in body scales below which legs are seen from the side."""
_DARKEST, _BRIGHTEST = 22.0, 214.0
"""Bounds of the mean of dyed cloth: beyond them no fold would show."""
_SKIN = 13.0
"""Difference of colours, CIELAB with light counted half, below which a leg is bare."""
_FOLDS = 0.9
"""Exponent of light and shade in the cloth."""


@dataclass(frozen=True, eq=False)
class Outfit:
    """A person whose trousers and shoes can be lent."""

    subject: Subject
    trousers: np.ndarray
    """(H, W) float32 in [0, 1], where they are."""
    shoes: np.ndarray
    """(H, W) the same."""


def outfit_for(pose: Pose) -> Outfit:
    """The outfit whose legs are seen from where a complete BODY27 pose's are."""
    hips = pose.point("left_hip")[0] - pose.point("right_hip")[0]
    turned = float(hips) / body_scale(pose)
    if abs(turned) > _SIDE:
        return _outfit("front" if turned > 0 else "back")
    side = _outfit("side")
    return side if _toes(pose) * _toes(side.subject.pose) >= 0 else _mirrored(side)


def _toes(pose: Pose) -> float:
    """How far to the right the feet point."""
    sides = ("left", "right")
    return sum(float(pose.point(f"{s}_foot_index")[0] - pose.point(f"{s}_ankle")[0]) for s in sides)


def _mirrored(worn: Outfit) -> Outfit:
    image, mask, trousers, shoes = (
        np.ascontiguousarray(x[:, ::-1])
        for x in (worn.subject.image, worn.subject.mask, worn.trousers, worn.shoes)
    )
    return Outfit(Subject(image, mask, worn.subject.pose.flipped()), trousers, shoes)


@cache
def _outfit(name: str) -> Outfit:
    """NAME.jpg is the person; NAME.png their mask, trousers and shoes; NAME.json their pose."""
    image = read_image(FOLDER / f"{name}.jpg")
    layers = read_image(FOLDER / f"{name}.png").astype(np.float32) / 255
    (pose,) = read_poses(FOLDER / f"{name}.json")
    return Outfit(Subject(image, layers[..., 0], pose), layers[..., 1], layers[..., 2])


def dyed(worn: Outfit, trousers: np.ndarray, shoes: np.ndarray) -> Subject:
    """The person with trousers and shoes of other colours, folds and seams as they were.

    Args:
        worn: What they wear.
        trousers: (3,) RGB in [0, 255], the mean that their trousers are to have.
        shoes: (3,) the same.
    """
    image = worn.subject.image.astype(np.float32)
    light = image.mean(2)
    for where, colour in ((worn.trousers, trousers), (worn.shoes, shoes)):
        mean = float((light * where).sum() / max(1.0, float(where.sum())))
        folds = (np.maximum(light, 1) / max(1.0, mean)) ** _FOLDS
        cloth = folds[..., None] * np.clip(colour, _DARKEST, _BRIGHTEST).astype(np.float32)
        image += where[..., None] * (cloth - image)
    image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return Subject(image, worn.subject.mask, worn.subject.pose)


def is_skin(colour: np.ndarray, skin: np.ndarray) -> bool:
    """Whether a leg's mean colour (3,) is that of a head (3,), both RGB in [0, 255]."""
    both = np.stack([colour, skin])[None].astype(np.float32) / 255
    lab = cv2.cvtColor(np.clip(both, 0, 1), cv2.COLOR_RGB2LAB)[0]
    return bool(np.linalg.norm((lab[0] - lab[1]) * [0.5, 1, 1]) < _SKIN)
