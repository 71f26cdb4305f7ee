"""The door for moving pictures: frames with their times out of a file or folder, and back into one.

Frames are read and written one by one, so that memory does not grow with the length. Videos go
through PyAV (FFmpeg's libraries), moving GIF, WebP and PNG through Pillow. Knows nothing of people.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.container
import av.error
import numpy as np
from PIL import Image

from vunet.images import (
    MAX_PIXELS,
    ImageError,
    OutputError,
    check_output,
    read_image,
    replacing,
    shown,
)

VIDEO_ENDINGS = (".mp4", ".gif")
"""What is written."""
MAX_READ_SIDE_PX = 1024
"""Frames are reduced to this longer side: no more is looked at."""
MAX_FILE_BYTES = 4_000_000_000
"""Larger files are refused unread."""
MIN_FPS, MAX_FPS = 1, 60
"""Frame rates that are written; those read are brought between."""
FOLDER_FPS = 25
"""Frames per second of a folder where nothing else is said."""
DEFAULT_STILL_S = 0.1
"""How long a frame of a GIF shows that says nothing about it, as in browsers."""
PICTURE_ENDINGS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"})
_MOVING = ("GIF", "WEBP", "PNG")
# Playlists and the like, which lead to other files and machines, are not among them.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,h264,hevc,m4v"
)
_GIVE = "give an MP4, MOV, WebM, MKV, AVI or GIF that other players show"
_BT709 = 1
_LIMITED_RANGE = 1
_GIF_UNIT_MS = 10


class VideoError(ValueError):
    """A video cannot be used; the message is one sentence with the file, the fault, a way out."""


@dataclass(frozen=True)
class Film:
    """A moving picture that was opened."""

    frames: Iterator[tuple[float, np.ndarray]]
    """Time in seconds from the first frame, and (H, W, 3) uint8 RGB, upright. Can be run once."""
    fps: float
    """Frames per second, between `MIN_FPS` and `MAX_FPS`; the mean where it varies."""
    count: int | None
    """How many frames there are, as far as the file tells."""


def open_film(path: str | Path) -> Film:
    """Open a video, a moving GIF, WebP or PNG, or a folder of pictures.

    Frames come upright, with square pixels, and at most `MAX_READ_SIDE_PX` long.

    Args:
        path: File, or folder whose pictures are taken in the order of their names' numbers.

    Raises:
        VideoError: A sentence, if it is absent, damaged or no moving picture; of what comes to
            light only later also while the frames are read.
    """
    path, name = Path(path), shown(path)
    if _is_folder(path, name):
        files = folder_files(path, PICTURE_ENDINGS)
        pictures = ((i / FOLDER_FPS, reduced(read_image(file))) for i, file in enumerate(files))
        return Film(pictures, FOLDER_FPS, len(files))
    try:
        with path.open("rb") as file:
            head = file.read(16)
        size = path.stat().st_size
    except OSError as error:
        raise _unreadable(error, name) from None
    if size == 0:
        raise VideoError(f"{name} is empty (0 bytes); copy or download it again")
    if size > MAX_FILE_BYTES:
        raise VideoError(
            f"{name} has more than {MAX_FILE_BYTES // 10**9} GB; cut out the part that is meant"
        )
    if head.startswith((b"GIF8", b"\x89PNG", b"\xff\xd8\xff")) or (
        head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    ):
        return _open_moving_picture(path, name)
    return _open_video(path, name)


def folder_files(path: Path, endings: frozenset[str]) -> list[Path]:
    """The files of a folder with these endings, `frame_9` before `frame_10`.

    Raises:
        VideoError: If there are none, or the folder may not be read.
    """
    name = shown(path)
    try:
        files = [
            file
            for file in path.iterdir()
            if file.suffix.lower() in endings and not file.name.startswith(".") and file.is_file()
        ]
    except OSError as error:
        raise _unreadable(error, name) from None
    if not files:
        raise VideoError(
            f"{name}: no pictures or pose files in this folder; give one with a file per frame"
        )
    return sorted(files, key=lambda file: by_number(file.name))


def reduced(image: np.ndarray) -> np.ndarray:
    """A picture no longer than `MAX_READ_SIDE_PX`, (H, W, 3) uint8."""
    ratio = MAX_READ_SIDE_PX / max(image.shape[:2])
    if ratio >= 1:
        return image
    wh = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
    return np.array(Image.fromarray(image).resize(wh, Image.Resampling.BOX))


def write_film(
    path: str | Path, frames: Iterable[np.ndarray], fps: float, count: int | None = None
) -> None:
    """Write a film that browsers play; it is whole or absent, missing folders are created.

    Args:
        path: .mp4 (H.264, 4:2:0, ready to stream) or .gif; an existing file is replaced.
        frames: (H, W, 3) uint8 RGB, all of one size; of odd sides the last row or column is left
            out of an MP4. Any exception of theirs leaves nothing behind.
        fps: Frames per second; a GIF counts in hundredths of a second.
        count: How many frames there are, for the times of a GIF's.

    Raises:
        OutputError: As `images.write_atomic`, and for other endings.
        VideoError: If there are no frames.
    """
    check_output(path, VIDEO_ENDINGS)
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise VideoError(f"{shown(path)}: there are no frames to write; give some")
    everything = itertools.chain([first], rest)
    with replacing(path) as temporary:
        if Path(path).suffix.lower() == ".gif":
            _write_gif(temporary, everything, fps, count)
            return
        try:
            _write_mp4(temporary, everything, (first.shape[0], first.shape[1]), fps)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise  # the system's own: no space and so on
            raise OutputError(
                f"{shown(path)} cannot be encoded ({error.strerror}); choose another size"
            ) from None


# -- reading ---------------------------------------------------------------------------------


def _is_folder(path: Path, name: str) -> bool:
    try:
        if path.is_dir():
            return True
        if not path.exists():
            raise FileNotFoundError
        if not path.is_file():
            raise VideoError(f"{name} is a device or a pipe; save the video to a file first")
    except VideoError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise _unreadable(error, name) from None
    return False


def _unreadable(error: OSError | ValueError, name: str) -> VideoError:
    if name.startswith(("http://", "https://")):
        return VideoError(f"{name} is a web address; download the video and give the file")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return VideoError(f"{name} does not exist; check the spelling and the folder")
    if isinstance(error, PermissionError):
        return VideoError(f"{name} may not be read; change its permissions or copy it elsewhere")
    reason = str(getattr(error, "strerror", None) or error).lower()
    return VideoError(f"{name} cannot be opened ({reason}); check the path")


def by_number(name: str) -> list[tuple[int, int, str]]:
    """A key by which numbers in files' names sort by their value."""
    parts = re.split(r"(\d+)", name.lower())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]


def _open_moving_picture(path: Path, name: str) -> Film:
    damaged = VideoError(f"{name} is damaged or cut short; copy or export it again")
    try:
        image = Image.open(path, formats=(*_MOVING, "JPEG"))
        count = int(getattr(image, "n_frames", 1))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        raise damaged from None
    if count < 2:
        with image:
            try:
                read_image(image)
            except ImageError:
                raise damaged from None
        raise VideoError(
            f"{name} shows one picture only, nothing that moves; "
            "give a video, or use `vunet repose` for a single pose"
        )
    if image.size[0] * image.size[1] > MAX_PIXELS:
        image.close()
        raise _huge(name, image.size)

    def frames() -> Iterator[tuple[float, np.ndarray]]:
        time = 0.0
        with image:
            for i in range(count):
                try:
                    image.seek(i)
                    picture = read_image(image)
                except (ImageError, OSError, EOFError, ValueError, SyntaxError):
                    raise VideoError(
                        f"{name} is damaged or cut short after {i} frames; copy or export it again"
                    ) from None
                yield time, reduced(picture)
                time += _still_s(image)

    return Film(frames(), _within(1 / _still_s(image)), count)


def _still_s(image: Image.Image) -> float:
    """How long the current frame of a moving picture shows, in seconds."""
    duration = image.info.get("duration")
    known = isinstance(duration, int | float) and duration > _GIF_UNIT_MS
    return float(duration) / 1000 if known else DEFAULT_STILL_S  # type: ignore[arg-type]


def _huge(name: str, size_wh: tuple[int, int]) -> VideoError:
    return VideoError(
        f"{name} has frames of {size_wh[0]} x {size_wh[1]} pixels, and at most "
        f"{MAX_PIXELS / 1e6:.0f} million are read; scale it down first"
    )


def _open_video(path: Path, name: str) -> Film:
    try:
        container = av.open(
            f"file:{path.absolute()}",  # never taken for an address
            container_options={"protocol_whitelist": "file", "format_whitelist": _CONTAINERS},
        )
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError):
            raise _unreadable(error, name) from None
        raise VideoError(f"{name} is no video that can be read, or is damaged; {_GIVE}") from None
    try:
        if not container.streams.video:
            what = "holds sound but no picture" if container.streams.audio else "holds no video"
            raise VideoError(f"{name} {what}; {_GIVE}")
        stream = container.streams.video[0]
        context = stream.codec_context
        if context is None:
            raise VideoError(f"{name} is in a format that is not known; {_GIVE}")
        if context.width * context.height > MAX_PIXELS:
            raise _huge(name, (context.width, context.height))
        rate = stream.average_rate or stream.guessed_rate
        count = stream.frames or None
        if count is None and rate and container.duration:
            count = max(1, round(float(container.duration / 1e6 * rate)))
    except VideoError:
        container.close()
        raise
    fps = _within(float(rate)) if rate else float(FOLDER_FPS)
    return Film(_video_frames(container, fps, name, stream.frames), fps, count)


def _video_frames(
    container: av.container.InputContainer, fps: float, name: str, promised: int
) -> Iterator[tuple[float, np.ndarray]]:
    """The frames of a video.

    Args:
        container: Closed at the end.
        fps: Gives the time of frames that do not tell it.
        name: For messages.
        promised: How many frames the file says it has; 0 if it does not.
    """
    start, last, count = None, -1.0, 0
    stream = container.streams.video[0]
    with container:
        try:
            for frame in container.decode(stream):
                if frame.width * frame.height > MAX_PIXELS:
                    raise _huge(name, (frame.width, frame.height))
                time = count / fps if frame.time is None else float(frame.time)
                start = time if start is None else start
                count += 1
                if time - start <= last:
                    continue
                last = time - start
                yield last, _picture(frame, stream.sample_aspect_ratio)
        except av.error.FFmpegError:
            raise VideoError(
                f"{name} is damaged or cut short after {max(last, 0):.1f} s; "
                "copy, download or export it again"
            ) from None
    if count == 0:
        raise VideoError(f"{name} has no frames; {_GIVE}")
    if count < 0.8 * promised:
        raise VideoError(
            f"{name} is cut short: {count} of {promised} frames are there; "
            "copy, download or export it again"
        )


def _picture(frame: av.VideoFrame, aspect: Fraction | None) -> np.ndarray:
    """(H, W, 3) uint8 RGB, upright, of square pixels, reduced."""
    width, height = frame.width, frame.height
    if aspect and aspect > 0 and 0.2 < aspect < 5:
        width = max(1, round(width * float(aspect)))
    ratio = min(1.0, MAX_READ_SIDE_PX / max(width, height))
    width, height = max(1, round(width * ratio)), max(1, round(height * ratio))
    picture = frame.reformat(width, height, format="rgb24").to_ndarray()
    # the file tells by how many degrees it is to be turned counterclockwise
    return np.ascontiguousarray(np.rot90(picture, round(frame.rotation / 90) % 4))


def _within(fps: float) -> float:
    return min(max(fps, float(MIN_FPS)), float(MAX_FPS))


# -- writing ---------------------------------------------------------------------------------


def _write_mp4(path: Path, frames: Iterable[np.ndarray], size: tuple[int, int], fps: float) -> None:
    height, width = size[0] // 2 * 2, size[1] // 2 * 2
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "18", "preset": "fast"}
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED_RANGE
        for image in frames:
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(image[:height, :width]), format="rgb24"
            )
            frame = frame.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _write_gif(path: Path, frames: Iterable[np.ndarray], fps: float, count: int | None) -> None:
    """All frames in the colours of the first, so that what rests does not flicker."""
    pictures = (Image.fromarray(frame) for frame in frames)
    first = next(pictures)
    palette = first.quantize(256, dither=Image.Dither.NONE)
    few = (
        picture.quantize(palette=palette, dither=Image.Dither.NONE)
        for picture in itertools.chain([first], pictures)
    )
    # rounded so that the whole keeps its length
    ends = [round(i * 1000 / fps / _GIF_UNIT_MS) * _GIF_UNIT_MS for i in range((count or 0) + 1)]
    stills = [max(2 * _GIF_UNIT_MS, b - a) for a, b in itertools.pairwise(ends)]
    with path.open("wb") as file:  # one that Pillow opens stays open on Ctrl-C
        next(few).save(
            file,
            "GIF",
            save_all=True,
            append_images=few,
            duration=stills or max(2 * _GIF_UNIT_MS, round(1000 / fps)),
            loop=0,
        )
