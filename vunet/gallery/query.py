"""What a user looks for: a drawing, a pose or a photo, and which of them it is.

A pose, a pose file and the name of a preset are poses, as is a picture of a stick figure; lines on
paper are a drawing; any other picture is a photo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from pose import Pose
from pose.scribble import read_scribble
from pose.stick import read_controlnet
from vunet.drawing.sheet import is_drawn
from vunet.gallery import joints
from vunet.gallery.photos import Embedder, maker_of
from vunet.gallery.trouble import GalleryError
from vunet.images import read_image
from vunet.poses import ImageLike, PeopleFinder, is_pose_text, recognise_pose

By = Literal["drawing", "pose", "photo"]
"""What photos are compared by."""


@dataclass(frozen=True, eq=False)
class Probe:
    """A vector to be looked for."""

    kind: str
    """Of the items it is compared with."""
    maker: str
    vector: np.ndarray
    mirrored: bool = False
    """Whether it is that of the query's mirror image."""


def kind_of(query: ImageLike | Pose) -> By:
    """What a query is, where nobody says it.

    Raises:
        ValueError: With a sentence, if it is a picture that cannot be read, or an empty sheet.
    """
    if isinstance(query, Pose) or is_pose_text(query):
        return "pose"
    image = read_image(query)
    if read_controlnet(image) is not None:
        return "pose"
    if not is_drawn(image):
        return "photo"
    return "drawing" if read_scribble(image) is None else "pose"


def probes_of(
    query: ImageLike | Pose,
    by: By,
    *,
    mirror: bool,
    embedder: Callable[[], Embedder],
    finder: PeopleFinder,
) -> list[Probe]:
    """The vectors of a query.

    Args:
        query: What is looked for.
        by: What it is taken for.
        mirror: Look for the mirror image of a pose as well.
        embedder: Gives what makes vectors of drawings and photos; not asked for a pose.
        finder: Finds people, where the query is a photo and their pose is looked for.

    Raises:
        ValueError: With a sentence, if the query is not what it is taken for.
    """
    if by not in get_args(By):
        raise GalleryError(f"photos are not found by {by!r}; choose {', '.join(get_args(By))}")
    if by == "pose":
        pose = recognise_pose(query, person=None, estimator=finder).pose
        both = [(pose, False), (joints.mirrored(pose), True)][: 1 + mirror]
        probes = [Probe("pose", joints.MAKER, joints.pose_vector(p), m) for p, m in both]
        if not probes[0].vector.any():
            raise GalleryError("the pose shows no limb; it needs at least both ends of one")
        return probes
    if isinstance(query, Pose) or is_pose_text(query):
        raise GalleryError(f"a pose is no {by}; look for it by pose")
    image = read_image(query)
    net = embedder()
    if by == "drawing":
        return [Probe("drawing", maker_of(net), net.drawing(image))]
    return [Probe("look", maker_of(net), net.photos([image])[1][0])]
