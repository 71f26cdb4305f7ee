"""From the network's size to the photo's: a drawn person on a canvas of any size.

The network decides at its own size (256x192) which pixel comes from where; the photo's pixels are
then fetched at the canvas's resolution, so what is copied stays as sharp as the photo. Knows
nothing of files, detectors or backgrounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import ParamSpec, TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pose import Pose
from pose.retarget import body_scale
from vunet import geometry as geo
from vunet.easing import smooth
from vunet.framing import SEEN, Window, doubt_outside, person_box, points_of, window_round
from vunet.model import Painted, Reposer, Warped

P = ParamSpec("P")
R = TypeVar("R")

_CLIP_SHARE = 0.02
_OUTLINE, _STEEP = 0.5, 3.0
"""Coverage at which the outline is drawn, and how many times as steep it is made: enlarging softens
it, and so does the network where it is not sure of it. Half and half keeps the person as wide as
people are (`_without_fringe` sees to the colours)."""
_MIXED, _UNMIXED = 0.5, 0.7
"""Least coverage round a pixel at which its painted colour is, and is no longer, taken from farther
inside. Too high, and all insides of unsure coverage are blurred."""
_SPREAD_PX = 7
"""Of the network's pixels, over which colours just inside an outline are taken."""
_NEGLIGIBLE = 0.02
_ROOM_PX = 12
"""Pixels of the network's picture round the person that are worked on."""
_CONTRAST = 4.0
"""Exponent of the parts' shares in copied pixels: two parts laid half over each other blur."""
_COARSE_PX = 2.0
"""Deviation in the network's pixels of the blur that parts coarse colours from fine detail."""
_CRISP, _CRISP_PX = 0.8, 1.0
"""How much of the fine detail of what was painted is added to it once more, and what is fine: the
deviation of a blur in the network's pixels."""
_DETAIL_FROM, _DETAIL_WHOLE = 0.2, 0.5
"""Visibility from which the photo's fine detail is taken, and at which all of it is."""
_FINER = 2.0
"""Places of the grid through which values are enlarged, per cell."""
_BESIDE = ThreadPoolExecutor(1, thread_name_prefix="vunet-beside")
_HALVES = ThreadPoolExecutor(1, thread_name_prefix="vunet-half")
_OUTLINE_SHARE = 0.001
"""Width of the outline that is not copied, as a share of a photo's longer side; a pixel or more."""
_GROUND, _NO_GROUND = 0.4, 0.8
"""Values of a mask up to which a pixel may show ground alone, and from which none of it."""
_UNMOVED_PX = 0.75
"""Pixels that are moved farther on the canvas have moved."""


def beside(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Do something on another core than the one that draws, one thing after the other.

    For all engines alike. Not to be waited for by what is itself done so.
    """
    return _BESIDE.submit(work, *args, **kwargs)


@dataclass(frozen=True, eq=False)
class Subject:
    """A person in a photo, ready for the network."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB photo."""
    mask: np.ndarray
    """(H, W) float32 in [0, 1], the person."""
    pose: Pose
    """BODY27 pose in the photo, complete."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A person on an otherwise empty canvas."""

    colour: np.ndarray
    """(H, W, 3) float32, [0, 255] and a little beyond, which is cut off in the end; meaningless
    where alpha is 0."""
    alpha: np.ndarray
    """(H, W) float32 in [0, 1]."""
    invented: np.ndarray
    """(H, W) float32 in [0, 1], share of each pixel that the network made up; 0 off the person."""
    unmoved: np.ndarray
    """(H, W) float32 in [0, 1], how surely a pixel shows what the photo shows in the same place of
    its frame; all 0 where canvas and photo have different shapes."""


def source_window(subject: Subject, size: tuple[int, int]) -> Window:
    """What the network sees of a photo."""
    points = points_of(subject.pose, subject.image.shape[:2])
    visible = points[:, 2] > SEEN
    return window_round(
        person_box(points[:, :2], visible, subject.mask, body_scale(subject.pose)), size
    )


def target_window(pose: Pose, canvas: tuple[int, int], size: tuple[int, int]) -> Window:
    """Where on a canvas (height, width) the network draws."""
    points = points_of(pose, canvas)
    height, width = canvas
    inside = (
        (points[:, 0] >= 0)
        & (points[:, 1] >= 0)
        & (points[:, 0] <= width)
        & (points[:, 1] <= height)
    )
    scale = body_scale(pose)
    x0, y0, x1, y1 = person_box(points[:, :2], inside, None, scale)
    # what lies off the canvas need not be drawn; a cut-off person fills the window
    girth = 0.16 * scale
    if not inside[[15, 16, 23, 24, 25, 26]].any():
        y1 = max(y1, min(float(height), float(points[13:17, 1].max()) + girth))
    x0, y0 = max(x0, -girth), max(y0, -girth)
    x1, y1 = min(x1, width + girth), min(y1, height + girth)
    return window_round((x0, y0, x1, y1), size)


def joints_in(window: Window, points: np.ndarray) -> Tensor:
    """(1, 21, 3) the network's joints of (27, 3) points of a picture."""
    height, width = window.size
    moved = doubt_outside(window.moved(points), (0, 0, width, height))
    return geo.joints_of(torch.from_numpy(moved)[None].float())


def subject_tensors(subject: Subject, window: Window) -> tuple[Tensor, Tensor, Tensor]:
    """Picture (1, 3, H, W) in [-1, 1], mask (1, 1, H, W) and joints (1, 21, 3) of a window."""
    crop = window.cut(subject.image)
    mask = window.cut(subject.mask)
    image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 127.5 - 1
    points = points_of(subject.pose, subject.image.shape[:2])
    return image, torch.from_numpy(mask)[None, None].float(), joints_in(window, points)


@torch.inference_mode()
def draw_latents(
    model: Reposer, latents: Tensor, pose: Pose, canvas: tuple[int, int], *, amp: bool = False
) -> list[Layer]:
    """Draw latents (B, P, Z) in a pose, with no photo to copy from."""
    device = next(model.parameters()).device
    window = target_window(pose, canvas, model.config.size)
    target = joints_in(window, points_of(pose, canvas)).to(device)
    painted = model.paint(latents.to(device), target.expand(len(latents), -1, -1), None, amp=amp)
    return [compose_layer(_one(painted, i), None, window, canvas) for i in range(len(latents))]


def _one(painted: Painted, i: int) -> Painted:
    s = slice(i, i + 1)
    return Painted(
        painted.image[s],
        painted.generated[s],
        painted.alpha_logits[s],
        painted.visibility[s],
        None,
        None,
        None,
        painted.latents[s],
        painted.tints[s],
    )


@dataclass(frozen=True, eq=False)
class Carried:
    """A photo whose pixels are carried to the new pose."""

    subject: Subject
    window: Window
    """What the network saw of the photo."""
    warped: Warped
    """What it made of that, for one picture."""
    made: tuple[int, ...] = ()
    """Parts whose pixels are not those of a photo of the subject."""


class Fetching:
    """Photos' pixels on their way to a canvas, while the network paints what they do not show."""

    def __init__(
        self, photos: Sequence[Carried], to_window: Window, canvas: tuple[int, int]
    ) -> None:
        """Begin.

        Args:
            photos: Whose pixels are fetched, each at its share; the first is the one whose frame
                the canvas may be. Empty where all is to be invented.
            to_window: Window of the canvas.
            canvas: (height, width).
        """
        self._region = region_of(to_window, canvas)
        x0, y0, x1, y1 = self._region
        if x1 <= x0 or y1 <= y0:
            photos = ()
        self._coming = [beside(_fetch, photo, to_window, canvas, self._region) for photo in photos]

    def within(self, region: tuple[int, int, int, int]) -> _Fetched | None:
        """All that came, within x0, y0, x1, y1 of the canvas; None where nothing was fetched."""
        if not self._coming:
            return None
        fetched = self._coming[0].result()
        for other in self._coming[1:]:
            fetched.add(other.result())
        self._coming = []
        x, y = self._region[:2]
        return fetched.cut(
            (slice(region[1] - y, region[3] - y), slice(region[0] - x, region[2] - x))
        )


def compose_layer(
    painted: Painted, photos: Fetching | None, to_window: Window, canvas: tuple[int, int]
) -> Layer:
    """The network's answer at the canvas's resolution.

    Args:
        painted: For one picture.
        photos: Their pixels, which can be had once; None where all is invented.
        to_window: Window of the canvas.
        canvas: (height, width).
    """
    height, width = canvas
    region = _occupied(painted, to_window, canvas)
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    invented = np.zeros((height, width), np.float32)
    unmoved = np.zeros((height, width), np.float32)
    x0, y0, x1, y1 = region
    if x1 <= x0 or y1 <= y0:
        return Layer(colour, alpha, invented, unmoved)

    def enlarge(t: Tensor, interpolation: int = cv2.INTER_CUBIC) -> np.ndarray:
        return resample(to_array(t), to_window, region, interpolation)

    coverage = torch.sigmoid(painted.alpha_logits)
    even = _without_fringe(_crisp(to_array(painted.generated)), coverage)
    part = resample(even, to_window, region, cv2.INTER_CUBIC)
    cover = enlarge(coverage)[..., 0]
    steep = float(np.clip(_STEEP / to_window.scale, 1, _STEEP))  # small canvases would alias
    cover = cv2.addWeighted(cover, steep, cover, 0, 0.5 - steep * _OUTLINE)
    np.clip(cover, 0, 1, out=cover)
    _fade_edges(cover, to_window, region)
    cover[cover < _CLIP_SHARE] = 0
    inside = (slice(y0, y1), slice(x0, x1))
    invented[inside] = cover
    seen = enlarge(painted.visibility)[..., 0]
    np.clip(seen, 0, 1, out=seen)
    fetched = None if photos is None else photos.within(region)
    if fetched is not None:
        _lay_over(part, fetched, seen, 1 / to_window.scale)
        invented[inside] -= cover * seen * (1 - fetched.carried_on)
        if fetched.unmoved is not None:
            unmoved[inside] = fetched.unmoved
    if painted.goes_on is not None and fetched is not None:
        beyond = to_array(painted.goes_on)
        left, top, right, bottom = _round_moves(beyond, to_window, region)
        if left < right and top < bottom:
            here = (slice(top - y0, bottom - y0), slice(left - x0, right - x0))
            beyond = resample(beyond, to_window, (left, top, right, bottom), cv2.INTER_LINEAR)
            share = _go_on(part[here], fetched.cut(here), beyond, 1 / to_window.scale)
            there = invented[top:bottom, left:right]
            np.maximum(there, cover[here] * share, out=there)
    alpha[inside] = cover
    colour[inside] = part
    return Layer(colour, alpha, invented, unmoved)


def _go_on(part: np.ndarray, photos: _Fetched, beyond: np.ndarray, pixel: float) -> np.ndarray:
    """Let cloth go on where no photo shows it; the share (H, W) of each pixel that it has.

    Args:
        part: (H, W, 3) float32, changed in place.
        photos: The copied pixels.
        beyond: (H, W, 3) float32 as `sides.gone_on`, in the network's pixels.
        pixel: Size of a network's pixel in pixels of these pictures.
    """
    y, x = np.indices(part.shape[:2], np.float32)
    x, y = (at + np.float32(pixel) * beyond[..., i] for i, at in enumerate((x, y)))
    found = cv2.remap(photos.total, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    there = found[..., 3] / 255
    share = np.clip(beyond[..., 2], 0, 1) * np.clip(2 * there, 0, 1)
    colour = cv2.cvtColor(found, cv2.COLOR_RGBA2RGB)
    colour = scaled(colour, 1 / np.maximum(there, np.float32(1e-3)), colour)
    part += scaled(colour - part, share)
    return share


def _round_moves(
    beyond: np.ndarray, window: Window, region: tuple[int, int, int, int]
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of a region's pixels of the canvas, between which `sides.gone_on` moves."""
    some = beyond[..., 2] > _NEGLIGIBLE
    x, y, wide, high = cv2.boundingRect(some.astype(np.uint8))
    if wide == 0:
        return region[0], region[1], region[0], region[1]
    right, down = np.abs(beyond[some][:, :2]).max(0) + 2
    left, top, right, bottom = x - right, y - down, x + wide + right, y + high + down
    return _within(region, window, (left, top, right, bottom))


def _within(
    region: tuple[int, int, int, int], window: Window, box: tuple[float, float, float, float]
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of a region of the canvas that a box of the network's picture covers."""
    return (
        max(region[0], int(window.left + box[0] / window.scale)),
        max(region[1], int(window.top + box[1] / window.scale)),
        min(region[2], int(np.ceil(window.left + box[2] / window.scale))),
        min(region[3], int(np.ceil(window.top + box[3] / window.scale))),
    )


def _crisp(painted: np.ndarray) -> np.ndarray:
    """What was painted, sharper, as enlarging softens it: (h, w, 3) in [-1, 1] to 0 to 255."""
    even = cv2.GaussianBlur(painted, (0, 0), _CRISP_PX)
    sharp = cv2.addWeighted(painted, 1 + _CRISP, even, -_CRISP, 0)
    return np.float32(127.5) * (np.clip(sharp, -1, 1) + 1)


def _occupied(
    painted: Painted, window: Window, canvas: tuple[int, int]
) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the canvas's pixels where a person is, and some more round them."""
    x0, y0, x1, y1 = region_of(window, canvas)
    covered = torch.sigmoid(painted.alpha_logits)[0, 0] > _NEGLIGIBLE
    rows, columns = (torch.nonzero(covered.any(axis)).flatten() for axis in (1, 0))
    if not len(rows):
        return x0, y0, x0, y0
    left, right = float(columns[0]) - _ROOM_PX, float(columns[-1]) + 1 + _ROOM_PX
    top, bottom = float(rows[0]) - _ROOM_PX, float(rows[-1]) + 1 + _ROOM_PX
    return _within((x0, y0, x1, y1), window, (left, top, right, bottom))


def _lay_over(painted: np.ndarray, photos: _Fetched, seen: np.ndarray, pixel: float) -> None:
    """Lay copied pixels over painted ones: colours by visibility, detail sooner and whole.

    Half a photo's weave over a smooth painting is a blurred weave; two bands blended apart (Burt &
    Adelson 1983) keep it crisp and its colours still pass softly into what is painted.

    Args:
        painted: (H, W, 3) float32, changed in place.
        photos: The copied pixels.
        seen: (H, W) float32 in [0, 1], the share that they are to have; lessened, in place, where
            they are not to be had.
        pixel: Size of a network's pixel in pixels of these pictures.
    """
    height, width = seen.shape
    difference = cv2.cvtColor(photos.total, cv2.COLOR_RGBA2RGB)

    def subtract(rows: slice) -> None:
        found = photos.found[rows]
        np.minimum(seen[rows], 2 * found, out=seen[rows])
        scaled(difference[rows], 1 / np.maximum(found, 1e-3), difference[rows])
        cv2.subtract(difference[rows], painted[rows], difference[rows])

    in_halves(subtract, height)
    step = max(1.0, _COARSE_PX * pixel)  # averaging over cells is most of the blur
    wh = (max(1, round(width / step)), max(1, round(height / step)))
    few, share = (cv2.resize(x, wh, interpolation=cv2.INTER_AREA) for x in (difference, seen))
    total = cv2.GaussianBlur(share, (0, 0), 0.9)
    small = cv2.GaussianBlur(scaled(few, share), (0, 0), 0.9)
    small = scaled(small, 1 / np.maximum(total, 0.02), small)
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)

    def add(rows: slice) -> None:
        here = seen[rows]
        sure = np.maximum(smooth((here - _DETAIL_FROM) / (_DETAIL_WHOLE - _DETAIL_FROM)), here)
        for values, factor in ((coarse, here - sure), (difference, sure)):
            scaled(values[rows], factor, values[rows])
            cv2.add(painted[rows], values[rows], painted[rows])

    in_halves(add, height)


def in_halves(work: Callable[[slice], None], rows: int) -> None:
    """Do something with all rows of a picture, half of it beside."""
    if rows < 2:
        work(slice(0, rows))
        return
    first = _HALVES.submit(work, slice(0, rows // 2))
    work(slice(rows // 2, rows))
    first.result()


def scaled(values: np.ndarray, factor: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Pixels (H, W, C) float32 times a factor each, (H, W) float32; several times numpy's speed.

    `out` takes the result, and may be `values`: fresh memory costs more than the work.
    """
    factors = cv2.merge([factor] * values.shape[2])
    return cv2.multiply(values, factors, factors if out is None else out, dtype=cv2.CV_32F)


def _fade_edges(cover: np.ndarray, window: Window, region: tuple[int, int, int, int]) -> None:
    """Let coverage (H', W') fall to 0 in the window's outermost 2 %: no trace of its border."""
    x0, y0, x1, y1 = region

    def ramp(start: int, stop: int, origin: float, extent: float) -> np.ndarray:
        place = (np.arange(start, stop) + 0.5 - origin) * window.scale / extent
        return np.clip(np.minimum(place, 1 - place) / 0.02, 0, 1).astype(np.float32)

    height, width = window.size
    down, across = ramp(y0, y1, window.top, height), ramp(x0, x1, window.left, width)
    if down.min() < 1:
        cover *= down[:, None]
    if across.min() < 1:
        cover *= across


def _without_fringe(painted: np.ndarray, coverage: Tensor) -> np.ndarray:
    """Painted colours of the outline taken from just inside it, where no ground is mixed in.

    What is copied needs none of it: of photos the outline is not copied in the first place, but of
    coarse ones, whose outlines are a pixel.

    Args:
        painted: (h, w, 3) float32.
        coverage: (1, 1, h, w) in [0, 1].
    """
    inner = to_array(-F.max_pool2d(-coverage, 3, 1, 1))[..., 0]
    sure = np.clip((inner - _MIXED) / (_UNMIXED - _MIXED), 0, 1) ** 2
    total = cv2.blur(sure, (_SPREAD_PX, _SPREAD_PX))
    spread = cv2.blur(scaled(painted, sure), (_SPREAD_PX, _SPREAD_PX))
    spread = scaled(spread, 1 / np.maximum(total, np.float32(1e-3)))
    # far from any sure pixel (thin fingers) the colour stays
    trust = np.clip(total / 0.05, 0, 1) * (1 - sure)
    return painted + scaled(spread - painted, trust)


def to_array(t: Tensor) -> np.ndarray:
    """(1, C, h, w) to (h, w, C) float32."""
    return np.ascontiguousarray(t[0].permute(1, 2, 0).float().cpu().numpy())


def region_of(window: Window, canvas: tuple[int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the canvas's pixels that the window covers."""
    height, width = window.size
    x0, y0 = max(0, int(np.floor(window.left))), max(0, int(np.floor(window.top)))
    x1 = min(canvas[1], int(np.ceil(window.left + width / window.scale)))
    y1 = min(canvas[0], int(np.ceil(window.top + height / window.scale)))
    return x0, y0, x1, y1


def resample(
    values: np.ndarray,
    window: Window,
    region: tuple[int, int, int, int],
    interpolation: int,
    border: int = cv2.BORDER_REPLICATE,
) -> np.ndarray:
    """Values (h, w, C) laid over a window -> (H', W', C) at the pixels of a canvas's region."""
    x0, y0, x1, y1 = region
    wh = (x1 - x0, y1 - y0)
    step = values.shape[1] / window.size[1] * window.scale  # cells per canvas pixel
    # The region is first laid out on a grid of its own, which whole-picture resizing, many times
    # faster than warping, then brings to size.
    few = tuple(min(side, max(1, round(_FINER * side * step))) for side in wh)
    across, down = step * wh[0] / few[0], step * wh[1] / few[1]  # cells per place of the grid
    # place's centre + 0.5 -> cell coordinates with integer centres
    matrix = np.array(
        [
            [across, 0, (x0 - window.left) * step + 0.5 * across - 0.5],
            [0, down, (y0 - window.top) * step + 0.5 * down - 0.5],
        ]
    )
    if step > 1.5:  # shrinking: average first
        values = cv2.GaussianBlur(values, (0, 0), 0.4 * step)  # symmetric, so nothing moves
    flags = interpolation | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(values, matrix, few, flags=flags, borderMode=border)
    if few != wh:
        moved = cv2.resize(moved, wh, interpolation=interpolation)
    return moved if moved.ndim == 3 else moved[..., None]


def on_canvas(
    values: Tensor,
    window: Window,
    canvas: tuple[int, int],
    interpolation: int = cv2.INTER_LINEAR,
    *,
    elsewhere: float = 0.0,
) -> np.ndarray:
    """Values (1, C, h, w) of a window at the pixels of a canvas (H, W): (H, W, C) float32."""
    laid = np.full((*canvas, values.shape[1]), elsewhere, np.float32)
    region = x0, y0, x1, y1 = region_of(window, canvas)
    if x1 > x0 and y1 > y0:
        laid[y0:y1, x0:x1] = resample(to_array(values), window, region, interpolation)
    return laid


@dataclass(eq=False)
class _Fetched:
    """Photos' pixels at the pixels of a canvas's region, summed up by their shares."""

    total: np.ndarray
    """(H', W', 4) float32 premultiplied colours and coverage in [0, 255]."""
    unmoved: np.ndarray | None
    """(H', W') how surely pixels look and lie as in the first photo, laid over the canvas; None
    where its shape is another."""
    elsewhere: np.ndarray | None
    """(H', W') float32 sum of those that no photo of the subject shows, see `Carried.made`; None
    where there are none."""

    def add(self, other: _Fetched) -> None:
        """Add another photo's pixels, before anything is asked of them."""
        self.total += other.total
        if self.elsewhere is None:
            self.elsewhere = other.elsewhere
        elif other.elsewhere is not None:
            self.elsewhere += other.elsewhere

    def cut(self, box: tuple[slice, slice]) -> _Fetched:
        """The same within some rows and columns."""
        total, *rest = (
            None if v is None else v[box] for v in (self.total, self.unmoved, self.elsewhere)
        )
        assert total is not None
        return _Fetched(total, *rest)

    @property
    def carried_on(self) -> np.ndarray | float:
        """(H', W') in [0, 1], which of the pixels found are not of that place in the photo."""
        if self.elsewhere is None:
            return 0.0
        return np.clip(self.elsewhere / np.maximum(self.found, 1e-3), 0, 1)

    @cached_property
    def found(self) -> np.ndarray:
        """(H', W') how surely the photos show each pixel."""
        return cv2.extractChannel(self.total, 3) * np.float32(1 / 255)


@torch.inference_mode()
def _fetch(
    carried: Carried,
    to_window: Window,
    canvas: tuple[int, int],
    region: tuple[int, int, int, int],
) -> _Fetched:
    """One photo's pixels at the canvas's resolution."""
    subject, from_window, warped = carried.subject, carried.window, carried.warped
    x0, y0, x1, y1 = region
    weights = to_array(_decided(warped.weights))  # (h, w, P) at half of the network's size
    wide = cv2.dilate(to_array(warped.weights), np.ones((5, 5), np.uint8))
    vacated = to_array(warped.vacated)  # (h, w, 1) at a quarter
    flow = to_array(warped.flow.flatten(1, 2))  # (h, w, 2P) at a quarter
    matrix = warped.transforms.matrix[0].double().cpu().numpy()
    offset = warped.transforms.offset[0].double().cpu().numpy()
    photo, reduced = _photo_for(subject, from_window, to_window, float(warped.transforms.scale[0]))
    size = (y1 - y0, x1 - x0)
    total = np.zeros((*size, 4), np.float32)
    elsewhere = np.zeros(size, np.float32) if carried.made else None
    still = warped.still[0].cpu().numpy()
    to_canvas = np.array(canvas[::-1]) / np.array(photo.shape[1::-1])
    same_shape = bool(abs(to_canvas[0] / to_canvas[1] - 1) < 0.01)
    comparable = same_shape and bool((still > _NEGLIGIBLE).any())
    shares, unmoved = np.zeros((2, *size), np.float32) if comparable else (None, None)
    cell = 1 / (weights.shape[1] / to_window.size[1] * to_window.scale)  # canvas pixels per cell
    for p in range(weights.shape[2]):
        strong = np.asarray(wide[..., p] > _NEGLIGIBLE)
        if not strong.any():
            continue
        rows, columns = np.flatnonzero(strong.any(1)), np.flatnonzero(strong.any(0))
        left = to_window.left + (columns[0] - 1) * cell
        right = to_window.left + (columns[-1] + 2) * cell
        top, bottom = to_window.top + (rows[0] - 1) * cell, to_window.top + (rows[-1] + 2) * cell
        bx0, by0 = max(x0, int(left)), max(y0, int(top))
        bx1, by1 = min(x1, int(np.ceil(right))), min(y1, int(np.ceil(bottom)))
        if bx1 <= bx0 or by1 <= by0:
            continue
        box = (bx0, by0, bx1, by1)
        share = resample(
            np.ascontiguousarray(weights[..., p : p + 1]), to_window, box, cv2.INTER_LINEAR
        )
        shift = resample(
            np.ascontiguousarray(flow[..., 2 * p : 2 * p + 2]), to_window, box, cv2.INTER_LINEAR
        )
        # canvas -> target window -> part's place in the source window -> photo
        to_net, to_photo = to_window.matrix, from_window.inverse
        linear = to_photo[:, :2] @ matrix[p] @ to_net[:, :2] * reduced[:, None]
        moved = to_photo[:, :2] @ (matrix[p] @ to_net[:, 2] + offset[p]) + to_photo[:, 2]
        moved = moved * reduced
        xs = np.arange(bx0, bx1, dtype=np.float32) + np.float32(0.5)
        ys = np.arange(by0, by1, dtype=np.float32) + np.float32(0.5)
        per_px = (reduced / from_window.scale).astype(np.float32)
        u, v = (
            np.add.outer(
                (linear[k, 1] * ys).astype(np.float32),
                (linear[k, 0] * xs + moved[k]).astype(np.float32),
            )
            for k in (0, 1)
        )
        for at, k in ((u, 0), (v, 1)):
            at += per_px[k] * shift[..., k]
            at -= np.float32(0.5)
        taken = cv2.remap(photo, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT)
        view = (slice(by0 - y0, by1 - y0), slice(bx0 - x0, bx1 - x0))
        taken = scaled(taken, share[..., 0])
        total[view] += taken
        if elsewhere is not None and p in carried.made:
            elsewhere[view] += taken[..., 3] / 255
        if shares is None or unmoved is None:
            continue
        around = resample(
            np.ascontiguousarray(wide[..., p : p + 1]), to_window, box, cv2.INTER_LINEAR
        )
        shares[view] += around[..., 0]
        if still[p] > _NEGLIGIBLE:
            du = (u + np.float32(0.5)) * np.float32(to_canvas[0]) - xs
            dv = (v + np.float32(0.5)) * np.float32(to_canvas[1]) - ys[:, None]
            near = np.exp(-(du * du + dv * dv) / np.float32(_UNMOVED_PX**2))
            net = vacated.shape[1] / from_window.size[1] * from_window.scale
            x = (u + np.float32(0.5)) * np.float32(net / reduced[0])
            y = (v + np.float32(0.5)) * np.float32(net / reduced[1])
            x -= np.float32(from_window.left * net + 0.5)
            y -= np.float32(from_window.top * net + 0.5)
            stays = 1 - cv2.remap(vacated, x, y, cv2.INTER_LINEAR)
            unmoved[view] += still[p] * around[..., 0] * near * stays
    if shares is not None and unmoved is not None:
        # an arm laid before the chest, copied or painted, hides what has not moved
        changed = resample(to_array(warped.changed), to_window, region, cv2.INTER_LINEAR)
        unmoved *= np.clip(1 - 2 * changed[..., 0], 0, 1)
        unmoved /= np.maximum(shares, 0.05)
    return _Fetched(total, unmoved, elsewhere)


def _decided(weights: Tensor) -> Tensor:
    """Shares (1, P, h, w) of the parts with more contrast and the same sum."""
    powers = weights**_CONTRAST
    return powers * (weights.sum(1, True) / powers.sum(1, True).clamp_min(1e-6))


def _photo_for(
    subject: Subject, from_window: Window, to_window: Window, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """Premultiplied RGBA photo without the outline; the factors (x, y) by which it is reduced.

    It is reduced where the canvas shows it much smaller.
    """
    # photo pixels per canvas pixel
    density = scale * to_window.scale / from_window.scale
    reduced = np.ones(2)
    image, mask = subject.image, subject.mask
    if density > 1.6:
        ratio = 1.2 / density
        wh = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
        image = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, wh, interpolation=cv2.INTER_AREA)
        reduced = np.array([wh[0] / subject.image.shape[1], wh[1] / subject.image.shape[0]])
    photo = np.zeros((*mask.shape, 4), np.uint8)
    x, y, wide, high = cv2.boundingRect(cv2.convertScaleAbs(mask, alpha=255))
    if wide and high:
        # the ground mixed into an outline would be a seam where it comes to lie inside
        rim = max(1, round(_OUTLINE_SHARE * max(mask.shape)))
        rim *= bool(from_window.scale < reduced.mean())  # a coarse photo has no such outlines
        box = slice(max(0, y - rim), y + high + rim), slice(max(0, x - rim), x + wide + rim)
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * rim + 1, 2 * rim + 1))
        m = (cv2.erode(mask[box], kernel) - _GROUND) / (_NO_GROUND - _GROUND)
        m = np.clip(m, 0, 1).astype(np.float32)
        photo[box][..., :3] = cv2.multiply(image[box], cv2.merge([m, m, m]), dtype=cv2.CV_8U)
        photo[box][..., 3] = cv2.convertScaleAbs(m, alpha=255)
    return photo, reduced
