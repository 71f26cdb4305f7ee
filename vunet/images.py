"""The door for pictures: whatever a user brings becomes (H, W, 3) uint8 RGB, or one plain sentence.

Reading looks at the header first, so that a file that would fill the memory is refused before it is
decoded. Writing goes through a temporary file in the same folder, so that a file is either whole or
absent. Knows nothing of people, networks or the command line.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

MAX_PIXELS = 40_000_000
"""Pictures with more pixels are refused: decoded, they would take more than half a gigabyte."""
MAX_SIDE_PX = 32_000
"""Longest side accepted; OpenCV's warps count pixels in signed 16-bit numbers."""
MIN_SIDE_PX = 16
"""Shortest side accepted; on less, nobody can be recognised."""
MAX_FILE_BYTES = 200_000_000
"""Larger files are refused unread."""

ImageSource = str | os.PathLike[str] | Image.Image | np.ndarray
"""What `read_image` accepts: a path, a PIL image, or an (H, W, 3) uint8 RGB array."""

# Photographs come in these. Pillow knows many more, some of which start other programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
_READABLE = "JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or AVIF"
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_PNG_HEAD = 33
"""Bytes of a PNG's signature and first chunk."""
_WRITABLE = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_GIVEN = "the given picture"

# What Pillow's decoders have been seen to raise on damaged files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    BufferError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How a picture with this EXIF orientation (TIFF 6.0, tag 274) is set upright."""


class ImageError(ValueError):
    """A picture cannot be used; the message is one sentence with the file, the fault, a way out."""


class OutputError(ValueError):
    """A file cannot be written; the message is one sentence with the file, the fault, a way out."""


def read_image(source: ImageSource) -> np.ndarray:
    """Read a picture, upright and without transparency.

    EXIF orientation is applied, transparent pixels are laid on white, 16-bit values are scaled to
    8, and of a moving picture the first frame is taken. Colour profiles are ignored.

    Args:
        source: Path of a file, PIL image, or (H, W, 3) uint8 RGB array.

    Returns:
        (H, W, 3) uint8 RGB in [0, 255], a new array.

    Raises:
        ImageError: If there is no such file, it may not be read, is damaged or cut short, is no
            picture, or is smaller or larger than the limits of this module.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        with _quiet_pillow():
            return _decode(source, _GIVEN)
    if not isinstance(source, str | os.PathLike):
        raise ImageError(
            f"{_GIVEN} is a {type(source).__name__}; "
            "give a path, a PIL image or an (H, W, 3) uint8 array"
        )
    return _from_file(source)


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.ndim != 3 or array.shape[2] != 3:
        raise ImageError(
            f"the given array has shape {array.shape}; give (H, W, 3) in the order red, green, blue"
        )
    if array.dtype != np.uint8:
        raise ImageError(
            f"the given array holds {array.dtype} numbers; "
            "scale them to 0..255 and convert with .astype(numpy.uint8)"
        )
    _check_size((array.shape[1], array.shape[0]), _GIVEN)
    return np.array(array, order="C", subok=False)


def _from_file(source: str | os.PathLike[str]) -> np.ndarray:
    name = shown(source)
    path = Path(source)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageError(_why_unreadable(error, name)) from None
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f"{name} is a folder; give one picture file")
    if not stat.S_ISREG(status.st_mode):
        raise ImageError(f"{name} is a device or a pipe; save the picture to a file first")
    if status.st_size == 0:
        raise ImageError(f"{name} is empty (0 bytes); copy or download it again")
    if status.st_size > MAX_FILE_BYTES:
        raise ImageError(
            f"{name} has {status.st_size / 1e6:.0f} MB, and at most {MAX_FILE_BYTES / 1e6:.0f} MB "
            "are read; save it smaller, for instance as JPEG"
        )
    try:
        file = path.open("rb")
    except OSError as error:
        raise ImageError(_why_unreadable(error, name)) from None
    with file, _quiet_pillow():
        try:
            image = Image.open(file, formats=_FORMATS)
        except Image.DecompressionBombError:
            raise ImageError(_too_many_pixels(name)) from None
        except Image.UnidentifiedImageError:
            file.seek(0)
            raise ImageError(_why_no_picture(file.read(4096), name)) from None
        except MemoryError:
            raise ImageError(_no_memory(name)) from None
        except _DECODER_ERRORS as error:
            raise ImageError(_why_damaged(error, name)) from None
        with image:
            return _decode(image, name)


def _decode(image: Image.Image, name: str) -> np.ndarray:
    """Turn an opened picture into an array; pixels are not decoded before its size is checked."""
    _check_size(image.size, name)
    _check_tiles(image, name)
    try:
        image.load()
        image = _upright(image)
        _check_size(image.size, name)
        return np.array(_to_rgb(image, name))
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise ImageError(_too_many_pixels(name)) from None
    except MemoryError:
        raise ImageError(_no_memory(name)) from None
    except _DECODER_ERRORS as error:
        raise ImageError(_why_damaged(error, name)) from None


def _check_size(size_wh: tuple[int, int], name: str) -> None:
    width, height = size_wh
    if min(size_wh) < MIN_SIDE_PX:
        raise ImageError(
            f"{name} is only {width} x {height} pixels; "
            f"give a picture with at least {MIN_SIDE_PX} pixels on each side"
        )
    if width * height > MAX_PIXELS:
        raise ImageError(_too_many_pixels(name, f"{width} x {height}"))
    if max(size_wh) > MAX_SIDE_PX:
        raise ImageError(
            f"{name} has {width} x {height} pixels, and no side may exceed {MAX_SIDE_PX}; "
            "crop it to the person"
        )


def _check_tiles(image: Image.Image, name: str) -> None:
    """Refuse TIFF tiles far larger than their picture: the decoder allocates whole tiles."""
    tags = getattr(image, "tag_v2", None)
    if tags is None:
        return
    width, height = tags.get(322, 0), tags.get(323, 0)  # TileWidth, TileLength
    if not (isinstance(width, int) and isinstance(height, int)) or width * height > MAX_PIXELS:
        raise ImageError(f"{name} is cut into oversized tiles; save it again as JPEG or PNG")


def _upright(image: Image.Image) -> Image.Image:
    """Apply the EXIF orientation; a picture whose EXIF cannot be read stays as it is stored."""
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG)
        method = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    except _DECODER_ERRORS:
        return image
    return image if method is None else image.transpose(method)


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    """Bring any of Pillow's modes to RGB, transparent pixels to white."""
    if image.mode == "F" or image.mode == "I" or image.mode.startswith("I;16"):
        return Image.fromarray(_wide_to_uint8(np.asarray(image), name)).convert("RGB")
    if image.mode in ("La", "RGBa"):  # colours multiplied by alpha: convert() knows one way back
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, (255, 255, 255))
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    return image if image.mode == "RGB" else image.convert("RGB")


def _wide_to_uint8(values: np.ndarray, name: str) -> np.ndarray:
    """Scale (H, W) grey values of 16 or more bits, integer or float, to uint8."""
    if values.dtype.kind in "iu":
        top = 65535.0
    else:
        values = np.nan_to_num(values, nan=0.0)
        brightest = float(values.max())
        top = next((t for t in (1.0, 255.0, 65535.0) if brightest <= t), 65535.0)
    if float(values.max()) > top or float(values.min()) < 0:
        raise ImageError(f"{name} holds numbers beyond 16 bits; save it as an 8-bit PNG or JPEG")
    return np.rint(values * np.float32(255.0 / top)).astype(np.uint8)


@contextlib.contextmanager
def _quiet_pillow() -> Iterator[None]:
    """Silence Pillow's own warnings: this module says in its errors what a user has to know."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def shown(path: str | os.PathLike[str]) -> str:
    """A path as messages print it: on one line, without control characters, at most 200 long."""
    text = os.fsdecode(path)
    text = "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
    if len(text) > 200:
        text = f"{text[:60]}...{text[-137:]}"
    return text or "the empty file name"


def _too_many_pixels(name: str, pixels: str = "far too many") -> str:
    return (
        f"{name} has {pixels} pixels, and at most {MAX_PIXELS / 1e6:.0f} million are read; "
        "scale it down first"
    )


def _no_memory(name: str) -> str:
    return f"{name} does not fit into the memory that is free; scale it down first"


def _why_damaged(error: BaseException, name: str) -> str:
    text = str(error).lower()
    if "text" in text and ("too large" in text or "too much memory" in text):
        return f"{name} hides more than a megabyte of text or colour profile; save it again without"
    if "colorspace" in text or "conversion" in text:
        return f"{name} stores its colours in a way that is not read; save it as an RGB picture"
    return f"{name} is damaged or cut short; copy, download or export it again"


def _why_unreadable(error: OSError | ValueError, name: str) -> str:
    if name.startswith(("http://", "https://")):
        return f"{name} is a web address; download the picture and give the file"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{name} does not exist; check the spelling and the folder"
    if isinstance(error, PermissionError):
        return f"{name} may not be read; change its permissions or copy it elsewhere"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{name} cannot be opened ({str(reason).lower()}); check the path"


def _why_no_picture(head: bytes, name: str) -> str:
    """Say what a file is that no decoder takes, from its first bytes."""
    save = "save it as JPEG or PNG"
    if head[4:8] == b"ftyp":
        if head[8:12] in _HEIC_BRANDS:
            return f"{name} is a HEIC photo, which is not read; {save}"
        if head[8:12] not in (b"avif", b"avis"):
            return f"{name} is a film, not a picture; {save} from one of its frames"
    if head.startswith(b"%PDF"):
        return f"{name} is a PDF document, not a picture; {save}"
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"WAVE"):
        return f"{name} is a film or a sound, not a picture; {save} from one of its frames"
    if head.startswith((*_SIGNATURES, b"RIFF")) or head[4:8] == b"ftyp":
        return f"{name} is damaged or cut short; copy, download or export it again"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return f"{name} is an SVG drawing, which is not read; {save}"
    if text.startswith((b"<!doctype html", b"<html")):
        return f"{name} is a web page, not a picture; download the picture itself"
    if b"\0" not in head and not any(byte < 9 for byte in head):
        try:
            head.decode("utf-8")
        except UnicodeDecodeError as error:
            is_text = error.start > len(head) - 4  # a letter cut in two by the end of `head`
        else:
            is_text = True
        if is_text:
            return f"{name} is text, not a picture; give a photo ({_READABLE})"
    return f"{name} is not a picture that can be read; give {_READABLE}"


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path leads to a file; paths that no system accepts lead to none."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # too long, or with a NUL
        return False


def check_output(path: str | os.PathLike[str], endings: Sequence[str] = (".png", ".jpg")) -> None:
    """Refuse an output path that cannot work, before any work is done for it.

    Args:
        path: Where to write.
        endings: Those that are written; of pictures, .jpeg counts as .jpg.

    Raises:
        OutputError: If the ending is none that is written, or the path is a folder or a device.
    """
    ending = Path(path).suffix.lower()
    if (".jpg" if ending == ".jpeg" else ending) not in endings:
        use = f"use {' or '.join(endings)}"
        raise OutputError(
            f"{shown(path)} ends in {ending}, which is not written; {use}"
            if ending
            else f"{shown(path)} has no ending that names a format; {use}"
        )
    _resolved(path)


def write_png(
    image: np.ndarray,
    path: str | os.PathLike[str],
    mask: np.ndarray | None = None,
    text: dict[str, str] | None = None,
) -> None:
    """Write a picture as PNG, or as JPEG where the path ends in .jpg or .jpeg.

    The file is whole or absent; missing folders are created.

    Args:
        image: (H, W, 3) uint8 RGB.
        path: Where to; an existing file is replaced.
        mask: (H, W) uint8 opacity, 255 where the picture is solid; PNG only.
        text: Entries for iTXt chunks: ASCII key of 1 to 79 characters, any text. JPEG has no place
            for them and is written without.

    Raises:
        OutputError: If the path has another ending, is a folder or a device, may not be written, or
            the disk is full; also if a mask is to go into a JPEG.
        ValueError: If `image` or `mask` has another shape or type.
    """
    check_output(path)
    kind = _WRITABLE[Path(path).suffix.lower()]
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image must be (H, W, 3) uint8, got {image.shape} {image.dtype}")
    if mask is not None:
        if mask.shape != image.shape[:2] or mask.dtype != np.uint8:
            raise ValueError(
                f"mask must be {image.shape[:2]} uint8 as the image is, "
                f"got {mask.shape} {mask.dtype}"
            )
        if kind == "JPEG":
            raise OutputError(
                f"{shown(path)} cannot be transparent, being a JPEG; write to a name ending in .png"
            )
        image = np.dstack([image, mask])
    write_atomic(path, _jpeg(image) if kind == "JPEG" else _png(image, text or {}))


def _jpeg(image: np.ndarray) -> bytes:
    """A JPEG of (H, W, 3) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, "JPEG", quality=95, subsampling=0)
    return buffer.getvalue()


def _png(image: np.ndarray, text: dict[str, str]) -> bytes:
    """A PNG of (H, W, 3 or 4) uint8; OpenCV writes one in half of Pillow's time."""
    import cv2  # half of the commands do without

    order = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    done, encoded = cv2.imencode(".png", cv2.cvtColor(image, order))
    if not done:
        raise OutputError("the picture cannot be made into a PNG; write to a name ending in .jpg")
    info, chunks = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, value in text.items():
        # A lone surrogate, as in a file name that is not UTF-8, has no place in UTF-8.
        info.add_itxt(key, value.encode("utf-8", "backslashreplace").decode("utf-8"))
    for chunk in info.chunks:
        PngImagePlugin.putchunk(chunks, *chunk[:2])
    data = encoded.tobytes()
    return data[:_PNG_HEAD] + chunks.getvalue() + data[_PNG_HEAD:]


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file so that it is either whole or, on any failure, as it was before.

    Missing folders are created, and removed again on failure. A symbolic link is followed.

    Args:
        path: Where to; an existing file is replaced.
        data: The whole content.

    Raises:
        OutputError: If the path is a folder or a device, may not be written, or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(data)


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A file to write that takes the place of `path` at the end, and vanishes on any failure.

    For what writes its file itself; see `write_atomic`.

    Args:
        path: Where to; an existing file is replaced.

    Yields:
        Path of an empty file in the same folder.

    Raises:
        OutputError: As `write_atomic`, also for an OSError inside the block.
    """
    target = _resolved(path)
    folder = target.parent
    created: list[Path] = []
    temporary = folder / f".{secrets.token_hex(8)}.part"
    done = False
    try:
        _make_folders(folder, created)
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(target)
        done = True
    except OSError as error:
        raise OutputError(_why_unwritable(error, shown(path))) from None
    finally:
        if not done:  # also on Ctrl-C
            with contextlib.suppress(OSError):
                temporary.unlink()
            for made in reversed(created):
                with contextlib.suppress(OSError):
                    made.rmdir()


def _make_folders(folder: Path, created: list[Path]) -> None:
    """Create `folder` and its parents where missing, and note in `created` which ones were."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        try:
            each.mkdir()
        except FileExistsError:  # another process was faster
            continue
        created.append(each)


def _resolved(path: str | os.PathLike[str]) -> Path:
    """The file that a path leads to; it need not exist, but must not be a folder or device."""
    name = shown(path)
    try:
        target = Path(path).resolve()
        mode = target.stat().st_mode
    except FileNotFoundError:
        return Path(path).resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a NUL in the name, a loop of links
        raise OutputError(_why_unwritable(error, name)) from None
    if stat.S_ISDIR(mode):
        raise OutputError(f"{name} is an existing folder; give the name of a file inside it")
    if not stat.S_ISREG(mode):
        # Replacing /dev/null, which an administrator may, would break the machine.
        raise OutputError(f"{name} is a device or a pipe; give the name of a file")
    return target


def _why_unwritable(error: BaseException, name: str) -> str:
    code = error.errno if isinstance(error, OSError) else None
    if code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"{name} cannot be written because the disk is full; make room or choose another"
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{name} may not be written; choose a folder that you may write to"
    if code in (errno.ENOTDIR, errno.EEXIST):
        return f"{name} cannot be written because its folder is a file; choose another folder"
    if code == errno.ENAMETOOLONG:
        return f"{name} is too long a name for a file; choose a shorter one"
    reason = getattr(error, "strerror", None) or str(error)
    return f"{name} cannot be written ({str(reason).lower()}); choose another path"
