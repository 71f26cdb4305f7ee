"""The project's validation pairs: the list of them, how it was chosen, and the folder made from it.

`validation_pairs.json` beside this module is the list: exercises by name, rendered people by the
number of person and view, each with its kind. The pictures are in no repository. Whoever has the
exercise photos and the renderer makes the folder again with

    python -m vunet.pairs --exercises PEOPLE/exercise --renders RENDERS --out DIR

after running the render commands that the list carries. `--choose` makes the list anew from the
same folders; it needs the pose detector, as do the exercises' person masks.
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from tqdm import tqdm

from vunet.holdout import hash_place, is_validation_avatar, is_validation_exercise
from vunet.images import read_image

if TYPE_CHECKING:
    from pose.estimator import Detection, PoseEstimator

LIST_PATH = Path(__file__).with_name("validation_pairs.json")
"""The list of pairs that ships with the package."""
KINDS = ("exercise", "small", "large", "turn", "side", "framing")
"""Kinds of pairs, in the order of every table."""
EXERCISES = 60
"""Exercises in the list; each gives two rows, one in each direction."""
RENDERED_PEOPLE = 100
PAIRS_PER_PERSON = 2
_RENDER = (
    "python -m render_people --out RENDERS/{name} --seed {seed} --people {people} --views 8 "
    "--height 512 --width 384 --full-body 0.65 {options}"
)
RENDER_SETS = {
    "makehuman": _RENDER.format(
        name="makehuman", seed=777, people=140, options="--makehuman-share 1"
    ),
    **{
        identity: _RENDER.format(
            name=identity,
            seed=778 + i,
            people=30,
            options=f"--makehuman-share 0 --avatars {identity}",
        )
        for i, identity in enumerate(
            ("MENA_F_1", "White_M_1", "Asian_F_3", "MENA_M_1", "Hispanic_F_2", "MENA_M_2")
        )
    },
}
"""Name of each rendered folder and the command that makes it."""

_COPIED = "the same photo belongs to an exercise that is trained on"
_PARTIAL = "the detector's mask leaves out a leg"
_STILL = "the two poses hardly differ"
REJECTED_EXERCISES = {
    "Overhead_Triceps": "a second person holds on to the first",
    "Alternating_Renegade_Row": "the detector finds a wrong pose",
    "Clock_Push-Up": "the detector finds a wrong pose",
    "Two-Arm_Kettlebell_Military_Press": _PARTIAL,
    "Seated_Head_Harness_Neck_Resistance": _PARTIAL,
    "Spinal_Stretch": _PARTIAL,
    "Balance_Board": _STILL,
    "Oblique_Crunches_-_On_The_Floor": _STILL,
    "Rocking_Standing_Calf_Raise": _STILL,
    "Seated_Floor_Hamstring_Stretch": _STILL,
    "Standing_Hamstring_and_Calf_Stretch": _STILL,
    "Stomach_Vacuum": _STILL,
    "Wrist_Circles": _STILL,
    "Cat_Stretch": _COPIED,
    "Hamstring_Stretch": _COPIED,
    "Latissimus_Dorsi-SMR": _COPIED,
    "Rear_Leg_Raises": _COPIED,
    "Side_Lying_Groin_Stretch": _COPIED,
    "Standing_Pelvic_Tilt": _COPIED,
    "Windmills": _COPIED,
}
"""Held-out exercises that give no pair, found by looking at all of them, and why."""
REJECTED_VIEWS: dict[tuple[str, int, int], str] = {}
"""(set, person, view) of renders that give no pair, found by looking, and why."""

_JUDGED_JOINTS = (0, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
"""Nose, shoulders, elbows, wrists, hips, knees and ankles in the renderer's 27 keypoints."""
_HIPS = (11, 12)
_AGREE_M = 0.12
"""A joint is found when the detector puts it this close to its exact place, in metres."""
_AGREE_SHARE = 0.85
_SMALL_M, _LARGE_M = 0.14, 0.22
"""Mean movement of the joints relative to the hips, in metres, below or above which a change of
pose counts as small or large."""


@dataclass(frozen=True)
class RenderedPair:
    """Two views of one rendered person."""

    set: str
    """Rendered folder, a key of `RENDER_SETS`."""
    person: int
    """Number of the person in that folder."""
    appearance: int
    """View that shows the look."""
    pose: int
    """View that shows the pose, and is the picture to be drawn."""
    kind: str
    """One of `KINDS` except exercise."""
    way: str
    """Direction within the kind, such as front-back."""


def _side_of(yaw_deg: float) -> str:
    yaw = abs((yaw_deg + 180.0) % 360.0 - 180.0)
    if yaw <= 35:
        return "front"
    if yaw >= 145:
        return "back"
    return "side" if 60 <= yaw <= 120 else "between"


def _yaw_apart(a: dict[str, Any], b: dict[str, Any]) -> float:
    return abs((a["yaw"] - b["yaw"] + 180.0) % 360.0 - 180.0)


def _movement_m(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Mean distance of the joints of two views, hips on hips and in metres of the picture plane."""
    placed = []
    for row in (a, b):
        points = np.array(row["keypoints"], dtype=np.float64)[:, :2]
        placed.append((points - points[list(_HIPS)].mean(axis=0)) / row["scale"])
    apart = np.linalg.norm(placed[0] - placed[1], axis=1)
    return float(apart[list(_JUDGED_JOINTS)].mean())


def kind_of(appearance: dict[str, Any], pose: dict[str, Any]) -> tuple[str, str] | None:
    """Kind and direction of a pair of index rows of one person; None if it is of no kind.

    Kinds: `turn` (front to back and back to front), `side` (side to front and front to side),
    `framing` (a half-length or knee-up view and a full one, at most 60 degrees apart), `small` and
    `large` changes of pose (both full, at most 25 and 60 degrees apart).
    """
    from_side, to_side = _side_of(appearance["yaw"]), _side_of(pose["yaw"])
    full = (appearance["framing"] == "full", pose["framing"] == "full")
    apart = _yaw_apart(appearance, pose)
    if full[0] != full[1]:
        ways = "full-cropped" if full[0] else "cropped-full"
        return ("framing", ways) if apart <= 60 and "back" not in (from_side, to_side) else None
    if not all(full):
        return None
    if {from_side, to_side} == {"front", "back"}:
        return "turn", f"{from_side}-{to_side}"
    if {from_side, to_side} == {"front", "side"}:
        return "side", f"{from_side}-{to_side}"
    moved = _movement_m(appearance, pose)
    if apart <= 25 and moved <= _SMALL_M:
        return "small", "any"
    if apart <= 60 and moved >= _LARGE_M and "back" not in (from_side, to_side):
        return "large", "any"
    return None


def detector_agrees(row: dict[str, Any], detection: Detection) -> bool:
    """Whether the detector found the person of a render about where it exactly is.

    Args:
        row: Index row of the render, with exact keypoints and `scale` in pixels per metre.
        detection: What the detector found in it.
    """
    from pose.skeletons import BODY27

    exact = np.array(row["keypoints"], dtype=np.float64)
    found = np.array([detection.pose.point(name) for name in BODY27.keypoints])
    judged = [i for i in _JUDGED_JOINTS if exact[i, 2] == 2]
    if len(judged) < 5:
        return False
    apart = np.linalg.norm(found[judged] - exact[judged, :2], axis=1) / row["scale"]
    return bool((apart <= _AGREE_M).mean() >= _AGREE_SHARE)


def _write_mask(path: Path, mask: np.ndarray) -> None:
    """Write a (H, W) float mask in [0, 1] as an 8-bit PNG."""
    cv2.imwrite(str(path), np.round(255 * np.clip(mask, 0, 1)).astype(np.uint8))


def choose_exercises(folder: Path, count: int = EXERCISES) -> list[str]:
    """The first held-out exercises, in the order of their hash, that give a pair.

    Args:
        folder: One folder per exercise, with 0.jpg and 1.jpg.
        count: How many.

    Raises:
        ValueError: If there are fewer.
    """
    names = [
        path.name
        for path in folder.iterdir()
        if is_validation_exercise(path.name)
        and path.name not in REJECTED_EXERCISES
        and all((path / f"{i}.jpg").is_file() for i in (0, 1))
    ]
    names = sorted(names, key=hash_place)
    estimator = _estimator()
    chosen = []
    for name in tqdm(names, desc="exercises", unit="pair"):
        photos = [read_image(folder / name / f"{i}.jpg") for i in (0, 1)]
        if all(estimator.find(photo) for photo in photos):
            chosen.append(name)
        if len(chosen) == count:
            return chosen
    raise ValueError(f"{folder}: only {len(chosen)} usable held-out exercises, {count} are needed")


def _index_rows(folder: Path) -> Iterable[tuple[int, list[dict[str, Any]]]]:
    """Person and index rows of each person of a rendered folder that is never trained on."""
    index = folder / "index.jsonl"
    if not index.is_file():
        raise ValueError(f"{index}: missing; make it with: {RENDER_SETS[folder.name]}")
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    for person in sorted({row["person"] for row in rows}):
        views = [row for row in rows if row["person"] == person]
        avatar = views[0]["character"].get("avatar")
        if avatar is None or is_validation_avatar(avatar):
            yield person, views


def choose_rendered(renders: Path) -> list[RenderedPair]:
    """Two pairs, of different kinds, of each of 100 people, 40 of each kind.

    Half the people are avatars and half MakeHuman's. Candidates are taken in the order of a hash,
    never by how a picture looks.

    Args:
        renders: Folder with one rendered folder per key of `RENDER_SETS`.

    Raises:
        ValueError: If the renders do not give so many.
    """
    estimator = _estimator()
    offers: dict[tuple[str, int], list[RenderedPair]] = {}
    for name in tqdm(RENDER_SETS, desc="rendered sets", unit="set"):
        for person, views in _index_rows(renders / name):
            good = []
            for row in views:
                found = estimator.find(read_image(renders / name / row["files"]["rgb"]))
                rejected = (name, person, row["view"]) in REJECTED_VIEWS
                if found and not rejected and detector_agrees(row, found[0]):
                    good.append(row)
            pairs = [
                RenderedPair(name, person, a["view"], b["view"], *kind)
                for a in good
                for b in good
                if a is not b and (kind := kind_of(a, b))
            ]
            offers[name, person] = sorted(pairs, key=lambda pair: hash_place(repr(pair)))
    return _assign(offers)


def _assign(offers: dict[tuple[str, int], list[RenderedPair]]) -> list[RenderedPair]:
    """Choose pairs so that kinds, directions and sources of people come out even."""
    per_kind = RENDERED_PEOPLE * PAIRS_PER_PERSON // (len(KINDS) - 1)
    quota = {(kind, "any"): per_kind for kind in ("small", "large")}
    for kind, one, other in (
        ("turn", "front-back", "back-front"),
        ("side", "front-side", "side-front"),
        ("framing", "full-cropped", "cropped-full"),
    ):
        quota[kind, one] = quota[kind, other] = per_kind // 2
    people = {"makehuman": RENDERED_PEOPLE // 2, "avatar": RENDERED_PEOPLE // 2}
    chosen: list[RenderedPair] = []
    waiting = sorted(offers, key=lambda key: hash_place(repr(key)))
    while waiting and sum(people.values()):
        offered = Counter(k for key in waiting for k in {(p.kind, p.way) for p in offers[key]})

        def need(pair: RenderedPair, offered: Counter[tuple[str, str]] = offered) -> float:
            """How urgently a kind needs this pair: what it lacks over what is still offered."""
            lacking = sum(left for (kind, _), left in quota.items() if kind == pair.kind)
            # a person gives at most one pair of a kind, so a kind must not be left for the end
            now_or_never = 10.0 if lacking >= sum(people.values()) else 0.0
            left = quota[pair.kind, pair.way]
            return left and now_or_never + left / max(1, offered[pair.kind, pair.way])

        best: tuple[float, tuple[str, int], list[RenderedPair]] | None = None
        for key in waiting:
            if not people["makehuman" if key[0] == "makehuman" else "avatar"]:
                continue
            mine: list[RenderedPair] = []
            for pair in sorted(offers[key], key=need, reverse=True):
                taken = {p.kind for p in mine} | {p.pose for p in mine}
                if need(pair) > 0 and pair.kind not in taken and pair.pose not in taken:
                    mine.append(pair)
                if len(mine) == PAIRS_PER_PERSON:
                    break
            score = sum(map(need, mine))
            if len(mine) == PAIRS_PER_PERSON and (best is None or score > best[0]):
                best = (score, key, mine)
        if best is None:
            break
        _, key, mine = best
        for pair in mine:
            quota[pair.kind, pair.way] -= 1
        people["makehuman" if key[0] == "makehuman" else "avatar"] -= 1
        chosen += mine
        waiting.remove(key)
    if any(quota.values()):
        raise ValueError(f"the renders do not give enough pairs; still missing: {quota}")
    return sorted(chosen, key=lambda p: (KINDS.index(p.kind), p.way, p.set, p.person))


def _estimator() -> PoseEstimator:
    from pose.estimator import PoseEstimator

    return PoseEstimator()


def read_list(path: Path = LIST_PATH) -> tuple[list[str], list[RenderedPair]]:
    """Exercises and rendered pairs of a list.

    Raises:
        ValueError: If the file is no such list.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return list(content["exercise"]), [RenderedPair(**row) for row in content["rendered"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a list of validation pairs ({error})") from error


def write_list(exercises: Sequence[str], rendered: Sequence[RenderedPair], path: Path) -> None:
    """Write a list of pairs, one row per line, with the commands that render its people."""
    rows = ",\n  ".join(json.dumps(asdict(pair)) for pair in rendered)
    names = ",\n  ".join(json.dumps(name) for name in exercises)
    commands = json.dumps(list(RENDER_SETS.values()), indent=2).replace("\n", "\n ")
    path.write_text(
        f'{{\n "render_commands": {commands},\n "exercise": [\n  {names}\n ],\n'
        f' "rendered": [\n  {rows}\n ]\n}}\n',
        encoding="utf-8",
    )


def build(exercises_dir: Path, renders: Path, out: Path, list_path: Path = LIST_PATH) -> Path:
    """Make the validation folder from the list.

    Args:
        exercises_dir: One folder per exercise, with 0.jpg and 1.jpg.
        renders: One rendered folder per key of `RENDER_SETS`.
        out: Folder to write: `pairs.csv` with the columns appearance, pose, kind and mask (the
            person's mask in the pose photo), and the pictures that it names.
        list_path: The list of pairs.

    Returns:
        Path of `pairs.csv`.

    Raises:
        ValueError: If a picture of the list is missing.
    """
    exercises, rendered = read_list(list_path)
    for sub in ("exercise", "rendered", "masks"):
        (out / sub).mkdir(parents=True, exist_ok=True)
    rows: list[tuple[str, str, str, str]] = []
    estimator = _estimator()
    for name in tqdm(exercises, desc="exercises", unit="pair"):
        files = [f"exercise/{name}_{i}.jpg" for i in (0, 1)]
        masks = [f"masks/{name}_{i}.png" for i in (0, 1)]
        for i in (0, 1):
            photo = exercises_dir / name / f"{i}.jpg"
            mask = estimator.find_one(read_image(photo), str(photo)).mask
            shutil.copyfile(photo, out / files[i])
            _write_mask(out / masks[i], mask)
        rows += [(files[0], files[1], "exercise", masks[1])]
        rows += [(files[1], files[0], "exercise", masks[0])]
    for pair in tqdm(rendered, desc="rendered", unit="pair"):
        names = {}
        for view in (pair.appearance, pair.pose):
            stem = f"{pair.set}_{pair.person:03d}_{view:02d}"
            source = renders / pair.set / "people" / f"{pair.person:06d}" / f"{view:02d}"
            photo, mask = Path(f"{source}_rgb.jpg"), Path(f"{source}_mask.png")
            for path in (photo, mask):
                if not path.is_file():
                    raise ValueError(f"{path}: missing; make it with: {RENDER_SETS[pair.set]}")
            shutil.copyfile(photo, out / "rendered" / f"{stem}.jpg")
            shutil.copyfile(mask, out / "masks" / f"{stem}.png")
            names[view] = stem
        appearance, pose = names[pair.appearance], names[pair.pose]
        rows += [
            (f"rendered/{appearance}.jpg", f"rendered/{pose}.jpg", pair.kind, f"masks/{pose}.png")
        ]
    path = out / "pairs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("appearance", "pose", "kind", "mask"))
        writer.writerows(rows)
    return path


def contact_sheet(pairs_csv: Path, kind: str, columns: int = 8, height_px: int = 150) -> np.ndarray:
    """All pairs of one kind side by side (appearance, pose), to be looked at.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    with pairs_csv.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == kind]
    tiles = []
    for row in rows:
        tile = np.full((height_px, 2 * height_px, 3), 128, np.uint8)
        for i, column in enumerate(("appearance", "pose")):
            photo = read_image(pairs_csv.parent / row[column])
            ratio = height_px / max(photo.shape[:2])
            wh = (math.floor(photo.shape[1] * ratio), math.floor(photo.shape[0] * ratio))
            small = cv2.resize(photo, wh, interpolation=cv2.INTER_AREA)
            tile[: wh[1], i * height_px : i * height_px + wh[0]] = small
        tiles.append(tile)
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    lines = [np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)]
    return np.vstack(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: make the validation folder, and with --choose the list itself."""
    parser = argparse.ArgumentParser(prog="python -m vunet.pairs", description=main.__doc__)
    parser.add_argument("--exercises", type=Path, required=True, help="folder of exercise photos")
    parser.add_argument("--renders", type=Path, required=True, help="folder of rendered sets")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--list", type=Path, default=LIST_PATH, help="list of pairs (JSON)")
    parser.add_argument("--choose", action="store_true", help="choose the list anew first")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if options.choose:
            exercises = choose_exercises(options.exercises)
            write_list(exercises, choose_rendered(options.renders), options.list)
        path = build(options.exercises, options.renders, options.out, options.list)
    except ValueError as error:
        parser.exit(2, f"{error}\n")
    logging.getLogger(__name__).info("%s", path)


if __name__ == "__main__":
    main()
