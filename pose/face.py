"""Find the face in a picture: MediaPipe's face mesh with its irises, out of its wheel.

The mesh was made for photos, and finds faces in an artist's drawings, too; in crude ones it does
not (`vunet.face.landmarks` is for those). Small and close faces are looked for with paper or more
of the rim around them, as the detector wants faces that leave some room.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from pose.estimator import silent_stderr

POINTS = 478
"""Points of a mesh: 468 of the face, then five of each iris, middle first."""
RIGHT_EYE, LEFT_EYE = (33, 133), (362, 263)
"""Corners of the eyes; right is the person's right, left in the picture."""
RIGHT_IRIS, LEFT_IRIS = slice(468, 473), slice(473, 478)
NOSE_TIP, MOUTH_RIGHT, MOUTH_LEFT, CHIN, FOREHEAD = 1, 61, 291, 152, 10
_WORK_PX = 768
_ROOM = (0.0, 0.25, 0.6)
_MOST = 4
_LEAST_FAR = 0.5
_SMALLEST_PX = 24
"""Of a face's surroundings: what is smaller shows no features."""


@dataclass(frozen=True, eq=False)
class FaceDetection:
    """A face in a picture."""

    points: np.ndarray
    """(478, 3) float32: x, y in pixels, z of about the same scale, smaller is nearer."""

    @property
    def eyes(self) -> np.ndarray:
        """(2, 2) x, y of the middles of the eyes, the one on the left of the picture first."""
        return np.stack([self.points[list(e), :2].mean(0) for e in (RIGHT_EYE, LEFT_EYE)])

    @property
    def eye_distance(self) -> float:
        """Pixels between the middles of the eyes."""
        return float(np.linalg.norm(np.subtract(*self.eyes)))


class FaceFinder:
    """Finds faces. Loading takes half a second, a picture about 15 ms. Safe to share."""

    def __init__(self, minimum_confidence: float = 0.3) -> None:
        """Load the mesh.

        Args:
            minimum_confidence: Below it nothing counts as a face.
        """
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        self._lock = threading.Lock()
        with silent_stderr():
            from mediapipe.python.solutions import (
                face_detection,
                face_mesh,
                selfie_segmentation,
            )

            # the mesh' own detector knows faces within two metres, this one those within five
            self._far: Any = face_detection.FaceDetection(
                model_selection=1, min_detection_confidence=_LEAST_FAR
            )

            self._people: Any = selfie_segmentation.SelfieSegmentation(model_selection=0)
            self._graph: Any = face_mesh.FaceMesh(
                static_image_mode=True,
                refine_landmarks=True,
                max_num_faces=_MOST,
                min_detection_confidence=minimum_confidence,
            )
            # what they have to say at their first picture, they say here
            blank = np.full((64, 64, 3), 255, np.uint8)
            for graph in (self._graph, self._far, self._people):
                graph.process(blank)

    def find(self, image: np.ndarray) -> list[FaceDetection]:
        """The faces of a picture, largest first; four at most.

        Args:
            image: (H, W, 3) uint8 RGB.

        Raises:
            ValueError: If the image is not (H, W, 3) uint8.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
        scale = min(4.0, _WORK_PX / max(image.shape[:2]))
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
        x_ratio, y_ratio = image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]
        with self._lock:
            for room in _ROOM:
                pad = round(room * max(small.shape[:2]))
                around = cv2.copyMakeBorder(small, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
                found = self._run(around)
                if found:
                    offset = np.array([pad, pad, 0])
                    ratio = np.array([x_ratio, y_ratio, x_ratio])
                    faces = [FaceDetection(((p - offset) * ratio).astype("f4")) for p in found]
                    return sorted(faces, key=lambda face: -float(np.ptp(face.points[:, 1])))
            return self._find_far(image)

    def _find_far(self, image: np.ndarray) -> list[FaceDetection]:
        """Faces of people who stand far off: found small, then looked at closely."""
        found = self._far.process(np.ascontiguousarray(image)).detections or ()
        height, width = image.shape[:2]
        faces = []
        for detection in found[:_MOST]:
            box = detection.location_data.relative_bounding_box
            x, y = (box.xmin + box.width / 2) * width, (box.ymin + box.height / 2) * height
            reach = max(box.width * width, box.height * height)
            x0, y0 = max(0, round(x - reach)), max(0, round(y - reach))
            piece = image[y0 : max(0, round(y + reach)), x0 : max(0, round(x + reach))]
            if min(piece.shape[:2], default=0) < _SMALLEST_PX:
                continue
            scale = _WORK_PX / max(piece.shape[:2])
            large = cv2.resize(piece, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            for points in self._run(large)[:1]:
                placed = points / scale + np.array([x0, y0, 0])
                faces.append(FaceDetection(placed.astype("f4")))
        return sorted(faces, key=lambda face: -float(np.ptp(face.points[:, 1])))

    def person(self, image: np.ndarray) -> np.ndarray:
        """(H, W) uint8, 255 where a photo (H, W, 3) uint8 RGB shows people, hair and clothes."""
        with self._lock:
            found = self._people.process(np.ascontiguousarray(image)).segmentation_mask
        return np.where(np.asarray(found) > 0.5, 255, 0).astype(np.uint8)

    def _run(self, image: np.ndarray) -> list[np.ndarray]:
        result = self._graph.process(np.ascontiguousarray(image))
        height, width = image.shape[:2]
        size = np.array([width, height, width])
        meshes = [
            np.array([(p.x, p.y, p.z) for p in face.landmark]) * size
            for face in result.multi_face_landmarks or ()
        ]
        return [mesh for mesh in meshes if np.isfinite(mesh).all()]
