"""How well poses are found: the same exercise by other photos, and a stick figure its own photo.

The gallery's sub-folders are the exercises: its photos show one exercise each, of which there are
others in the gallery. Chance is what a random order of all other photos would give.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from pose import Pose
from pose.stick import draw_controlnet
from vunet.gallery.gallery import Gallery, Match
from vunet.gallery.joints import SURE
from vunet.gallery.trouble import GalleryError
from vunet.images import write_atomic

FIRST = 10
"""Photos of the same exercise are looked for among so many."""
OWN = 3
"""A stick figure's own photo is looked for among so many."""


@dataclass(frozen=True)
class PoseFigures:
    """How well poses are found."""

    photos: int
    """In which somebody was found."""
    queries: int
    """Photos with others of the same exercise."""
    same_exercise: float
    """Share of those others that are among the first `FIRST`, the photo itself left out."""
    chance: float
    """What that share is in a random order."""
    lift: float
    """How many times chance."""
    sticks: int
    """Stick figures drawn of poses and read back."""
    own_photo: float
    """Share of them whose photo is among the first `OWN`."""


def evaluate_poses(
    gallery: Gallery, *, sticks: int = 200, seed: int = 0, quiet: bool = True
) -> PoseFigures:
    """Ask a gallery for the pose of each of its photos.

    Args:
        gallery: Of a folder with a sub-folder for each exercise, with poses.
        sticks: How many stick figures are tried.
        seed: Which photos they are drawn of.
        quiet: No progress bar.

    Raises:
        GalleryError: If hardly anybody was found in the photos, or no exercise has two photos.
    """
    people = gallery.people()
    if len(people) <= FIRST:
        raise GalleryError(f"more than {FIRST} photos of people are needed, got {len(people)}")
    shares = []
    for path, pose in tqdm(people.items(), desc="poses", unit="photo", disable=quiet):
        others = {p for p in people if p.parent == path.parent and p != path}
        if others:
            found = [m.path for m in gallery.find(pose, FIRST + 1) if m.path != path][:FIRST]
            shares.append(len(others.intersection(found)) / len(others))
    if not shares:
        raise GalleryError("no sub-folder has two photos of people")
    order = np.random.default_rng(seed).permutation(len(people))[:sticks]
    paths = sorted(people)
    own = [
        paths[i] in [match.path for match in _by_stick(gallery, people[paths[i]])]
        for i in tqdm(order, desc="stick figures", unit="figure", disable=quiet)
    ]
    same, chance = float(np.mean(shares)), min(1.0, FIRST / (len(people) - 1))
    return PoseFigures(
        *(len(people), len(shares), same, chance, same / chance),
        sticks=len(own),
        own_photo=float(np.mean(own)),
    )


def _by_stick(gallery: Gallery, pose: Pose) -> list[Match]:
    """What a ControlNet-coloured picture of a pose finds, read as any picture is."""
    assert pose.size is not None
    height, width = pose.size
    x, y = pose.keypoints.T
    there = (
        pose.present & (pose.confidence >= SURE) & (x > 0) & (y > 0) & (x < width) & (y < height)
    )
    points = np.where(there[:, None], pose.keypoints, np.nan)
    seen = Pose(pose.skeleton, points, np.where(there, pose.confidence, 0), pose.size)
    return gallery.find(draw_controlnet(seen, pose.size), OWN, by="pose")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: measure how well poses are found in a gallery."""
    parser = argparse.ArgumentParser(
        prog="python -m vunet.gallery.evaluate_pose", description=main.__doc__
    )
    parser.add_argument("gallery", type=Path, help="a sub-folder per exercise, indexed")
    parser.add_argument("--sticks", type=int, default=200, help="stick figures to try")
    parser.add_argument("--seed", type=int, default=0, help="chooses them")
    parser.add_argument("--json", type=Path, help="file to write as well")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        with Gallery.open(options.gallery, embedder=None) as gallery:
            figures = evaluate_poses(gallery, sticks=options.sticks, seed=options.seed, quiet=False)
        text = json.dumps(asdict(figures))
        if options.json is not None:
            write_atomic(options.json, (text + "\n").encode())
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    logging.getLogger(__name__).info("%s", text)


if __name__ == "__main__":
    main()
