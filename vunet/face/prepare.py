"""Photos of faces, with artists' sketches of them or without, become a training set."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from pose.face import FaceFinder
from vunet.dataset import PORTRAITS, DatasetWriter
from vunet.drawing.lines import MAPS, line_maps
from vunet.drawing.pairs import find_pairs
from vunet.drawing.prepare import DrawingSetError, Report, photo_files
from vunet.face.template import anchors, face_frame, face_regions, framed
from vunet.gallery.framing import cut
from vunet.holdout import is_test_portrait
from vunet.images import ImageError, read_image

SIDE = PORTRAITS["images"][0][0]


def prepare_portraits(
    folder: Path, out: Path, finder: FaceFinder, *, part: str = "all", quiet: bool = False
) -> Report:
    """Write a set of faces.

    Args:
        folder: Of photos, or of two folders with files of equal names, photos and sketches by order
            of name, the sketches lying on their photos.
        out: Folder of the set.
        finder: Finds the faces.
        part: "training" or "held-back" (a tenth, by the hash of the name), or "all".
        quiet: No progress bar.

    Raises:
        DrawingSetError: If there is no such folder or nothing in it.
    """
    pairs = find_pairs(folder) or [(p.stem, p, None) for p in photo_files(folder)]
    left_out: list[str] = []
    with DatasetWriter(out, "portraits", {"part": part}) as writer:
        for name, photo, sketch in tqdm(pairs, desc="prepare", unit="face", disable=quiet):
            if part != "all" and is_test_portrait(name) != (part == "held-back"):
                continue
            try:
                image = read_image(photo)
                drawn = None if sketch is None else read_image(sketch)
            except ImageError as error:
                left_out.append(str(error))
                continue
            faces = finder.find(image)
            if not faces:
                left_out.append(f"{photo}: no face was found; give a photo that shows one closer")
                continue
            entry = portrait(image, faces[0].points, finder, drawn)
            row = {"name": name, "group": name, "drawn": drawn is not None}
            writer.add(row, entry)
        if not writer.count:
            raise DrawingSetError(f"{folder}: no photo shows a face; give photos of faces")
        return Report(writer.count, tuple(left_out))


def portrait(
    image: np.ndarray, points: np.ndarray, finder: FaceFinder, drawn: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The arrays of one face.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (478, 3) its face's mesh.
        finder: Tells people from ground.
        drawn: (h, w, 3) uint8 RGB, a sketch that lies on the photo, at any size.
    """
    height, width = image.shape[:2]
    frame = face_frame(anchors(points))
    picture = cut(image, frame, (SIDE, SIDE))
    placed = framed(points, frame, SIDE)
    corners = np.array([[0, 0], [width, height]], np.float32)
    valid = np.clip(framed(corners, frame, SIDE).ravel(), 0, SIDE)
    x0, y0, x1, y1 = np.rint(valid).astype(int)
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[y0:y1, x0:x1] = finder.person(picture)[y0:y1, x0:x1]
    lines = np.zeros((len(MAPS), SIDE, SIDE), np.uint8)
    lines[:, y0:y1, x0:x1] = line_maps(picture, mask)[:, y0:y1, x0:x1]
    entry = {
        "images": picture,
        "masks": mask,
        "lines": lines,
        "paint": face_regions(placed, mask),
        "valid": valid.astype(np.float32),
        "landmarks": placed,
    }
    if drawn is not None:
        if drawn.shape != image.shape:
            drawn = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY)
        paper = int(np.percentile(grey, 90))
        entry["sketches"] = cut(grey, frame, (SIDE, SIDE), paper=paper)
    return entry
