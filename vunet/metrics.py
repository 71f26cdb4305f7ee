"""How close a drawn person is to the photo: SqPD, SSIM, PCKh and the crops they are taken over.

Every figure is over the box of the person in the pose photo (the mask's box grown by 10 %), both
pictures cut to it and brought to 256 px height. The two pretrained networks that judge are in no
repository; where their files are absent the figures that need them cannot be had, and nothing
else is affected. Knows nothing of the network that is judged, of files of pairs or of MediaPipe.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from skimage.metrics import structural_similarity
from torch import nn

from pose.retarget import body_scale
from pose.skeletons import COCO17
from pose.types import Pose

SQUEEZENET_FILE: Final = "squeezenet1_0_imagenet.safetensors"
MOVENET_FILE: Final = "movenet_single_pose_lightning_ptq.tflite"
SQUEEZENET_MEAN: Final = (123.0, 117.0, 104.0)
"""Subtracted from RGB in 0..255: how this release of SqueezeNet was trained."""
SQPD_LAYERS: Final = (1, 4, 5, 7, 8, 9, 10, 12)
"""Outputs of `features` that are compared."""
HEIGHT_PX: Final = 256
"""Height to which both pictures are brought."""
FACE_PX: Final = 96
"""Side to which both head boxes are brought."""
GROW: Final = 0.10
"""The mask's box is widened and heightened by this share, half of it on each side."""
GREY: Final = 128
"""Level outside the person for the "-person" figures."""
RIM_PX: Final = 5
"""The person mask is dilated by so many pixels at 256 px height, unless asked otherwise."""
INSIDE_PX: Final = 3
"""Sharpness is taken this far inside the person's mask."""
INSIDE_MINIMUM: Final = 200
"""Fewer pixels than this inside a person say nothing of sharpness."""
MASK_THRESHOLD: Final = 0.5
PCK_SHARE: Final = 0.5
"""A joint is right when it lies within this share of the head length."""
PCK_JOINTS: Final = (
    "nose",
    *(
        f"{side}_{joint}"
        for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        for side in ("left", "right")
    ),
)
"""Joints that PCKh counts: eyes and ears are left out, they only repeat the nose."""
HEAD_OF_BODY: Final = 0.48
"""Head length, chin to crown, over body scale (`pose.retarget.body_scale`)."""


class BackboneMissing(ValueError):
    """A pretrained network that a figure needs is absent or unreadable."""


def find_backbones(explicit: Path | None = None) -> Path | None:
    """The folder with the pretrained networks that judge pictures.

    Args:
        explicit: The folder, where the user named one; nothing else is looked at then.

    Returns:
        The first that exists of `shared/backbones` in and beside the repository; None if there is
        none.

    Raises:
        BackboneMissing: If an explicit folder does not exist.
    """
    if explicit is not None:
        if not explicit.is_dir():
            raise BackboneMissing(f"{explicit}: no such folder; name the one with {MOVENET_FILE}")
        return explicit
    root = Path(__file__).resolve().parents[1]
    for folder in (root / "shared" / "backbones", root.parent / "shared" / "backbones"):
        if folder.is_dir():
            return folder
    return None


def backbone_file(folder: Path | None, name: str) -> Path:
    """A file of the backbones folder.

    Raises:
        BackboneMissing: If the folder or the file is absent.
    """
    if folder is None:
        raise BackboneMissing(f"no backbones folder found, so {name} is missing; name the folder")
    if not (folder / name).is_file():
        raise BackboneMissing(f"{folder / name}: missing; name a backbones folder that has it")
    return folder / name


class SqPD:
    """The project's perceptual distance: LPIPS without learned weights, on SqueezeNet 1.0.

    Both pictures run through `features`; the outputs after `SQPD_LAYERS` are brought to unit
    length over channels; the distance is the mean over layers of the spatial mean of the squared
    difference summed over channels. 0 for equal pictures, lower is better, at most 4 (2 in
    practice, as the features are not negative). It is not LPIPS: never compare it to one.
    """

    def __init__(self, path: Path, device: str = "cpu") -> None:
        """Load the network.

        Args:
            path: `squeezenet1_0_imagenet.safetensors`.
            device: Where to compute.

        Raises:
            BackboneMissing: If the file is absent or is not that network.
        """
        from torchvision.models import squeezenet1_0

        network = squeezenet1_0(weights=None)
        try:
            network.load_state_dict(load_file(path), strict=True)
        except (OSError, SafetensorError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise BackboneMissing(f"{path}: not the SqueezeNet 1.0 weights ({reason})") from error
        self.network: nn.Module = network.eval().requires_grad_(False).to(device)
        self._features: nn.Sequential = network.features
        self._mean = torch.tensor(SQUEEZENET_MEAN, device=device).view(1, 3, 1, 1)
        self._device = device

    @torch.no_grad()
    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Distances of pairs of pictures.

        Args:
            one: (B, H, W, 3) or (H, W, 3) uint8 RGB, at least 32 px a side.
            other: The same shape.

        Returns:
            (B,) float64.

        Raises:
            ValueError: If the shapes differ or are wrong.
        """
        batches = []
        for picture in (one, other):
            batch = picture[None] if picture.ndim == 3 else picture
            if batch.ndim != 4 or batch.shape[3] != 3 or batch.dtype != np.uint8:
                raise ValueError(
                    f"pictures must be (B, H, W, 3) uint8, got {picture.shape} {picture.dtype}"
                )
            if min(batch.shape[1:3]) < 32:
                raise ValueError(f"pictures must be at least 32 px a side, got {batch.shape[1:3]}")
            batches.append(torch.from_numpy(np.ascontiguousarray(batch)))
        if batches[0].shape != batches[1].shape:
            raise ValueError(
                f"pictures must have equal shapes, got {tuple(batches[0].shape)} "
                f"and {tuple(batches[1].shape)}"
            )
        images = torch.cat(batches).to(self._device).permute(0, 3, 1, 2).float() - self._mean
        total = torch.zeros(len(batches[0]), dtype=torch.float64)
        activation = images
        for index, layer in enumerate(self._features):
            activation = layer(activation)
            if index in SQPD_LAYERS:
                unit = activation / activation.norm(dim=1, keepdim=True).clamp_min(1e-10)
                first, second = unit.chunk(2)
                total += (first - second).square().sum(dim=1).mean(dim=(1, 2)).double().cpu()
            if index == SQPD_LAYERS[-1]:
                break
        return (total / len(SQPD_LAYERS)).numpy()


def ssim(one: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two (H, W, 3) uint8 pictures, 1 for equal ones.

    scikit-image with gaussian_weights, sigma 1.5, use_sample_covariance=False, data_range 255 and
    channel_axis 2. Another protocol (padding, another window) gives another figure.
    """
    value: Any = structural_similarity(
        one,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    return float(value)


@dataclass(frozen=True)
class Box:
    """A rectangle in a picture, in pixels, that may reach over its border."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def wh(self) -> tuple[float, float]:
        """Width and height in pixels."""
        return self.x1 - self.x0, self.y1 - self.y0

    def grown(self, share: float) -> Box:
        """The box widened and heightened by a share of its sides about its middle."""
        width, height = self.wh
        dx, dy = share * width / 2, share * height / 2
        return Box(self.x0 - dx, self.y0 - dy, self.x1 + dx, self.y1 + dy)


def mask_box(mask: np.ndarray) -> Box:
    """Smallest box round the pixels of a mask that are at least half covered.

    Args:
        mask: (H, W), float in [0, 1] or uint8 in 0..255.

    Raises:
        ValueError: If the mask shows nobody.
    """
    level = MASK_THRESHOLD * (255 if mask.dtype == np.uint8 else 1)
    ys, xs = np.nonzero(mask >= level)
    if not len(xs):
        raise ValueError("the mask of the pose photo's person is empty")
    return Box(float(xs.min()), float(ys.min()), float(xs.max() + 1), float(ys.max() + 1))


def cut(image: np.ndarray, box: Box, size: tuple[int, int]) -> np.ndarray:
    """A box of a picture, brought to a size; beyond the border the border pixels are repeated.

    Args:
        image: (H, W) or (H, W, 3) uint8 or float32.
        box: Rounded outwards to whole pixels.
        size: (height, width) of the result.

    Returns:
        The part of the picture, reduced by area averaging or enlarged linearly.
    """
    x0, y0 = math.floor(box.x0), math.floor(box.y0)
    x1, y1 = max(math.ceil(box.x1), x0 + 1), max(math.ceil(box.y1), y0 + 1)
    H, W = image.shape[:2]
    xs = np.clip(np.arange(x0, x1), 0, W - 1)
    ys = np.clip(np.arange(y0, y1), 0, H - 1)
    part = np.ascontiguousarray(image[ys[:, None], xs[None, :]])
    smaller = size[0] <= part.shape[0] and size[1] <= part.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(part, (size[1], size[0]), interpolation=way)


def cut_size(box: Box, height_px: int = HEIGHT_PX) -> tuple[int, int]:
    """(height, width) of a box brought to a height, its width at least 32 px."""
    width, height = box.wh
    return height_px, max(32, round(height_px * width / height))


def crop_to_person(
    picture: np.ndarray, truth: np.ndarray, mask: np.ndarray, rim_px: int = RIM_PX
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cut a result and the pose photo to the photo's person, at 256 px height.

    Args:
        picture: (H, W, 3) uint8 RGB, the result.
        truth: (H, W, 3) uint8 RGB, the pose photo.
        mask: (H, W) of the pose photo's person, float in [0, 1] or uint8.
        rim_px: By how much the mask is dilated.

    Returns:
        The result's and the photo's part, (256, w, 3) uint8, and the dilated mask, (256, w) bool.
        The box is the mask's, grown by 10 %, cut off at the picture's border.

    Raises:
        ValueError: If the sizes differ or the mask is empty.
    """
    if not picture.shape[:2] == truth.shape[:2] == mask.shape[:2]:
        raise ValueError(
            f"result, pose photo and mask must have one size, got {picture.shape[:2]}, "
            f"{truth.shape[:2]} and {mask.shape[:2]}"
        )
    grown = mask_box(mask).grown(GROW)
    H, W = truth.shape[:2]
    box = Box(max(0.0, grown.x0), max(0.0, grown.y0), min(W, grown.x1), min(H, grown.y1))
    size = cut_size(box)
    person = _dilated(cut(as_share(mask), box, size) >= MASK_THRESHOLD, rim_px)
    return cut(picture, box, size), cut(truth, box, size), person


def dilated_mask(mask: np.ndarray, box: Box, rim_px: int = RIM_PX) -> np.ndarray:
    """The person mask at the photo's own resolution, dilated as `crop_to_person` does.

    Args:
        mask: (H, W), float in [0, 1] or uint8.
        box: The person's box, to whose height the dilation is in proportion.
        rim_px: At 256 px height.

    Returns:
        (H, W) bool.
    """
    radius = max(1, round(rim_px * box.wh[1] / HEIGHT_PX)) if rim_px else 0
    return _dilated(as_share(mask) >= MASK_THRESHOLD, radius)


def as_share(mask: np.ndarray) -> np.ndarray:
    """A (H, W) mask, float in [0, 1] or uint8 in 0..255, as float32 in [0, 1]."""
    return mask.astype(np.float32) / np.float32(255 if mask.dtype == np.uint8 else 1)


def _dilated(person: np.ndarray, radius: int) -> np.ndarray:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(person.astype(np.uint8), disc) > 0


def grey_outside(image: np.ndarray, person: np.ndarray) -> np.ndarray:
    """A copy of the (H, W, 3) picture with every pixel outside the (H, W) bool mask set to grey."""
    return np.where(person[..., None], image, np.uint8(GREY))


def sharpness(picture: np.ndarray, truth: np.ndarray, person: np.ndarray) -> float | None:
    """Mean gradient magnitude inside the person, as a share of the truth's.

    Args:
        picture: (H, W, 3) uint8 RGB, cut by `crop_to_person`.
        truth: The same of the pose photo.
        person: (H, W) bool, the mask dilated by `RIM_PX`.

    Returns:
        1 for a picture as sharp as the truth, less for a blurred one; None where too little of the
        person is left after the outline, which would count as sharp detail, is taken off.
    """
    radius = RIM_PX + INSIDE_PX
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(
        person.astype(np.uint8), 1
    )  # a person cut off by the border has an outline there
    inside = cv2.erode(padded, disc)[1:-1, 1:-1] > 0
    if inside.sum() < INSIDE_MINIMUM:
        return None
    amounts = []
    for image in (picture, truth):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        dy, dx = np.gradient(grey)
        amounts.append(float(np.hypot(dx, dy)[inside].mean()))
    return amounts[0] / amounts[1] if amounts[1] > 0.1 else None


def head_length(pose: Pose) -> float:
    """Head length, chin to crown, in pixels; NaN if the pose is too incomplete.

    `HEAD_OF_BODY` of `pose.retarget.body_scale`: from trunk and limbs, not from the keypoints of
    the face, so that it holds for backs of heads.
    """
    try:
        return HEAD_OF_BODY * body_scale(pose)
    except ValueError:
        return math.nan


def head_box(pose: Pose) -> Box | None:
    """A square round the head, 1.5 head lengths a side; None if no keypoint of it is present.

    Centred on the middle of the ears, or where one is missing on the mean of nose, eyes and ears.
    """
    length = head_length(pose)
    ears = np.array([pose.point("left_ear"), pose.point("right_ear")])
    points = ears
    if not np.isfinite(ears).all():
        names = ("nose", "left_eye", "right_eye", "left_ear", "right_ear")
        points = np.array([pose.point(name) for name in names])
        points = points[np.isfinite(points[:, 0])]
    if not len(points) or not math.isfinite(length):
        return None
    x, y = points.mean(axis=0)
    half = 0.75 * length
    return Box(float(x - half), float(y - half), float(x + half), float(y + half))


def face_pair(picture: np.ndarray, truth: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The head boxes of the result and of the pose photo, (96, 96, 3) uint8."""
    return cut(picture, box, (FACE_PX, FACE_PX)), cut(truth, box, (FACE_PX, FACE_PX))


def visible_part(pose: Pose, size: tuple[int, int], minimum_confidence: float = 0.5) -> Pose:
    """The pose without joints that are outside the picture or not surely seen (NaN instead)."""
    height, width = size
    points, confidence = pose.keypoints.copy(), pose.confidence.copy()
    with np.errstate(invalid="ignore"):
        seen = (
            (confidence >= minimum_confidence)
            & (points >= 0).all(axis=1)
            & (points[:, 0] <= width)
            & (points[:, 1] <= height)
        )
    points[~seen], confidence[~seen] = np.nan, 0.0
    return Pose(pose.skeleton, points, confidence, size)


def pckh(found: Pose | None, truth: Pose, head_length_px: float) -> tuple[int, int]:
    """How many joints of a result are where they should be.

    A joint counts as right within half a head length of its true place. A joint that is missing in
    the truth is not counted; one that is missing in the result is wrong.

    Args:
        found: Pose found in the result, any skeleton; None if nobody was found.
        truth: Pose of the pose photo, any skeleton, in the same pixels.
        head_length_px: From `head_length` of the truth.

    Returns:
        Right joints and counted joints, of `PCK_JOINTS`.

    Raises:
        ValueError: If the head length is not a positive number.
    """
    if not (math.isfinite(head_length_px) and head_length_px > 0):
        raise ValueError(f"the head length must be a positive number, got {head_length_px}")
    right = counted = 0
    for name in PCK_JOINTS:
        place = truth.point(name)
        if not np.isfinite(place).all():
            continue
        counted += 1
        if found is not None:
            apart = float(np.linalg.norm(found.point(name) - place))
            right += apart <= PCK_SHARE * head_length_px
    return right, counted


class MoveNet:
    """MoveNet Lightning, a detector independent of MediaPipe: 17 COCO keypoints of one person."""

    SIDE_PX: Final = 192

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load the network.

        Args:
            path: `movenet_single_pose_lightning_ptq.tflite`.
            threads: CPU threads.

        Raises:
            BackboneMissing: If the file is absent or is no such network.
        """
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise BackboneMissing(
                "ai-edge-litert is not installed; PCKh needs it: pip install ai-edge-litert"
            ) from error
        if not path.is_file():
            raise BackboneMissing(f"{path}: missing; PCKh needs it")
        try:
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise BackboneMissing(f"{path}: not a network that LiteRT can read") from error
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]

    def __call__(self, image: np.ndarray, box: Box | None = None) -> Pose:
        """Find the person of a picture, or of a box in it.

        Args:
            image: (H, W, 3) uint8 RGB.
            box: Where to look, in pixels; the whole picture if None. The part is letterboxed with
                black into 192 x 192.

        Returns:
            COCO-17 pose in the pixels of the whole picture; every keypoint has a place and its
            score as confidence, however low.

        Raises:
            ValueError: If the image is not (H, W, 3) uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
        H, W = image.shape[:2]
        area = box or Box(0, 0, W, H)
        width, height = area.wh
        scale = self.SIDE_PX / max(width, height)
        left = (self.SIDE_PX - scale * width) / 2 - scale * area.x0
        top = (self.SIDE_PX - scale * height) / 2 - scale * area.y0
        # warpAffine counts pixels by their middles: hence the half pixels
        shift = (scale - 1) / 2
        matrix = np.array([[scale, 0, left + shift], [0, scale, top + shift]])
        source = image
        if scale < 0.5:  # sample from a reduced picture, or fine detail turns into noise
            ratio = 2 * scale
            wh = (max(1, round(W * ratio)), max(1, round(H * ratio)))
            source = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
            factors = np.array([scale * W / wh[0], scale * H / wh[1]])
            offsets = np.array([left, top]) + (factors - 1) / 2
            matrix = np.array([[factors[0], 0, offsets[0]], [0, factors[1], offsets[1]]])
        side = (self.SIDE_PX, self.SIDE_PX)
        letterboxed = cv2.warpAffine(source, matrix, side, flags=cv2.INTER_LINEAR)
        self._interpreter.set_tensor(self._input, letterboxed[None])
        self._interpreter.invoke()
        output = np.array(self._interpreter.get_tensor(self._output), np.float64).reshape(17, 3)
        points = (output[:, 1::-1] * self.SIDE_PX - np.array([left, top])) / scale
        confidence = np.clip(output[:, 2], 0, 1)
        return Pose(COCO17, points, confidence, (H, W))
