"""Faces that artists drew become a training set: each photo with its sketch and its lines."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from vunet.dataset import SIZE, DatasetWriter
from vunet.drawing.lines import line_maps
from vunet.drawing.pairs import find_pairs
from vunet.drawing.prepare import DrawingSetError, Report
from vunet.gallery.framing import cut, frame_of
from vunet.holdout import is_test_face
from vunet.images import ImageError, read_image


def prepare_sketched(folder: Path, out: Path, *, part: str = "all", quiet: bool = False) -> Report:
    """Write a set of faces with their sketches.

    Args:
        folder: Holds two folders with files of equal names, photos and sketches by order of name.
        out: Folder of the set.
        part: "training" or "held-back" (a third, by the hash of the name), or "all".
        quiet: No progress bar.

    Raises:
        DrawingSetError: If there are no such folders.
    """
    pairs = find_pairs(folder)
    if pairs is None or any(sketch is None for _, _, sketch in pairs):
        raise DrawingSetError(
            f"{folder}: give a folder with two folders, photos and sketches, of equal file names"
        )
    left_out: list[str] = []
    with DatasetWriter(out, "sketched", {"part": part}) as writer:
        for name, photo, sketch in tqdm(pairs, desc="prepare", unit="face", disable=quiet):
            if part != "all" and is_test_face(name) != (part == "held-back"):
                continue
            assert sketch is not None
            try:
                image, drawn = read_image(photo), read_image(sketch)
            except ImageError as error:
                left_out.append(str(error))
                continue
            image = cut(image, frame_of(image.shape[:2], None, SIZE), SIZE)
            drawn = cut(drawn, frame_of(drawn.shape[:2], None, SIZE), SIZE, paper=255)
            everywhere = np.full(SIZE, 255, np.uint8)
            entry = {
                "images": image,
                "masks": everywhere,
                "lines": line_maps(image, everywhere),
                "valid": np.array([0, 0, SIZE[1], SIZE[0]], np.float32),
                "sketches": cv2.cvtColor(drawn, cv2.COLOR_RGB2GRAY),
            }
            writer.add({"name": name, "group": name, "label": "face"}, entry)
        return Report(writer.count, tuple(left_out))
