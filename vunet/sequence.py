"""A person of a photo goes through the poses of a video: reading these poses, and drawing them.

The two steps are apart because the first is asked for once and the second often. Neither keeps
more than one picture at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pose import BODY27, Pose
from pose.complete import complete
from pose.convert import convert
from pose.formats import read_frames, read_poses
from pose.presets import PRESETS, preset
from pose.retarget import body_scale
from pose.smooth import drop_outliers, fill_gaps, repair_swaps, resample, smooth
from pose.stick import read_controlnet
from pose.types import NoPersonFound
from vunet.engine import Engine, EngineError, Prepared
from vunet.images import check_output, is_file, read_image, shown
from vunet.poses import POSE_FILE_SUFFIXES, ImageLike, place_sequence
from vunet.video import (
    FOLDER_FPS,
    MAX_FPS,
    MIN_FPS,
    PICTURE_ENDINGS,
    VIDEO_ENDINGS,
    VideoError,
    folder_files,
    open_film,
    reduced,
    write_film,
)

MAX_FRAMES = 1800
"""Longer sequences are cut off, and that is told."""
DEFAULT_MAX_FPS = 30.0
"""Of a source with more frames per second fewer are taken where nothing else is said."""
DEFAULT_SIDE_PX = 1280
"""Photos with a longer side are reduced to it where nothing else is said."""
LONGEST_GAP_S = 0.5
"""Joints that are missing for longer are guessed, not put between where they were seen."""
REPAIR_S = 0.15
"""Frames that lie further apart have too little in common to tell a leap from a movement."""
PRESETS_PER_S = 1.0
"""How fast presets follow one another."""

Progress = Callable[[int, int, np.ndarray | None], None]
"""Called after each frame with how many are done, how many there are (0 if not known), and the
frame, (H, W, 3) uint8 RGB: the video's while poses are read, the drawn one while drawing."""
Cancelled = Callable[[], bool]
"""Asked before each frame; True stops the work."""


class SequenceCancelled(Exception):
    """The work was stopped as wished; nothing was written."""


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """The poses of one person over time."""

    poses: tuple[Pose, ...]
    """Complete BODY27 poses, a frame each, in the source's pixels."""
    fps: float
    """Frames per second."""
    warnings: tuple[str, ...] = ()
    """Plain sentences: where nobody was found, what was cut off or guessed."""


@dataclass(frozen=True, eq=False)
class DrawnSequence:
    """A written film."""

    path: Path
    frames: int
    fps: float
    warnings: tuple[str, ...]
    """Plain sentences, those of the poses included."""


def read_sequence(
    engine: Engine,
    source: str | Path,
    *,
    fps: float | None = None,
    seconds: float | None = None,
    smoothing: float = 0.5,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> PoseSequence:
    """The poses of whoever moves in a video.

    Where several people are there, the largest of the first frame is followed. Frames in which
    nobody is found take a pose between those around them.

    Args:
        engine: Its detector finds people in pictures.
        source: A video, moving GIF or WebP (of a person or of ControlNet's stick figures), a
            folder with a photo, stick figure or pose file per frame, a pose file of several
            frames, or names of presets with commas between.
        fps: Frames per second wanted, also of a folder or file that tells none; None takes the
            source's, at most `DEFAULT_MAX_FPS`.
        seconds: Only so much from the beginning; None takes all.
        smoothing: 0 (off) to 1, see `pose.smooth`; above 0, outliers and confusions of left and
            right are mended, too.
        progress: See `Progress`.
        cancelled: See `Cancelled`.

    Raises:
        ValueError: One sentence naming what cannot be used, why, and the way out.
        SequenceCancelled: If `cancelled` said so.
    """
    if fps is not None and not MIN_FPS <= fps <= MAX_FPS:
        raise VideoError(
            f"the frames per second must be between {MIN_FPS} and {MAX_FPS}, got {fps:g}"
        )
    if seconds is not None and not seconds > 0:
        raise VideoError(f"the seconds to take must be more than 0, got {seconds:g}")
    if not 0 <= smoothing <= 1:
        raise VideoError(f"the smoothing must be between 0 and 1, got {smoothing:g}")
    name = shown(source)
    moving = _opened(source, fps)
    rate = fps or min(moving.fps, DEFAULT_MAX_FPS)
    follower = _Follower(engine)
    times: list[float] = []
    found: list[Pose | None] = []
    total = min(moving.count or 0, MAX_FRAMES)
    if seconds is not None:
        total = int(min(total, seconds * moving.fps + 1))
    notes: list[str] = []
    last = min(seconds or np.inf, MAX_FRAMES / rate)
    for time, frame in moving.frames:
        if cancelled is not None and cancelled():
            raise SequenceCancelled
        if times and time - times[-1] < 0.5 / rate:
            continue  # far more frames than wanted
        times.append(min(time, last + 1))  # a last frame may stand for hours
        found.append(follower.follow(frame))
        if progress is not None:
            picture = frame if isinstance(frame, np.ndarray) else None
            progress(len(times), max(total, len(times)) if total else 0, picture)
        if time > last - 1e-3:  # one more than wanted, for those between
            if seconds is None or seconds > last:
                notes.append(f"Only the first {last:.3g} seconds were taken.")
            break
    if len(times) < 2:
        raise VideoError(
            f"{name} shows one frame only, nothing that moves; "
            "give more, or use `vunet repose` for a single pose"
        )
    poses, guessed = _whole(found, times, smoothing, name)
    notes = [*follower.notes, *guessed, *notes]
    even = smooth(resample(poses, times, rate), rate, smoothing)
    even = even[: max(1, round(last * rate))]
    return PoseSequence(tuple(pose for pose in even if pose is not None), rate, tuple(notes))


def check_sequence_output(out: str | Path, background: str | Path = "source") -> None:
    """Refuse what cannot become a film, before any work is done for it.

    Raises:
        ValueError: One sentence.
    """
    check_output(out, VIDEO_ENDINGS)
    if str(background) == "pose":
        raise EngineError(
            "background pose: a film's own background is not kept; "
            "use source, plain or a picture file"
        )
    if str(background) == "transparent":
        raise EngineError(
            "background transparent: a film cannot be transparent; "
            "use source, plain or a picture file"
        )


def draw_sequence(
    engine: Engine,
    photo: ImageLike | Prepared,
    sequence: PoseSequence,
    out: str | Path,
    *,
    background: str | Path = "source",
    retarget: bool = True,
    person: int | None = None,
    seed: int = 0,
    size: int | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> DrawnSequence:
    """Draw the person of a photo in each pose of a sequence, and write the film.

    The film has the photo's size and place, see `vunet.poses.place_sequence`. It appears when it
    is whole, and not at all where anything fails.

    Args:
        engine: Draws.
        photo: As for `Engine.repose`.
        sequence: From `read_sequence`.
        out: .mp4 or .gif.
        background: source, plain or a picture file.
        retarget: Keep the subject's own limb lengths.
        person: As for `Engine.repose`.
        seed: As for `Engine.repose`.
        size: Longer side of the film in pixels; None keeps the photo's up to `DEFAULT_SIDE_PX`.
        progress: See `Progress`.
        cancelled: See `Cancelled`.

    Raises:
        ValueError: One sentence naming what cannot be used, why, and the way out.
        SequenceCancelled: If `cancelled` said so.
    """
    check_sequence_output(out, background)
    if isinstance(photo, Prepared):
        prepared = photo
    else:
        prepared = engine.prepare(photo, person=person, size=size or DEFAULT_SIDE_PX)
    height, width = prepared.subject.image.shape[:2]
    ratio = (size or min(DEFAULT_SIDE_PX, max(height, width))) / max(height, width)
    canvas = (_even(height * ratio), _even(width * ratio))
    placed, notes = place_sequence(
        sequence.poses, prepared.subject.pose, keep_limbs=retarget, canvas=(height, width)
    )
    matrix = np.array([[canvas[1] / width, 0, 0], [0, canvas[0] / height, 0]])
    told: Counter[str] = Counter()

    def frames() -> Iterator[np.ndarray]:
        for number, pose in enumerate(placed, 1):
            if cancelled is not None and cancelled():
                raise SequenceCancelled
            result = engine.repose(
                prepared,
                pose.transformed(matrix, canvas),
                frame="pose",
                retarget=False,
                background=background,
                seed=seed,
            )
            told.update(result.warnings)
            if progress is not None:
                progress(number, len(placed), result.image)
            yield result.image

    write_film(out, frames(), sequence.fps, len(placed))
    warnings = [*prepared.warnings, *sequence.warnings, *notes]
    warnings += _counted(told, len(placed), known=set(warnings))
    return DrawnSequence(Path(out), len(placed), sequence.fps, tuple(dict.fromkeys(warnings)))


# -- steps -----------------------------------------------------------------------------------

_Frame = np.ndarray | list[Pose]
"""A picture, (H, W, 3) uint8 RGB, or the people who were read from a file."""


@dataclass(frozen=True)
class _Moving:
    """What was given as something that moves."""

    frames: Iterator[tuple[float, _Frame]]
    """Time in seconds, and the frame."""
    fps: float
    """Frames per second that suit it."""
    count: int | None


def _opened(source: str | Path, fps: float | None) -> _Moving:
    path = Path(source)
    rate = fps or FOLDER_FPS
    names = [name.strip() for name in str(source).split(",")]
    if not path.suffix and len(path.parts) == 1 and not is_file(path) and not _is_dir(path):
        if len(names) > 1 or names[0] in PRESETS:
            poses: list[_Frame] = [[preset(name[:80])] for name in names if name]
            return _Moving(_timed(poses, PRESETS_PER_S), FOLDER_FPS, len(poses))
    elif path.suffix.lower() in POSE_FILE_SUFFIXES and not _is_dir(path):
        people: list[_Frame] = [_present(frame) for frame in read_frames(path)]
        return _Moving(_timed(people, rate), rate, len(people))
    elif _is_dir(path):
        files = folder_files(path, PICTURE_ENDINGS | POSE_FILE_SUFFIXES)
        return _Moving(((i / rate, _read(f)) for i, f in enumerate(files)), rate, len(files))
    film = open_film(path)
    return _Moving(film.frames, film.fps, film.count)


def _is_dir(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def _timed(frames: Sequence[_Frame], fps: float) -> Iterator[tuple[float, _Frame]]:
    return ((i / fps, frame) for i, frame in enumerate(frames))


def _read(path: Path) -> _Frame:
    """A file of a folder."""
    if path.suffix.lower() in POSE_FILE_SUFFIXES:
        return _present(read_poses(path))
    return reduced(read_image(path))


def _present(people: Sequence[Pose]) -> list[Pose]:
    return [pose for pose in people if pose.present.any()]


class _Follower:
    """Finds one and the same person in frame after frame."""

    def __init__(self, engine: Engine) -> None:
        self.notes: list[str] = []
        self._engine = engine
        self._last: Pose | None = None
        self._height: int | None = None
        self._sticks: bool | None = None  # whether the pictures are stick figures, once known

    def follow(self, frame: _Frame) -> Pose | None:
        """The person's pose; None where nobody is found."""
        people = frame if isinstance(frame, list) else self._found(frame)
        if not people:
            return None
        if self._last is None:
            if len(people) > 1:
                self.notes.append(
                    f"{len(people)} people were found; the largest of the first frame was followed."
                )
            pose = max(people, key=_area)
        else:
            last = self._last
            pose = min(people, key=lambda pose: _apart(pose, last))
        if pose.size is not None:
            # frames of other sizes, as of a folder of photos, are brought to the first one's
            self._height = self._height or pose.size[0]
            if pose.size[0] != self._height:
                ratio = self._height / pose.size[0]
                size = (self._height, max(1, round(pose.size[1] * ratio)))
                pose = pose.transformed(np.array([[ratio, 0, 0], [0, ratio, 0]]), size)
        self._last = pose
        return pose

    def _found(self, image: np.ndarray) -> list[Pose]:
        if self._sticks is not False:
            stick = read_controlnet(image)
            if stick is not None:
                self._sticks = True
                return [stick]
        if self._sticks:
            return []
        people = [person.pose for person in self._engine.estimator.find(image, max_people=3)]
        if people:
            self._sticks = False
        return people


def _area(pose: Pose) -> float:
    x0, y0, x1, y1 = pose.box()
    return (x1 - x0) * (y1 - y0)


def _apart(pose: Pose, other: Pose) -> float:
    """Mean distance in pixels of the joints that both have."""
    a, b = convert(pose, BODY27).keypoints, convert(other, BODY27).keypoints
    apart = np.linalg.norm(a - b, axis=1)
    known = ~np.isnan(apart)
    return float(apart[known].mean()) if known.any() else np.inf


def _whole(
    found: Sequence[Pose | None], times: Sequence[float], smoothing: float, name: str
) -> tuple[list[Pose], list[str]]:
    """Complete poses for all frames, and what was guessed.

    Raises:
        NoPersonFound: If there is nobody in any frame, or too little of them.
    """
    seen = sum(pose is not None for pose in found)
    if not seen:
        raise NoPersonFound(
            f"{name}: nobody found in any of {len(found)} frames; "
            "use a video in which one person is large and well visible"
        )
    poses = list(found)
    if len({pose.skeleton.name for pose in poses if pose is not None}) > 1:
        poses = [pose and convert(pose, BODY27) for pose in poses]
    usual_s = (times[-1] - times[0]) / (len(times) - 1)
    if smoothing and usual_s <= REPAIR_S:
        poses = drop_outliers(repair_swaps(poses))
    poses = fill_gaps(poses, max(1, round(LONGEST_GAP_S / usual_s)))
    whole: list[Pose | None] = []
    told: Counter[str] = Counter()
    unusable = 0
    for pose, before in zip(poses, found, strict=True):
        done = None
        if pose is not None:
            try:
                done, guessed = complete(replace(pose, size=None))
                body_scale(done)
                told.update(guessed)
            except ValueError:  # too little of the body
                done = None
                unusable += before is not None
        whole.append(done)
    if all(pose is None for pose in whole):
        raise NoPersonFound(
            f"{name}: too little of the body is seen in any frame; "
            "use a video that shows at least the shoulders and hips"
        )
    notes = []
    missing = len(found) - seen + unusable
    if missing:
        notes.append(
            f"In {missing} of {len(found)} frames nobody was found; "
            "their poses were taken from the frames around them."
        )
    whole = fill_gaps(whole, len(whole))
    return [pose for pose in whole if pose is not None], notes + _counted(told, len(found))


def _counted(
    told: Counter[str], frames: int, known: set[str] | frozenset[str] = frozenset()
) -> list[str]:
    """Sentences of single frames, the most frequent three, with how many frames they are about."""
    several = [
        text if count == frames else f"In {count} of {frames} frames: {text[0].lower()}{text[1:]}"
        for text, count in told.most_common()
        if text not in known
    ]
    return several[:3]


def _even(side: float) -> int:
    return max(2, 2 * round(side / 2))
