"""Reads and writes poses as the world's tools write them: OpenPose, ControlNet, COCO, MediaPipe.

A file is recognised by what is in it, not by its name. Coordinates become pixels; a keypoint of
confidence 0 is missing, whatever its coordinates. What cannot be read is refused with one sentence:
`PoseFileError`.

Bodies of DWPose's 24 keypoints, Halpe's 26 and COCO-WholeBody's 23 become OPENPOSE25, whose neck
and middle of the hips are derived where they have none. Passed over are the top of Halpe's head and
the points of hands and faces, be they in arrays of their own or behind the body's (Halpe's 136,
COCO-WholeBody's 133).

Confidences:
- OpenPose and MediaPipe: the number itself; above 1 counts as 1. ControlNet's own reader takes
  anything below 1 for missing.
- Where there is none, or null, a keypoint counts as seen, unless it is at (0, 0) or (-1, -1).
- COCO: flag 0 is missing, 1 (marked but hidden) is 0.5 and 2 (visible) is 1. If any third number
  of a person is a fraction, all of that person's are confidences, as in files of detections.

Coordinates of an OpenPose or COCO person are fractions of the picture if none exceeds 2, those of
MediaPipe if none exceeds 8 (it guesses joints well outside the picture).
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

import numpy as np

from pose.convert import convert
from pose.skeletons import (
    COCO17,
    MEDIAPIPE33,
    OPENPOSE18,
    OPENPOSE25,
    SKELETONS,
    VUNET15,
    Skeleton,
)
from pose.types import MAX_COORDINATE_PX, Pose

Format = Literal["native", "openpose", "coco", "mediapipe"]

MAX_FILE_BYTES = 20_000_000
"""Larger pose files are not opened."""

_NATIVE = "vunet-pose"
_MAX_DEPTH = 6
_MAX_SIDE_PX = 65_535
_FRACTION_BOUND = 2.0
_MEDIAPIPE_FRACTION_BOUND = 8.0
_HIDDEN = 0.5
_MISSING = (math.nan, math.nan, 0.0)
_FEET = OPENPOSE25.keypoints[-6:]
_DWPOSE24 = Skeleton("dwpose24", (*OPENPOSE18.keypoints, *_FEET), ())
_WHOLEBODY23 = Skeleton("wholebody23", (*COCO17.keypoints, *_FEET), ())
_HALPE26 = Skeleton(
    "halpe26",
    (
        *(*COCO17.keypoints, "head_top", "neck", "mid_hip"),
        *(f"{s}_{end}" for end in ("foot_index", "small_toe", "heel") for s in ("left", "right")),
    ),
    (),
)
_BY_COUNT = {
    **{len(s): s for s in (COCO17, OPENPOSE18, OPENPOSE25, MEDIAPIPE33, _DWPOSE24, _HALPE26)},
    133: _WHOLEBODY23,
    136: _HALPE26,
}
"""The skeleton of the first, or all, of so many keypoints. Those of this file become OPENPOSE25."""
_OPENPOSE_NUMBERS = {3 * 18: 18, 3 * 24: 24, 3 * 25: 25, 2 * 18: 18, 2 * 25: 25}
_COCO_NUMBERS = {3 * 17: 17, 3 * 26: 26, 3 * 133: 133, 3 * 136: 136, 2 * 17: 17}
"""How many numbers one after another stand for how many keypoints: x, y, confidence or x, y."""
_LANDMARK_KEYS = ("pose_landmarks", "poseLandmarks", "landmarks", "landmark", "pose")
_NESTING_KEYS = ("poses", "instances", "instance_info", "predictions", "frames")
_SIZE_KEYS = (
    ("canvas_height", "canvas_width"),
    ("image_height", "image_width"),
    ("height", "width"),
    ("imageHeight", "imageWidth"),
)
_SCORE_KEYS = ("keypoint_scores", "keypoints_scores", "kp_scores")
_PEOPLE_KEYS = ("people", "bodies")
_PERSON_KEYS = ("pose_keypoints_2d", "pose_keypoints", "joints")
_KNOWN = "OpenPose, ControlNet, COCO, MediaPipe or this program's own JSON"

Size = tuple[int, int] | None


class PoseFileError(ValueError):
    """A pose file that cannot be read or written, in one sentence for its user."""


def read_poses(path: str | Path, size: tuple[int, int] | None = None) -> list[Pose]:
    """Read the people of a pose file.

    Args:
        path: A JSON file of any known format, or a CSV of keypoints as PATN's.
        size: (height, width) in pixels of the picture, for files that give positions as fractions
            of a picture whose size they do not tell. The file's own size goes first.

    Returns:
        The poses in the file's order, those of all its frames or pictures one after another. May
        be empty. People without any keypoint are left out, except in this program's own format.

    Raises:
        PoseFileError: If the file cannot be read or is not such a file.
    """
    path = Path(path)
    content = _content(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(_decode(content, str(path)), str(path))
    return parse_poses(content, str(path), size)


def read_frames(path: str | Path) -> list[list[Pose]]:
    """Read a pose file that holds a moving person, frame by frame.

    A frame is an entry of a list, of "frames" and the like, or of an object that names its
    pictures; in a COCO file a picture; in this program's own format and in a CSV each pose is one.

    Args:
        path: As for `read_poses`.

    Returns:
        The people of each frame; none where nobody was found in it.

    Raises:
        PoseFileError: As `read_poses`.
    """
    path = Path(path)
    content, name = _content(path), str(path)
    if path.suffix.lower() == ".csv":
        return [[pose] for pose in _read_csv(_decode(content, name), name)]
    node = _load(content, name)
    if isinstance(node, dict) and node.get("format") == _NATIVE:
        return [[pose] for pose in parse_poses(node, name)]
    size = _size(node, name) if isinstance(node, dict) else None
    return [parse_poses(frame, name, size) if frame else [] for frame in _frames(node, name)]


def _frames(node: Any, name: str) -> list[Any]:  # noqa: ANN401
    """What stands for the frames in a JSON value; the value alone if it is one frame's."""
    if isinstance(node, dict) and "annotations" in node:
        groups: dict[str, list[Any]] = {}
        for image in _list_of(node.get("images"), "images", name):
            if isinstance(image, dict):
                groups[str(image.get("id"))] = []
        for annotation in _list_of(node["annotations"], "annotations", name):
            if isinstance(annotation, dict):
                groups.setdefault(str(annotation.get("image_id")), []).append(annotation)
        return [{**node, "annotations": group} for group in groups.values()]
    if isinstance(node, dict) and "people" not in node:
        lists = (node.get(key) for key in _NESTING_KEYS)
        node = next((found for found in lists if isinstance(found, list)), node)
        node = _named_pictures(node) or node
    first = next(filter(None, node), None) if isinstance(node, list) else None
    if not isinstance(node, list) or not isinstance(first, (dict, list)) or _is_point(first):
        return [node]
    if isinstance(first, dict) and "image_id" in first:  # COCO's results
        items = [item for item in node if isinstance(item, dict)]
        return [list(group) for _, group in groupby(items, key=lambda item: item.get("image_id"))]
    return node


def _content(path: Path) -> bytes:
    """The bytes of a pose file.

    Raises:
        PoseFileError: If it cannot be read.
    """
    name = str(path)
    try:
        if path.is_dir():
            raise PoseFileError(f"{name}: this is a folder; name a pose file in it")
        if not path.exists():
            raise PoseFileError(f"{name}: there is no such file; check the path")
        if not path.is_file():
            raise PoseFileError(f"{name}: this is not an ordinary file; save the pose as JSON")
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PoseFileError(
                f"{name}: the file is larger than {MAX_FILE_BYTES // 1_000_000} MB; "
                "split it into smaller ones"
            )
        return path.read_bytes()
    except OSError as error:
        raise PoseFileError(
            f"{name}: the file cannot be read ({error.strerror}); check its name and permissions"
        ) from error


def parse_poses(
    source: str | bytes | dict[str, Any] | list[Any],
    name: str = "pose",
    size: tuple[int, int] | None = None,
) -> list[Pose]:
    """Read the people of a JSON text, or of the object that one stands for.

    Args:
        source: JSON text, UTF-8 bytes of it, or the object after `json.loads`.
        name: What error messages call it.
        size: As in `read_poses`.

    Returns:
        As `read_poses`.

    Raises:
        PoseFileError: If it is not of a known format, with `name` in the message.
    """
    if isinstance(source, (str, bytes)):
        source = _load(source, name)
    try:
        return list(_people(source, size, name, 0))
    except RecursionError as error:
        raise PoseFileError(f"{name}: {_nested()}") from error


def dump_poses(poses: Sequence[Pose], format: Format = "native") -> str:
    """Write poses as JSON text.

    Poses are converted to a skeleton that the format has: OPENPOSE25 or OPENPOSE18 (the latter
    for those without feet), COCO17, MEDIAPIPE33. Keypoints of confidence 0 are written as missing
    except in the native format, which alone keeps everything.

    Args:
        poses: Any poses, of one picture or of several.
        format: "native", "openpose" (a list of frames where the sizes differ), "coco" (a whole
            data set, so that sizes have a place) or "mediapipe" (a list where the sizes differ).

    Returns:
        JSON text without NaN, which `parse_poses` reads back in the same order.

    Raises:
        ValueError: If the format is unknown, or is "mediapipe" and a pose has no size.
    """
    if format not in get_args(Format):
        raise ValueError(
            f"unknown pose format {format!r}; choose from {', '.join(get_args(Format))}"
        )
    write = {
        "native": _dump_native,
        "openpose": _dump_openpose,
        "coco": _dump_coco,
        "mediapipe": _dump_mediapipe,
    }[format]
    return json.dumps(write(poses), allow_nan=False) + "\n"


def write_poses(poses: Sequence[Pose], path: str | Path, format: Format = "native") -> None:
    """Write poses as a JSON file, which appears only when it is complete.

    Args:
        poses: Any poses.
        path: The file to write; replaced if it exists.
        format: As in `dump_poses`.

    Raises:
        PoseFileError: If the file cannot be written.
        ValueError: As `dump_poses`.
    """
    path, text = Path(path), dump_poses(poses, format)
    scratch = (
        path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp") if path.name else path
    )
    try:
        if path.is_dir():
            raise PoseFileError(f"{path}: this is a folder; name the file to write in it")
        try:
            with scratch.open("x", encoding="utf-8") as file:
                file.write(text)
            scratch.replace(path)
        finally:
            scratch.unlink(missing_ok=True)
    except OSError as error:
        raise PoseFileError(
            f"{path}: the file cannot be written ({error.strerror}); choose another place"
        ) from error


# -- text ------------------------------------------------------------------------------------


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PoseFileError(
            f"{name}: this is not text in UTF-8; save the pose as UTF-8 JSON"
        ) from error


def _nested() -> str:
    return "the JSON is nested deeper than any pose; export the pose again"


def _load(text: str | bytes, name: str) -> Any:  # noqa: ANN401 - JSON is of any type
    if len(text) > MAX_FILE_BYTES:
        raise PoseFileError(f"{name}: more than {MAX_FILE_BYTES // 1_000_000} MB of JSON; split it")
    text = _decode(text, name) if isinstance(text, bytes) else text.removeprefix("\ufeff")
    if not text.strip():
        raise PoseFileError(f"{name}: the file is empty; export the pose again")

    def refuse(constant: str) -> NoReturn:
        raise PoseFileError(
            f"{name}: it holds {constant}, which is not a number; "
            "mark missing keypoints with confidence 0"
        )

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise PoseFileError(f"{name}: {_nested()}") from error
    except json.JSONDecodeError as error:
        raise PoseFileError(
            f"{name}: this is not JSON (line {error.lineno}); a pose file is one of {_KNOWN}"
        ) from error
    except PoseFileError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise PoseFileError(
            f"{name}: it holds a number too large to read; export the pose again"
        ) from error


def _number(value: object, name: str) -> float:
    """A finite float; anything else, booleans and text included, is refused."""
    if type(value) not in (int, float):
        kind = {str: "text", bool: "true or false", type(None): "null"}.get(type(value), "a list")
        raise PoseFileError(
            f"{name}: a keypoint holds {kind} where a number is expected; export the pose again"
        )
    if not abs(value) <= MAX_COORDINATE_PX:  # type: ignore[arg-type, operator]
        raise PoseFileError(
            f"{name}: a keypoint holds a number beyond {MAX_COORDINATE_PX:.0f}; "
            "positions are given in pixels or as fractions of the picture"
        )
    return float(value)  # type: ignore[arg-type]


# -- reading: which format is it? ------------------------------------------------------------


def _people(node: Any, size: Size, name: str, depth: int) -> Iterator[Pose]:  # noqa: ANN401
    """The poses in a JSON value, whichever format they are in."""
    if depth > _MAX_DEPTH:
        raise PoseFileError(f"{name}: {_nested()}")
    if isinstance(node, dict):
        yield from _people_of_object(node, _size(node, name) or size, name, depth)
    elif isinstance(node, list):
        yield from _people_of_list(node, size, name, depth)
    else:
        raise PoseFileError(f"{name}: there is no pose in it; a pose file is one of {_KNOWN}")


def _people_of_object(node: dict[str, Any], size: Size, name: str, depth: int) -> Iterator[Pose]:
    if node.get("format") == _NATIVE:
        yield from _read_native(node, name)
    elif "annotations" in node:
        yield from _read_dataset(node, size, name)
    elif people := next((key for key in _PEOPLE_KEYS if key in node), None):
        for person in _list_of(node[people], people, name):
            if person is None:
                continue
            if not isinstance(person, dict):
                raise PoseFileError(
                    f"{name}: an entry of {people} is not an object with pose_keypoints_2d; "
                    "export the pose again"
                )
            if "keypoints" in person and not set(_PERSON_KEYS) & set(person):
                yield from _read_keypoints(person, size, name)
            else:
                yield from _read_openpose(person, size, name)
    elif "pose_keypoints_2d" in node or "pose_keypoints" in node:
        yield from _read_openpose(node, size, name)
    elif "keypoints" in node:
        yield from _read_keypoints(node, size, name)
    else:
        for key in (*_LANDMARK_KEYS, *_NESTING_KEYS):
            if node.get(key) is not None:
                inner = node[key]
                if not isinstance(inner, (dict, list)):
                    break
                yield from _people(inner, size, name, depth + 1)
                return
            if key in node:  # null: the detector saw nobody
                return
        if pictures := _named_pictures(node):
            yield from _people(pictures, size, name, depth + 1)
            return
        if any("orld" in key and "andmarks" in key for key in node):
            raise PoseFileError(
                f"{name}: it holds world landmarks only, which have no place in a picture; "
                "save pose_landmarks instead"
            )
        raise PoseFileError(f"{name}: there is no pose in it; a pose file is one of {_KNOWN}")


def _people_of_list(node: list[Any], size: Size, name: str, depth: int) -> Iterator[Pose]:
    first = next((item for item in node if item is not None), None)
    if type(first) in (int, float):
        yield from _read_flat(node, size, name)
    elif isinstance(first, (dict, list)) and _is_point(first):
        yield from _read_points(node, None, size, name)
    elif isinstance(first, (dict, list)) or first is None:
        for item in node:
            if item is not None:
                yield from _people(item, size, name, depth + 1)
    else:
        raise PoseFileError(f"{name}: there is no pose in it; a pose file is one of {_KNOWN}")


def _named_pictures(node: dict[str, Any] | list[Any]) -> list[Any]:
    """The values of an object that has one for each picture, as AlphaPose's by file name."""
    values = list(node.values()) if isinstance(node, dict) else []
    entries = [e for value in values for e in (value if isinstance(value, list) else [value])]
    keys = {*_PEOPLE_KEYS, "keypoints"}
    known = bool(entries) and all(isinstance(e, dict) and keys & set(e) for e in entries)
    return values if known else []


def _is_point(item: dict[str, Any] | list[Any]) -> bool:
    """Whether something is one keypoint: {"x", "y", ...}, [x, y], [x, y, c] or [x, y, z, v]."""
    if isinstance(item, dict):
        return {"x", "y"} <= {str(key).lower() for key in item}
    return 2 <= len(item) <= 5 and not any(isinstance(part, (dict, list)) for part in item)


def _list_of(value: object, what: str, name: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise PoseFileError(f"{name}: {what} is not a list; export the pose again")
    return value


def _size(node: dict[str, Any], name: str) -> Size:
    """(height, width) where an object tells it."""
    for keys in _SIZE_KEYS:
        height, width = (node.get(key) for key in keys)
        if height is not None and width is not None:
            return _side(height, name), _side(width, name)
    return None


def _side(value: object, name: str) -> int:
    if type(value) not in (int, float) or not 1 <= value <= _MAX_SIDE_PX or value % 1:  # type: ignore[operator]
        raise PoseFileError(
            f"{name}: width and height of the picture must be whole numbers of pixels "
            f"from 1 to {_MAX_SIDE_PX}; correct them"
        )
    return int(value)  # type: ignore[arg-type, call-overload]


# -- reading: one person ---------------------------------------------------------------------


def _pose(
    table: np.ndarray,
    confidence: np.ndarray,
    size: Size,
    name: str,
    fraction_bound: float = _FRACTION_BOUND,
) -> Iterator[Pose]:
    """The pose, unless it has no keypoint at all; fractions of the picture become pixels."""
    skeleton = _BY_COUNT[len(table)]
    points, confidence = table[: len(skeleton), :2], confidence[: len(skeleton)]
    missing = ~(confidence > 0) | np.isnan(points).any(axis=1)
    points = np.where(missing[:, None], np.nan, points)
    confidence = np.where(missing, 0.0, np.minimum(confidence, 1.0))
    if missing.all():
        return
    if np.nanmax(np.abs(points)) <= fraction_bound:
        if size is None:
            way_out = (
                'write it as {"image_width": ..., "image_height": ..., "pose_landmarks": [...]}'
                if skeleton is MEDIAPIPE33
                else "add canvas_width and canvas_height in pixels"
            )
            raise PoseFileError(
                f"{name}: positions are fractions of a picture of unknown size; {way_out}"
            )
        points = points * (size[1], size[0])
    pose = Pose(skeleton, points, confidence, size)
    pose = pose if skeleton.name in SKELETONS else convert(pose, OPENPOSE25)
    if pose.present.any():
        yield pose


def _rows(numbers: list[Any], count: int, name: str) -> np.ndarray:
    """(count, 3) x, y, confidence of x, y, confidence or x, y after one another."""
    step = len(numbers) // count
    rows = (numbers[i : i + step] for i in range(0, len(numbers), step))
    return np.array([_seen(row[0], row[1], next(iter(row[2:]), None), name) for row in rows])


def _read_openpose(person: dict[str, Any], size: Size, name: str) -> Iterator[Pose]:
    key = next((key for key in _PERSON_KEYS if key in person), _PERSON_KEYS[0])
    numbers = _list_of(person.get(key), key, name)
    if not numbers:
        return
    if isinstance(numbers[0], (dict, list)):
        yield from _read_points(numbers, None, size, name)
        return
    count = _OPENPOSE_NUMBERS.get(len(numbers))
    if count is None:
        raise PoseFileError(
            f"{name}: a person has {len(numbers)} numbers where OpenPose writes 54 or 75 "
            "(18 or 25 keypoints); export with the COCO or BODY_25 model"
        )
    table = _rows(numbers, count, name)
    yield from _pose(table, table[:, 2], size, name)


def _read_coco(numbers: list[Any], size: Size, name: str) -> Iterator[Pose]:
    count = _COCO_NUMBERS.get(len(numbers))
    if count is None:
        raise PoseFileError(
            f"{name}: a person has {len(numbers)} numbers where COCO has 51 (17 keypoints); "
            "export the 17 body keypoints"
        )
    table = _rows(numbers, count, name)
    third = table[:, 2]
    flags = np.isin(third[: len(_BY_COUNT[count])], (0.0, 1.0, 2.0)).all()
    if flags and len(numbers) == 3 * count:
        third = third * _HIDDEN
    yield from _pose(table, third, size, name)


def _read_flat(numbers: list[Any], size: Size, name: str) -> Iterator[Pose]:
    """Numbers of a person that do not say whose they are: their count does."""
    if len(numbers) in _COCO_NUMBERS:
        yield from _read_coco(numbers, size, name)
    else:
        yield from _read_openpose({"pose_keypoints_2d": numbers}, size, name)


def _read_keypoints(node: dict[str, Any], size: Size, name: str) -> Iterator[Pose]:
    """An object with "keypoints": COCO's, a pose editor's, MMPose's or TensorFlow.js's."""
    items = _list_of(node["keypoints"], "keypoints", name)
    first = next((item for item in items if item is not None and item != []), None)
    if first is None:
        return
    if not isinstance(first, (dict, list)):
        if len(items) in _OPENPOSE_NUMBERS:
            yield from _read_openpose({"pose_keypoints_2d": items}, size, name)
        else:
            yield from _read_coco(items, size, name)
    elif isinstance(first, list) and isinstance(first[0], (dict, list)):
        for person in items:
            if person:
                yield from _read_points(_list_of(person, "keypoints", name), None, size, name)
    else:
        scores = next((node[key] for key in _SCORE_KEYS if key in node), None)
        yield from _read_points(items, scores, size, name)


def _read_points(items: list[Any], scores: object, size: Size, name: str) -> Iterator[Pose]:
    """A list with an entry per keypoint; the number of entries tells the skeleton."""
    skeleton = _BY_COUNT.get(len(items))
    if skeleton is None:
        raise PoseFileError(
            f"{name}: a person has {len(items)} keypoints, which is not COCO's 17, "
            "OpenPose's 18 or 25, MediaPipe's 33, COCO-WholeBody's 133 or Halpe's 26 or 136; "
            "export one of these"
        )
    lists = [item for item in items if isinstance(item, list) and len(item) > 2]
    if [item[0] for item in lists] == list(range(len(items))):
        items = [item[1:] for item in items]  # [index, x, y, ...]
    # [x, y, c], but MediaPipe's third number is a depth: [x, y, z, visibility].
    table = np.array([_point(item, skeleton is MEDIAPIPE33, name) for item in items])
    if scores is not None:
        given = [_number(score, name) for score in _list_of(scores, "keypoint_scores", name)]
        if len(given) != len(items):
            raise PoseFileError(
                f"{name}: there are {len(given)} keypoint_scores for {len(items)} keypoints; "
                "export the pose again"
            )
        table[:, 2] = given
    elif len(items) in _COCO_NUMBERS.values():
        third = table[: len(skeleton), 2]
        if np.isin(third, (0.0, 1.0, 2.0)).all() and (third == 2).any():
            third *= _HIDDEN
    bound = _MEDIAPIPE_FRACTION_BOUND if skeleton is MEDIAPIPE33 else _FRACTION_BOUND
    yield from _pose(table, table[:, 2], size, name, bound)


def _point(item: object, depth: bool, name: str) -> tuple[float, float, float]:
    """x, y, confidence of one keypoint, whose third number may be a depth; null is missing."""
    if item is None:
        return _MISSING
    if isinstance(item, dict):
        entry = {str(key).lower(): value for key, value in item.items()}
        keys = ("visibility", "score", "confidence", "c", "v", "visible")
        confidence = next((entry[key] for key in keys if key in entry), None)
        visible = entry.get("visible")
        if isinstance(visible, bool) and confidence is visible:
            confidence = float(visible)
        return _seen(entry.get("x"), entry.get("y"), confidence, name, unset=())
    if isinstance(item, list) and _is_point(item):
        third = item[3:] if depth or len(item) > 3 else item[2:]
        return _seen(item[0], item[1], next(iter(third), None), name)
    raise PoseFileError(
        f"{name}: an entry of the keypoints is not a point with x and y; export the pose again"
    )


def _seen(
    x: object,
    y: object,
    confidence: object,
    name: str,
    unset: tuple[tuple[float, float], ...] = ((0.0, 0.0), (-1.0, -1.0)),
) -> tuple[float, float, float]:
    """x, y, confidence; missing where both coordinates are null, or unset without a confidence."""
    if x is None and y is None:
        return _MISSING
    x, y = _number(x, name), _number(y, name)
    if confidence is None:
        return _MISSING if (x, y) in unset else (x, y, 1.0)
    return x, y, _number(confidence, name)


# -- reading: COCO data sets, our own, PATN's --------------------------------------------------


def _read_dataset(node: dict[str, Any], size: Size, name: str) -> Iterator[Pose]:
    sizes = {}
    for image in _list_of(node.get("images"), "images", name):
        if isinstance(image, dict):
            sizes[str(image.get("id"))] = _size(image, name)
    for annotation in _list_of(node["annotations"], "annotations", name):
        if not isinstance(annotation, dict):
            raise PoseFileError(f"{name}: an annotation is not an object; export the data again")
        if annotation.get("keypoints") is not None:  # other things than people have none
            own = sizes.get(str(annotation.get("image_id"))) or size
            yield from _read_keypoints(annotation, own, name)


def _read_native(node: dict[str, Any], name: str) -> Iterator[Pose]:
    if node.get("version") != 1 or isinstance(node.get("version"), bool):
        raise PoseFileError(
            f"{name}: this is version {str(node.get('version'))[:20]} of the format, "
            "and only version 1 is known; use a newer release of this program"
        )
    for entry in _list_of(node.get("poses"), "poses", name):
        skeleton = SKELETONS.get(str(entry.get("skeleton"))) if isinstance(entry, dict) else None
        if skeleton is None:
            raise PoseFileError(
                f"{name}: a pose names no known skeleton; known are {', '.join(SKELETONS)}"
            )
        points = _list_of(entry.get("keypoints"), "keypoints", name)
        confidence = _list_of(entry.get("confidence"), "confidence", name)
        if len(points) != len(skeleton) or len(confidence) != len(skeleton):
            raise PoseFileError(
                f"{name}: a {skeleton.name} pose has {len(points)} keypoints and "
                f"{len(confidence)} confidences where each should be {len(skeleton)}; "
                "export it again"
            )
        table = []
        for point in points:
            if point is None or point == [None, None]:
                table.append((math.nan, math.nan))
            elif isinstance(point, list) and len(point) == 2:
                table.append(tuple(_number(value, name) for value in point))
            else:
                raise PoseFileError(f"{name}: a keypoint is not [x, y] or null; export it again")
        size = entry.get("size")
        if size is not None:
            sides = _list_of(size, "size", name)
            if len(sides) != 2:
                raise PoseFileError(f"{name}: size is not [height, width]; correct it")
            size = _side(sides[0], name), _side(sides[1], name)
        numbers = [_number(value, name) for value in confidence]
        try:
            yield Pose(skeleton, np.array(table), np.array(numbers), size)
        except ValueError as error:
            raise PoseFileError(f"{name}: {error}; correct it or export it again") from error


def _read_csv(text: str, name: str) -> list[Pose]:
    """PATN's tables: rows of name:keypoints_y:keypoints_x, 18 joints, -1 where missing."""
    poses = []
    for row in text.splitlines():
        fields = row.split(":")
        if not row.strip() or fields[-1].strip() == "keypoints_x":
            continue
        if len(fields) != 3:
            raise PoseFileError(
                f"{name}: a row is not name:keypoints_y:keypoints_x; a CSV of poses is as PATN's"
            )
        columns = [_list_of(_load(field, name), "a column", name) for field in fields[1:]]
        y, x = ([_number(value, name) for value in column] for column in columns)
        if len(x) != len(OPENPOSE18) or len(y) != len(OPENPOSE18):
            raise PoseFileError(f"{name}: a row has not 18 keypoints; a CSV of poses is as PATN's")
        points = np.stack([x, y], axis=1)
        confidence = np.where((points == -1).any(axis=1), 0.0, 1.0)
        # PATN's coordinates are always pixels.
        poses += _pose(points, confidence, None, name, fraction_bound=-1.0)
    return poses


# -- writing ---------------------------------------------------------------------------------


def _numbers(pose: Pose) -> list[list[float]]:
    """[x, y, confidence] per keypoint; zeros where missing."""
    seen = pose.present & (pose.confidence > 0)
    table = np.column_stack([np.nan_to_num(pose.keypoints), pose.confidence])
    return np.where(seen[:, None], table, 0.0).tolist()


def _dump_native(poses: Sequence[Pose]) -> dict[str, Any]:
    return {
        "format": _NATIVE,
        "version": 1,
        "poses": [
            {
                "skeleton": pose.skeleton.name,
                "size": None if pose.size is None else list(pose.size),
                "keypoints": [
                    point if there else [None, None]
                    for point, there in zip(pose.keypoints.tolist(), pose.present, strict=True)
                ],
                "confidence": pose.confidence.tolist(),
            }
            for pose in poses
        ],
    }


def _dump_openpose(poses: Sequence[Pose]) -> dict[str, Any] | list[Any]:
    frames = []
    for size, group in groupby(poses, key=lambda pose: pose.size):
        people = []
        for pose in group:
            small = pose.skeleton in (COCO17, VUNET15, OPENPOSE18)
            table = _numbers(convert(pose, OPENPOSE18 if small else OPENPOSE25))
            people.append(
                {
                    "person_id": [-1],
                    "pose_keypoints_2d": [number for row in table for number in row],
                    "face_keypoints_2d": [],
                    "hand_left_keypoints_2d": [],
                    "hand_right_keypoints_2d": [],
                }
            )
        canvas = {} if size is None else {"canvas_width": size[1], "canvas_height": size[0]}
        frames.append({"version": 1.3, "people": people, **canvas})
    if not frames:
        return {"version": 1.3, "people": []}
    return frames[0] if len(frames) == 1 else frames


def _dump_coco(poses: Sequence[Pose]) -> dict[str, Any]:
    sizes = list(dict.fromkeys(pose.size for pose in poses))
    images = []
    for i, size in enumerate(sizes, start=1):
        known = {} if size is None else {"width": size[1], "height": size[0]}
        images.append({"id": i, "file_name": "", **known})
    annotations = []
    for i, pose in enumerate(poses, start=1):
        body = convert(pose, COCO17)
        table = _numbers(body)
        # Flags where they say everything; else confidences, of which one at least is a fraction.
        flags = {0.0: 0, _HIDDEN: 1, 1.0: 2}
        if all(row[2] in flags for row in table):
            table = [[x, y, flags[confidence]] for x, y, confidence in table]
        seen = np.array([row[:2] for row in table if row[2]])
        low, high = (seen.min(axis=0), seen.max(axis=0)) if len(seen) else (np.zeros(2),) * 2
        width, height = (high - low).tolist()
        annotations.append(
            {
                "id": i,
                "image_id": sizes.index(pose.size) + 1,
                "category_id": 1,
                "keypoints": [number for row in table for number in row],
                "num_keypoints": len(seen),
                "bbox": [*low.tolist(), width, height],
                "area": width * height,
                "iscrowd": 0,
            }
        )
    skeleton = [[a + 1, b + 1] for a, b in COCO17.limbs]
    person = {"id": 1, "name": "person", "keypoints": list(COCO17.keypoints), "skeleton": skeleton}
    return {"images": images, "annotations": annotations, "categories": [person]}


def _dump_mediapipe(poses: Sequence[Pose]) -> dict[str, Any] | list[Any]:
    groups = []
    for size, group in groupby(poses, key=lambda pose: pose.size):
        if size is None:
            raise PoseFileError(
                "MediaPipe's positions are fractions of a picture, and a pose does not know the "
                "size of its own; write it in another format"
            )
        people = [
            [
                {"x": x / size[1], "y": y / size[0], "z": 0.0, "visibility": confidence}
                for x, y, confidence in _numbers(convert(pose, MEDIAPIPE33))
            ]
            for pose in group
        ]
        groups.append({"image_width": size[1], "image_height": size[0], "pose_landmarks": people})
    if not groups:
        return {"pose_landmarks": []}
    return groups[0] if len(groups) == 1 else groups
