"""The named poses that ship with the project.

All share one picture size and one scale, and those that touch the ground stand on one line, so that
presets can follow one another without jumps. The figures were posed and rendered for this project;
the keypoints are where MediaPipe sees them, as in a photo, or the exact projections where it does
not see the figure well. They are kept in `presets.json`. Knows nothing of pictures.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from pose.skeletons import BODY27
from pose.types import Pose

PRESET_SIZE = (1024, 768)
"""(height, width) in pixels of the picture that every preset belongs to."""
GROUND_Y = 960.0
"""y in pixels of the lowest keypoint of all presets that touch the ground."""
PRESETS_FILE = "presets.json"
"""The poses, beside this module: for each name 27 rows of x, y, confidence in BODY27's order."""


def _load() -> dict[str, Pose]:
    content = json.loads(Path(__file__).with_name(PRESETS_FILE).read_text(encoding="utf-8"))
    poses = {}
    for name, rows in content.items():
        table = np.array(rows, dtype=np.float64)  # (27, 3)
        poses[name] = Pose(BODY27, table[:, :2], table[:, 2], PRESET_SIZE)
    return poses


PRESETS: Mapping[str, Pose] = MappingProxyType(_load())
"""The poses by name. Confidence is 1 for a keypoint in sight and 0.5 for a hidden one.

`_left` and `_right` at the end of a name are the way the figure faces in the picture. A figure that
faces the left of the picture shows its own left side, so both readings agree.
"""


def preset(name: str) -> Pose:
    """The preset pose of a name.

    Args:
        name: A key of `PRESETS`; capitals count as small letters, spaces and hyphens as `_`.

    Returns:
        A BODY27 pose of size `PRESET_SIZE` without missing keypoints.

    Raises:
        ValueError: If there is no such preset; the message suggests those with similar names.
    """
    wanted = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
    if wanted in PRESETS:
        return PRESETS[wanted]
    near = difflib.get_close_matches(wanted, PRESETS, n=3, cutoff=0.5)
    near += [known for known in PRESETS if wanted and wanted in known and known not in near]
    # A name may come from anywhere, a whole file's content included: quote only its start.
    quoted = repr(name if len(name) <= 40 else name[:40] + "...")
    if near:
        raise ValueError(f"there is no preset pose {quoted}; did you mean {_either(near[:4])}?")
    raise ValueError(
        f"there is no preset pose {quoted}; choose one of the {len(PRESETS)}, "
        f"such as {_either(list(PRESETS)[:3])}"
    )


def _either(names: list[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))
