"""The hair of a head that has turned: seen round a photo's face, painted where the face was.

    photo's hair above the face --> colour of the crown ----+
    photo's hair beside the face --> colour of the lengths -+-> strands from the crown down, in the
    how much its light varies ------------------------------+   light of what the network painted

What is taken for hair may be a hat or a scarf: it covers the turned head, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from pose.face import CHIN, FOREHEAD
from vunet.easing import smooth
from vunet.palette import distance_to

RIGHT_CORNER, LEFT_CORNER = 33, 263
"""Of the eyes, in the mesh."""
EARS = (454, 234)
"""Where the mesh ends before the ears, left first, as in skeletons."""
_UNLIKE_SKIN = 14.0
"""Difference of colours, CIELAB, from which what is round a face is hair."""
_SKIN = 5.0
"""Difference below which it is skin even where there is hair: an ear, a parting."""
_OF_GROUND, _OF_CROWN = 15.0, 30.0
"""Differences of colours, CIELAB: up to which what is beside a face may be the ground seen there,
and up to which lengths that may be are hair nonetheless."""
_SHINE = 0.35
"""How much of a difference in light counts where something is lighter than skin, or other hair."""
_LONG_HAIR, _SOME_HAIR = 0.4, 0.25
"""Share of what is beside a face from which hair is long, and of what is above it from which there
is any."""
_LEAST_PX = 12
_EAR = (0.12, 0.18)
"""How far beside the mesh' end, and above and below it, an ear is seen, in widths of the face."""
_FREE = 0.35
"""Share of that which is skin from which hair leaves ears free."""
_SURE = 0.85
"""How much of a pixel is the person's, where their hair is read."""
_OUTLINE = (0.06, 0.26)
"""How far inside a head's outline there is hair, in widths of the face."""
_SKULL = 1.0
"""Radius of the skull in widths of the face."""
_CONTRAST = (0.04, 0.11)
"""Bounds of how much the light of strands varies, as a share of it."""
_LIKE = 40.0
"""Difference of colours, RGB, at which what is painted lower is hardly the same hair."""
_SHADE = 0.35
"""How much of the painted light and shade remains."""
_ROUND, _ALONG = 720, 48
"""Of the raster in which strands are laid, round the crown and away from it."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Where a face lies, by its mesh: (3,) each, pixels with depth that grows from the camera."""

    sides: np.ndarray
    """(2, 3) where the mesh ends before the left and the right ear."""
    chin: np.ndarray
    forehead: np.ndarray
    up: np.ndarray
    """Unit vector from chin to forehead."""
    ahead: np.ndarray
    """Unit vector, where the face looks."""
    wide: float
    """From ear to ear."""

    @property
    def ears(self) -> np.ndarray:
        """(3,) the middle between them."""
        return self.sides.mean(0)

    def heights(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """How high pixels lie in the picture: 0 at the chin, 1 at the forehead."""
        # plain numbers leave single precision single
        (ux, uy), (cx, cy) = (self.forehead - self.chin)[:2].tolist(), self.chin[:2].tolist()
        size = max(1e-6, ux * ux + uy * uy)
        return (x - cx) * (ux / size) + (y - cy) * (uy / size)


def frame_of(mesh: np.ndarray) -> Frame:
    """The frame of a face, (468 or 478, 3)."""
    x = mesh[LEFT_CORNER] - mesh[RIGHT_CORNER]
    up = mesh[FOREHEAD] - mesh[CHIN]
    ahead = np.cross(-up, x)
    ears = mesh[list(EARS)]
    return Frame(
        ears,
        mesh[CHIN],
        mesh[FOREHEAD],
        up / max(1e-6, float(np.linalg.norm(up))),
        ahead / max(1e-6, float(np.linalg.norm(ahead))),
        float(np.linalg.norm(ears[0] - ears[1])),
    )


@dataclass(frozen=True, eq=False)
class Hair:
    """What a photo shows of somebody's hair."""

    crown: np.ndarray
    """(3,) float32 RGB above the face."""
    lengths: np.ndarray
    """(3,) beside it; the crown's colour where hair is short or tied."""
    long: bool
    contrast: float
    """How much its light varies from strand to strand, as a share of it."""


@dataclass(frozen=True, eq=False)
class _Around:
    """A photo's face and what is round it."""

    frame: Frame
    x: np.ndarray
    """(h, w) of each pixel, in the photo's."""
    y: np.ndarray
    part: np.ndarray
    """(h, w, 3) uint8 RGB."""
    lab: np.ndarray
    """(h, w, 3) float32 CIELAB."""
    person: np.ndarray
    """(h, w) in [0, 1]."""
    face: np.ndarray
    """(h, w) uint8, 1 where the mesh is."""
    height: np.ndarray
    """(h, w) see `Frame.heights`."""
    away: np.ndarray
    """(h, w) how far colours are from those of the lower face, see `unlike_skin`."""


def _around(photo: np.ndarray, person: np.ndarray, mesh: np.ndarray) -> _Around | None:
    """The surroundings of a face (468 or 478, 3); None where it is too small or off the photo."""
    frame = frame_of(mesh)
    x0, y0 = np.maximum(mesh[:, :2].min(0) - 0.5 * frame.wide, 0).astype(int)
    x1, y1 = np.ceil(mesh[:, :2].max(0) + 0.5 * frame.wide).astype(int)
    part = photo[y0:y1, x0:x1]
    if min(part.shape[:2]) < 8:
        return None
    hull = cv2.convexHull(np.rint(mesh[:, :2] - [x0, y0]).astype(np.int32))
    face = cv2.fillConvexPoly(np.zeros(part.shape[:2], np.uint8), hull, 1)
    y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
    height = frame.heights(x, y)
    lower_face = (face > 0) & (height < 0.6)
    if not lower_face.any():
        return None
    lab = cv2.cvtColor(part.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    away = unlike_skin(lab, np.median(lab[lower_face], axis=0))
    return _Around(frame, x, y, part, lab, person[y0:y1, x0:x1], face, height, away)


def hair_of(photo: np.ndarray, person: np.ndarray, mesh: np.ndarray) -> Hair | None:
    """The hair round a face; None where skin or ground is all round it.

    Args:
        photo: (H, W, 3) uint8 RGB.
        person: (H, W) in [0, 1], the person in it.
        mesh: (468 or 478, 3) their face in its pixels.
    """
    around = _around(photo, person, mesh)
    if around is None:
        return None
    frame, part, height, away = around.frame, around.part, around.height, around.away
    there = around.person > _SURE
    off = cv2.distanceTransform(1 - around.face, cv2.DIST_L2, 5)

    def grown(share: float) -> np.ndarray:
        return off <= max(1, round(share * frame.wide))

    round_it = grown(0.22) & ~grown(0.05) & (height > 0.1) & (height < 0.6)
    beside = round_it & there
    lower = grown(0.45) & ~grown(0.05) & (height > 0.0) & (height < 0.6) & there
    above = along_outline(there, frame.wide) & ~grown(0.05) & (height > 0.95)
    unlike, hair = away > _UNLIKE_SKIN, away > _SKIN
    top = _enough(above & unlike, above, _SOME_HAIR)
    crown = np.median(around.lab[above & hair], axis=0) if top else None
    own = ~of_ground(around.lab, around.person, crown)
    unlike, hair = unlike & own, hair & own
    top = top and _enough(above & unlike, above, _SOME_HAIR)
    long = _enough(beside & unlike, round_it)
    if not long and not top:
        return None

    def colour(where: np.ndarray) -> np.ndarray:
        return np.median(part[where & hair], axis=0)

    crown = colour(above if top else beside)
    lengths = colour(lower if long else above)
    contrast = contrast_of(part, (beside | above) & hair, frame.wide)
    return Hair(crown.astype(np.float32), lengths.astype(np.float32), bool(long), contrast)


def ears_free(photo: np.ndarray, person: np.ndarray, mesh: np.ndarray, hair: Hair | None) -> bool:
    """Whether skin is seen beside a face where an ear is, on either side.

    Args:
        photo: (H, W, 3) uint8 RGB.
        person: (H, W) in [0, 1], the person in it.
        mesh: (468 or 478, 3) their face in its pixels.
        hair: Their hair; None where none is seen.
    """
    if hair is not None and hair.long:
        return False
    around = _around(photo, person, mesh)
    if around is None:
        return False
    frame, there = around.frame, around.person > _SURE
    skin = around.away < _UNLIKE_SKIN
    if hair is not None:
        crown = (hair.crown[None, None] / 255).astype(np.float32)
        off = around.lab - cv2.cvtColor(crown, cv2.COLOR_RGB2LAB)
        skin &= around.away < np.linalg.norm(off * np.array([0.7, 1, 1], np.float32), axis=2)
    shown, sides = [], frame.sides
    for own, other in (sides, sides[::-1]):
        out = (own - other)[:2] / max(1e-6, float(np.linalg.norm((own - other)[:2])))
        dx, dy = around.x - own[0], around.y - own[1]
        outwards = (dx * out[0] + dy * out[1]) / frame.wide
        upwards = (dx * frame.up[0] + dy * frame.up[1]) / frame.wide
        beside = (outwards > 0) & (outwards < _EAR[0]) & (np.abs(upwards) < _EAR[1]) & there
        shown.append(float(skin[beside].mean()) if beside.sum() >= _LEAST_PX else 0.0)
    return max(shown) > _FREE


def contrast_of(picture: np.ndarray, hair: np.ndarray, wide: float) -> float:
    """How much the light of hair (H, W) bool in a picture (H, W, 3) varies, as a share of it."""
    if not hair.any():
        return _CONTRAST[0]
    light = picture.astype(np.float32).mean(2)
    even = cv2.GaussianBlur(light, (0, 0), max(0.8, 0.06 * wide))
    rough = np.abs(light / np.maximum(even, 8) - 1)[hair]
    return float(np.clip(1.5 * np.median(rough), *_CONTRAST))


def along_outline(person: np.ndarray, wide: float) -> np.ndarray:
    """(H, W) bool, what of a person (H, W) bool lies just inside their outline.

    Args:
        person: Where they are.
        wide: Width of their face in pixels.
    """
    away = cv2.distanceTransform(person.astype(np.uint8), cv2.DIST_L2, 3)
    return (away > max(1.0, _OUTLINE[0] * wide)) & (away < max(3.0, _OUTLINE[1] * wide))


def unlike_skin(lab: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """(H, W) how far colours (H, W, 3) CIELAB are from skin (3,), whose shine counts little."""
    difference = lab - skin
    difference[..., 0] *= np.where(difference[..., 0] > 0, _SHINE, 1)
    return np.linalg.norm(difference, axis=2)


def of_ground(lab: np.ndarray, person: np.ndarray, crown: np.ndarray | None) -> np.ndarray:
    """(h, w) bool, where colours are the ground's, some of which a mask's edge takes in.

    Args:
        lab: (h, w, 3) float32 CIELAB round a head.
        person: (h, w) in [0, 1], the person.
        crown: (3,) colour of their hair above the face, where it is known: what is like that is
            hair, though the ground have that colour, too.
    """
    found = distance_to(lab, lab[person < 0.2]) < _OF_GROUND
    if crown is not None:
        off = (lab - crown) * np.array([_SHINE, 1, 1], np.float32)  # lengths lie in the shade
        found &= np.linalg.norm(off, axis=2) > _OF_CROWN
    return found


def _enough(hair: np.ndarray, of: np.ndarray, share: float = _LONG_HAIR) -> bool:
    return int(hair.sum()) >= max(_LEAST_PX, share * int(of.sum()))


def paint_hair(
    colours: np.ndarray, invented: np.ndarray, hair: Hair, amount: float, frame: Frame
) -> None:
    """Give what is painted behind a turned face the photo's hair, in place.

    Args:
        colours: (H, W, 3) float32 RGB of a drawn person.
        invented: (H, W) float32 in [0, 1], what of it is painted.
        hair: As the photo shows it.
        amount: In [0, 1], how far the head has turned.
        frame: The turned face.
    """
    centre = (frame.ears + frame.wide * (0.2 * frame.up - 0.15 * frame.ahead))[:2]
    radius = _SKULL * frame.wide
    reach = (2.4 if hair.long else 1.5) * radius
    x0, y0 = np.maximum(centre - reach, 0).astype(int)
    x1, y1 = np.ceil(centre + reach).astype(int)
    rows, columns = (np.flatnonzero((invented[y0:y1, x0:x1] > 0).any(axis)) for axis in (1, 0))
    if min(len(rows), len(columns)) < 8:
        return
    y0, y1, x0, x1 = y0 + rows[0], y0 + rows[-1] + 1, x0 + columns[0], x0 + columns[-1] + 1
    part, made = colours[y0:y1, x0:x1], invented[y0:y1, x0:x1]
    y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]].astype(np.float32)
    cx, cy = centre.tolist()
    away = np.hypot(x - cx, y - cy) / radius
    height = frame.heights(x, y)
    forward = frame.ahead[:2] / (frame.wide * max(0.3, float(np.linalg.norm(frame.ahead[:2]))))
    (fx, fy), (ex, ey) = forward.tolist(), frame.ears[:2].tolist()
    before = (x - ex) * fx + (y - ey) * fy
    share = amount * smooth((1.45 - away) / 0.45) * made
    if hair.long:  # and farther down what was painted like it
        skull = share * smooth((height - 0.3) / 0.3)
        was = (part * skull[..., None]).sum((0, 1)) / max(1e-3, float(skull.sum()))
        alike = np.exp(-((np.linalg.norm(part - was, axis=2) / _LIKE) ** 2))
        lower = smooth((2.3 - away) / 0.6) * smooth((0.4 - height) / 0.3)
        share = np.maximum(share, amount * made * alike * lower)
    else:  # above the ear, and behind it down to the nape
        lowest = 0.84 - 0.54 * smooth((0.04 - before) / 0.5)
        share *= smooth((height - lowest) / 0.22 + 0.5)
    crown = centre + frame.wide * (0.75 * frame.up - 0.45 * frame.ahead)[:2]
    even = cv2.GaussianBlur(part, (0, 0), max(0.8, 0.05 * frame.wide)).mean(2)
    mean = float((even * share).sum() / max(1e-3, float(share.sum())))
    shade = np.clip((even + 40) / (mean + 40), 0.7, 1.3) ** _SHADE
    down = smooth((0.75 - height) / 0.5)[..., None]
    colour = hair.crown + down * (hair.lengths - hair.crown)
    cx, cy = crown.tolist()
    light = shade * (1 + hair.contrast * strands(x - cx, y - cy, frame.wide))
    light *= _volume(away, (y - float(centre[1])) / radius)
    part += (share[..., None] * (colour * light[..., None] - part)).astype(np.float32)


def _volume(away: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(h, w) light on a round head: less towards its rim and below.

    Args:
        away: (h, w) distance from the middle of the skull, in its radii.
        down: (h, w) how far below it, in the same.
    """
    facing = np.sqrt(np.clip(1 - (away / 1.35) ** 2, 0, 1))
    return 0.8 + 0.24 * facing - 0.07 * np.clip(down, -1, 1)


def strands(dx: np.ndarray, dy: np.ndarray, unit: float) -> np.ndarray:
    """(h, w) float32 of mean 0 and deviation 1: strands that run away from a crown.

    Args:
        dx: (h, w) pixels from the crown, rightwards.
        dy: (h, w) the same, downwards.
        unit: Width of the face in pixels.
    """
    along = np.hypot(dx, dy) / (2.5 * unit)
    round_it = np.arctan2(dy, dx)
    waves = 0.006 * np.sin(23 * along + 3 * np.sin(9 * along))
    bent = 0.009 * np.sin(7 * along + 2 * np.sin(3 * round_it + 1))
    angle = (round_it / (2 * np.pi) + 0.5 + waves + bent) % 1
    found = cv2.remap(
        _raster(),
        (angle * _ROUND).astype(np.float32),
        (np.clip(along, 0, 1) * (_ALONG - 1)).astype(np.float32),
        cv2.INTER_LINEAR,
    )
    return found * smooth(np.hypot(dx, dy) / (0.9 * unit))  # all meet in the crown


@cache
def _raster() -> np.ndarray:
    """(along, round + 1) float32 of mean 0 and deviation 1, strands unrolled."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, _ALONG, _ROUND)).astype(np.float32)
    raster = np.zeros((_ALONG, _ROUND), np.float32)
    for layer, fine, part in zip(noise, (1.6, 5.0), (1.0, 0.6), strict=True):
        wrapped = np.tile(layer, (1, 3))
        soft = cv2.GaussianBlur(wrapped, (0, 0), sigmaX=fine, sigmaY=3.0)[:, _ROUND : 2 * _ROUND]
        raster += part * soft / soft.std()
    return np.concatenate([raster, raster[:, :1]], 1) / raster.std()
