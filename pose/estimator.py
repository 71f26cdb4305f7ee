"""Find people in a photo: skeleton and mask, with the models inside MediaPipe's wheel.

Besides `pose.face` the only module that knows MediaPipe. Its 0.10.14 release carries its models, so
nothing is downloaded (later releases carry none). BlazePose reports one person at a time; further
people are found by painting over those already found and looking again. A mask takes in who stands
close by, so over is painted only what lies about the skeleton, and what two masks claim goes to the
nearer skeleton.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pose.skeletons import MEDIAPIPE33
from pose.types import Pose, choose_person

DETECTION_SIDE_PX = 1024
"""Larger photos are reduced to this longer side for detection: BlazePose itself sees 256 px."""
MINIMUM_CONFIDENCE = 0.5
"""A person counts as found when the better half of the trunk's keypoints reaches this."""


_BONES = (
    *((11, 12), (23, 24), (11, 23), (12, 24), (7, 8)),
    *((11, 13), (13, 15), (15, 19), (12, 14), (14, 16), (16, 20)),
    *((23, 25), (25, 27), (27, 31), (24, 26), (26, 28), (28, 32)),
)
"""Landmarks of MediaPipe between which a body lies."""
_OWN = 0.5
"""Distance from the bones, in lengths of the trunk, within which a mask surely shows its person."""
_CLAIMED = 0.15
"""Value of a mask from which it claims a pixel."""
_DOUBTFUL = 0.25
"""Distance from the bones beyond which a pixel that lies twice as near to another's is theirs."""
_LEAST_LEFT = 0.2
"""Share of their own pixels that somebody must keep beside others to be there at all."""
_COARSE = 4
"""Pixels that are measured as one."""

_STDERR = threading.RLock()
_MOST_GRAPHS = 2
"""Photos that are looked at side by side: somebody's, and that of the pose."""


@dataclass(frozen=True, eq=False)
class Detection:
    """One person found in a photo."""

    pose: Pose
    """MediaPipe-33 pose in the photo's pixels. Joints outside the picture are extrapolations."""
    mask: np.ndarray
    """(H, W) float32 in [0, 1], how surely each pixel belongs to the person."""

    @property
    def area(self) -> float:
        """Pixels of the person."""
        return float(self.mask.sum())


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Keep the start-up chatter of MediaPipe's C++ side off the user's terminal."""
    with _STDERR:  # of two threads in here at once the second would put back the first's sink
        saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(sink, 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            os.close(sink)


# Protobuf's advice to MediaPipe, which nobody here can follow. For good, and not about each call:
# filters are the process's, and calls run side by side.
warnings.filterwarnings("ignore", "SymbolDatabase.GetPrototype", UserWarning)


class PoseEstimator:
    """Finds people with MediaPipe's BlazePose (full) and its segmentation.

    Loading takes about a second, a photo about 25 ms per person on one core. Safe to share between
    threads: two are served at once, from the second time on that one would have to wait.
    """

    def __init__(self, minimum_confidence: float = MINIMUM_CONFIDENCE) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self._minimum = minimum_confidence
        self._free = threading.Condition()
        self._idle = [_graph()]
        self._graphs, self._waits = 1, 0

    def find(self, image: np.ndarray, max_people: int = 1) -> list[Detection]:
        """Find people in a photo.

        Args:
            image: (H, W, 3) uint8 RGB.
            max_people: Stop after so many.

        Returns:
            The people found, largest first; empty if there are none.

        Raises:
            ValueError: If the image is not (H, W, 3) uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
        height, width = image.shape[:2]
        ratio = min(1.0, DETECTION_SIDE_PX / max(height, width))
        small = image
        if ratio < 1:
            wh = (max(1, round(width * ratio)), max(1, round(height * ratio)))
            small = cv2.resize(image, wh, interpolation=cv2.INTER_AREA)
        found: list[tuple[np.ndarray, np.ndarray]] = []
        canvas = small.copy()
        with self._borrowed() as graph:
            for _ in range(max_people):
                person = self._detect_padded(graph, canvas, retry=not found)
                if person is None or any(_same(person, other) for other in found):
                    break
                found.append(person)
                canvas = _paint_over(canvas, *person)
        detections = [self._detection(p, m, height, width) for p, m in _parted(found)]
        return sorted(detections, key=lambda d: -d.area)

    def find_one(self, image: np.ndarray, name: str, person: int | None = None) -> Detection:
        """The largest person of a photo, or number `person` (1 = largest).

        Raises:
            NoPersonFound: With a sentence that names the photo.
        """
        people = self.find(image, max_people=max(3, person or 1))
        return choose_person(people, person, name)

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[Any]:
        """A graph that nobody else uses meanwhile."""
        graph: Any = None
        with self._free:
            if not self._idle and self._graphs < _MOST_GRAPHS and self._waits > 0:
                self._graphs += 1
            else:
                self._waits += not self._idle
                self._free.wait_for(lambda: self._idle)
                graph = self._idle.pop()
        try:
            graph = graph or _graph()
            yield graph
        finally:
            with self._free:
                if graph is None:
                    self._graphs -= 1
                else:
                    self._idle.append(graph)
                self._free.notify()

    def _run(self, graph: Any, image: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:  # noqa: ANN401 - MediaPipe's
        """One pass: landmarks (33, 3) as x, y in pixels and visibility, and the mask (H, W)."""
        result = graph.process(np.ascontiguousarray(image))
        if result.pose_landmarks is None:
            return None
        height, width = image.shape[:2]
        points = np.array([(p.x, p.y, p.visibility) for p in result.pose_landmarks.landmark])
        points[:, 0] *= width
        points[:, 1] *= height
        mask = np.clip(np.array(result.segmentation_mask, np.float32), 0, 1)
        trunk = np.sort(points[[11, 12, 23, 24, 0], 2])[-3:]
        if not np.isfinite(points).all() or trunk.mean() < self._minimum or mask.max() < 0.5:
            return None
        return points, mask

    def _detect_padded(
        self,
        graph: Any,  # noqa: ANN401 - MediaPipe's
        image: np.ndarray,
        *,
        retry: bool,
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Detect; people cut off by the border are often found only with space around them."""
        person = self._run(graph, image)
        if person is not None or not retry:
            return person
        height, width = image.shape[:2]
        pad = max(height, width) // 4
        padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
        person = self._run(graph, padded)
        if person is None:
            return None
        points, mask = person
        points[:, :2] -= pad
        return points, mask[pad : pad + height, pad : pad + width]

    def _detection(
        self, points: np.ndarray, mask: np.ndarray, height: int, width: int
    ) -> Detection:
        if mask.shape != (height, width):
            scale = np.array([width / mask.shape[1], height / mask.shape[0]])
            points = np.concatenate([points[:, :2] * scale, points[:, 2:]], axis=1)
            mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        limit = 4.0 * max(height, width)
        keypoints = np.clip(points[:, :2], -limit, limit)
        confidence = np.clip(points[:, 2], 1e-3, 1)
        pose = Pose(MEDIAPIPE33, keypoints, confidence, (height, width))
        return Detection(pose, mask)


def _graph() -> Any:  # noqa: ANN401 - MediaPipe's
    """MediaPipe's graph, loaded and run once."""
    with silent_stderr():
        from mediapipe.python.solutions import pose as blazepose

        graph: Any = blazepose.Pose(
            static_image_mode=True,
            model_complexity=1,
            enable_segmentation=True,
            min_detection_confidence=0.4,
        )
        graph.process(np.zeros((64, 64, 3), np.uint8))
    return graph


def _same(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether two detections are the same person: their masks share a third of the smaller."""
    one, two = a[1] > 0.5, b[1] > 0.5
    smaller = min(one.sum(), two.sum())
    return bool(smaller < 0.02 * one.size * 0.25 or (one & two).sum() > smaller / 3)


def _paint_over(image: np.ndarray, points: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Replace a person by the picture's median colour, so that the next one can be found."""
    side = max(3, round(0.02 * max(image.shape[:2])) | 1)
    away, scale = _away(points, mask.shape)
    own = ((mask > 0.3) & (away < _OWN * scale)).astype(np.uint8)
    grown = cv2.dilate(own, np.ones((side, side), np.uint8))
    few = np.ascontiguousarray(image[::4, ::4])
    painted = cv2.merge([np.full(mask.shape, _median(few, k), np.uint8) for k in range(3)])
    return cv2.copyTo(image, 1 - grown, painted)


def _median(image: np.ndarray, channel: int) -> int:
    """The median of a channel of a picture (H, W, C) uint8, counted and not sorted; cut off."""
    counts = np.cumsum(np.bincount(image[..., channel].ravel(), minlength=256))
    middle = [(counts[-1] - 1) // 2, counts[-1] // 2]
    return int(np.searchsorted(counts, middle, side="right").sum()) // 2


def _away(points: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """(height, width) float32 how far pixels are from a person's bones; length of their trunk.

    Args:
        points: (33, 3) landmarks, x, y in pixels.
        size: (height, width) of the picture.
    """
    height, width = size
    few = (max(1, height // _COARSE), max(1, width // _COARSE))
    xy = points[:, :2] * [few[1] / width, few[0] / height]
    middle, hips = xy[[11, 12]].mean(0), xy[[23, 24]].mean(0)
    wide = float(np.linalg.norm(xy[11] - xy[12]))
    scale = max(2.0, float(np.linalg.norm(hips - middle)), 1.2 * wide)
    bones = [np.stack([xy[a], xy[b]]) for a, b in _BONES]
    bones.append(np.stack([xy[0], middle]))
    lines = np.clip(np.rint(16 * np.stack(bones)), -(2**20), 2**20).astype(np.int32)
    canvas = np.ones(few, np.uint8)
    cv2.polylines(canvas, list(lines), False, 0, 1, cv2.LINE_8, 4)
    away = cv2.resize(
        cv2.distanceTransform(canvas, cv2.DIST_L2, 5),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )
    unit = height / few[0]
    return away * np.float32(unit), scale * unit


def _parted(
    people: list[tuple[np.ndarray, np.ndarray]],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """People whose masks claim nothing twice, nor what lies about another's bones."""
    if len(people) < 2:
        return people
    masks = np.stack([mask for _, mask in people])
    each = [_away(points, mask.shape) for points, mask in people]
    away = np.stack([distance for distance, _ in each])
    doubtful = _DOUBTFUL * np.array([scale for _, scale in each])[:, None, None]
    claimed = masks > _CLAIMED
    claims = np.where(claimed, away, np.inf)
    others = (~claimed | (away > doubtful)).all(0) & (away.min(0) < claims.min(0) / 2)
    owner = np.where(others, away.argmin(0), claims.argmin(0))
    total, contested = masks.max(0), (claimed.sum(0) > 1) | (others & claimed.any(0))
    parted = [
        (points, np.where(contested, total * (owner == number), mask).astype(np.float32))
        for number, (points, mask) in enumerate(people)
    ]
    # what is found in the rest of somebody, as in a wide skirt, is nobody
    left = [
        after.sum() > _LEAST_LEFT * mask.sum()
        for (_, after), mask in zip(parted, masks, strict=True)
    ]
    return [person for number, person in enumerate(parted) if number == 0 or left[number]]
