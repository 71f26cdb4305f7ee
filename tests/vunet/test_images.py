"""Pictures of every kind come through the door, or are refused in a sentence that names them."""

from __future__ import annotations

import io
import os
import resource
import stat
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps, PngImagePlugin

from vunet.images import (
    MAX_FILE_BYTES,
    MAX_PIXELS,
    ImageError,
    OutputError,
    check_output,
    read_image,
    shown,
    write_atomic,
    write_png,
)

RNG = np.random.default_rng(7)


def scene(height: int = 48, width: int = 64) -> np.ndarray:
    """A smooth picture without any symmetry: red grows to the right, green downwards."""
    y, x = np.mgrid[0:height, 0:width]
    return np.stack(
        [255 * x / (width - 1), 255 * y / (height - 1), np.full_like(x, 40)], axis=-1
    ).astype(np.uint8)


def encoded(kind: str, image: np.ndarray | Image.Image | None = None, **options: object) -> bytes:
    picture = scene() if image is None else image
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *extra: bytes, pixels: bytes | None = None) -> bytes:
    """A grey PNG whose header claims a size, with further chunks before its pixels."""
    data = zlib.compress(b"\0" * (width + 1) * height) if pixels is None else pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [chunk(b"IHDR", header), *extra, chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bomb(size: int) -> bytes:
    return zlib.compress(b"\0" * size, 9)


def tiff(*tags: tuple[int, int, int, int]) -> bytes:
    """A little-endian TIFF of one directory from (tag, type, count, value) rows."""
    rows = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + rows + b"\0\0\0\0"


def tiled_tiff(side: int) -> bytes:
    return tiff(
        (256, 4, 1, 64),
        (257, 4, 1, 64),
        (258, 3, 1, 8),
        (259, 3, 1, 5),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        (322, 4, 1, side),
        (323, 4, 1, side),
        (324, 4, 1, 8),
        (325, 4, 1, 100),
    )


def flipped(data: bytes, start: float = 0.3) -> bytes:
    """The same file with every 97th byte of its later part inverted."""
    body = bytearray(data)
    for i in range(int(len(body) * start), len(body), 97):
        body[i] ^= 0xFF
    return bytes(body)


NOISE = RNG.integers(0, 256, (200, 150, 3), dtype=np.uint8)
JPEG = encoded("JPEG", NOISE)
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>'
EXIF_GARBAGE = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(256))

# file name, content, words of the refusal
REFUSED: list[tuple[str, bytes, str]] = [
    ("empty.jpg", b"", "empty (0 bytes)"),
    ("one-byte.png", b"\x89", "not a picture"),
    ("text.jpg", b"Dear reader,\nthis is no photo.\n", "is text"),
    ("unicode text.jpg", "Grüße, 世界\n".encode() * 900, "is text"),
    ("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    ("pose.json.png", b'{"people": []}', "is text"),
    ("nested.png", b"[" * 1_000_000, "is text"),
    ("drawing.svg", SVG, "SVG"),
    ("drawing.png", b"\xef\xbb\xbf  <svg></svg>", "SVG"),
    ("phone.heic", HEIC, "HEIC"),
    ("phone.jpg", HEIC.replace(b"heic", b"mif1"), "HEIC"),
    ("film.mp4", b"\0\0\0\x20ftypisom" + bytes(300), "film"),
    ("film.avi", b"RIFF\0\1\0\0AVI LIST" + bytes(300), "film"),
    ("paper.pdf", b"%PDF-1.7\n" + bytes(300), "PDF"),
    ("script.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "is text"),
    ("noise.jpg", RNG.integers(0, 256, 5000, dtype=np.uint8).tobytes(), "not a picture"),
    ("zeros.png", bytes(5000), "not a picture"),
    ("photoshop.png", b"8BPS\0\1" + bytes(500), "not a picture"),
    ("half.jpg", JPEG[: len(JPEG) // 2], "damaged or cut short"),
    ("most.jpg", JPEG[: len(JPEG) * 9 // 10], "damaged or cut short"),
    ("header.jpg", JPEG[:30], "damaged or cut short"),
    ("start.jpg", JPEG[:3], "damaged or cut short"),
    ("half-progressive.jpg", encoded("JPEG", NOISE, progressive=True)[:4000], "damaged"),
    ("half.png", encoded("PNG", NOISE)[:9000], "damaged or cut short"),
    ("flipped.png", flipped(encoded("PNG", NOISE)), "damaged or cut short"),
    ("no-pixels.png", png(64, 64, pixels=b""), "damaged or cut short"),
    ("few-pixels.png", png(64, 64, pixels=zlib.compress(bytes(99))), "damaged or cut short"),
    ("signature.png", b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
    ("half.gif", encoded("GIF", NOISE)[:5000], "damaged or cut short"),
    ("half.webp", encoded("WEBP", NOISE)[:3000], "damaged or cut short"),
    ("half.bmp", encoded("BMP", NOISE)[:3000], "damaged or cut short"),
    ("half.tif", encoded("TIFF", NOISE)[:3000], "damaged or cut short"),
    ("half.avif", encoded("AVIF", NOISE)[:1000], "damaged or cut short"),
    ("half.ppm", encoded("PPM", NOISE)[:1000], "damaged or cut short"),
    ("vast.png", png(20_000, 20_000, pixels=bomb(1_000_000)), "at most 40 million"),
    ("large.png", png(9_000, 8_000, pixels=bomb(1_000_000)), "9000 x 8000"),
    ("endless.png", png(2**31 - 1, 2**31 - 1, pixels=b""), "at most 40 million"),
    ("vast.gif", b"GIF89a" + b"\xff" * 4 + encoded("GIF")[10:], "at most 40 million"),
    ("vast.ppm", b"P6 99999 99999 255\n" + bytes(99), "at most 40 million"),
    ("vast.bmp", b"BM" + struct.pack("<IIIIiiHH", 154, 0, 54, 40, 30000, 30000, 1, 24) + bytes(99),
     "at most 40 million"),
    ("ribbon.png", png(40_000, 20), "no side may exceed"),
    ("tiny.png", png(8, 300), "only 8 x 300"),
    ("dot.jpg", encoded("JPEG", scene(15, 15)), "only 15 x 15"),
    ("no-width.png", png(0, 300), "damaged or cut short"),
    ("text-bomb.png", png(64, 64, chunk(b"zTXt", b"a\0\0" + bomb(300_000_000))), "hides more"),
    ("itxt-bomb.png", png(64, 64, chunk(b"iTXt", b"a\0\1\0\0\0" + bomb(90_000_000))), "hides more"),
    ("profile-bomb.png", png(64, 64, chunk(b"iCCP", b"a\0\0" + bomb(300_000_000))), "hides more"),
    ("tiles.tif", tiled_tiff(2**15), "oversized tiles"),
    ("far-tags.tif", tiff((256, 4, 1 << 30, 1 << 30), (257, 4, 1, 64)), "damaged or cut short"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words"), REFUSED, ids=[row[0] for row in REFUSED])
def test_hostile_file_is_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        read_image(path)
    message = str(caught.value)
    assert str(path) in message
    assert words in message
    assert "\n" not in message
    assert ";" in message  # what is wrong; the way out


# The peak of this process alone: getrusage's ru_maxrss starts from that of the parent.
PEAK = """
def peak_kb():
    status = open("/proc/self/status").read()
    return int(status.split("VmHWM:")[1].split()[0])
"""
needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs Linux's /proc to measure memory"
)


@needs_proc
def test_all_refusals_stay_within_the_memory_promised(tmp_path: Path) -> None:
    """One process with 1.2 GB of address space refuses every hostile file by itself."""
    for name, content, _ in REFUSED:
        (tmp_path / name).write_bytes(content)
    program = f"""{PEAK}
import resource, sys
from pathlib import Path
from vunet.images import ImageError, read_image
resource.setrlimit(resource.RLIMIT_AS, (1_200_000_000, 1_200_000_000))
before = peak_kb()
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        read_image(path)
    except ImageError as error:
        assert "memory" not in str(error), error
    else:
        raise SystemExit(path.name + " was read")
print(peak_kb() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) < 300_000  # kB; the files themselves are at most a few MB


@needs_proc
def test_the_largest_picture_allowed_stays_under_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGBA", (8000, 5000), (10, 20, 30, 128))
    assert picture.width * picture.height == MAX_PIXELS
    picture.save(path, compress_level=1, exif=exif)
    program = (
        f"{PEAK}\nimport sys\nfrom vunet.images import read_image\n"
        "print(read_image(sys.argv[1]).shape, peak_kb())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("(8000, 5000, 3)")
    assert int(done.stdout.split()[-1]) < 1_000_000  # kB


# --- files that are not what a path should lead to


def refusal(path: object) -> str:
    with pytest.raises(ImageError) as caught:
        read_image(path)  # pyright: ignore[reportArgumentType]
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_paths_that_lead_to_no_picture(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)
    assert "is a folder" in refusal(str(tmp_path) + "/")
    assert "does not exist" in refusal(tmp_path / "absent.jpg")
    (tmp_path / "a.txt").write_text("a")
    assert "does not exist" in refusal(tmp_path / "a.txt" / "b.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    assert "loop.jpg cannot be opened" in refusal(tmp_path / "loop.jpg")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert "does not exist" in refusal(tmp_path / "dangling.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "device or a pipe" in refusal(tmp_path / "pipe.jpg")
    assert "device or a pipe" in refusal("/dev/zero")
    assert "cannot be opened" in refusal("nul\0.jpg")
    assert "cannot be opened" in refusal("x" * 5000 + ".jpg")
    assert len(refusal("x" * 5000 + ".jpg")) < 400
    assert "web address" in refusal("https://example.org/me.jpg")
    assert "bro\\nken.jpg does not exist" in refusal(tmp_path / "bro\nken.jpg")
    assert "folder" in refusal("")


def test_file_that_may_not_be_read(unprivileged_folder: Path) -> None:
    path = unprivileged_folder / "secret.png"
    assert "may not be read" in refusal(path)


def test_oversized_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "sparse.png"
    with path.open("wb") as file:
        file.write(encoded("PNG"))
        file.truncate(MAX_FILE_BYTES + 1)
    assert "200 MB" in refusal(path)


@pytest.fixture
def unprivileged_folder() -> Iterator[Path]:
    """A folder that an ordinary user may list but not write to, with a file not to be read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "secret.png").write_bytes(encoded("PNG"))
        (folder / "secret.png").chmod(0)
        folder.chmod(0o555)
        was_root = os.geteuid() == 0  # who may read and write everything
        if was_root:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if was_root:
                os.seteuid(0)
            folder.chmod(0o755)


@pytest.mark.parametrize("source", [None, 3, [1, 2], b"bytes", {"a": 1}])
def test_things_that_are_no_picture(source: object) -> None:
    assert type(source).__name__ in refusal(source)


# --- arrays and PIL images


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (scene().astype(np.float32) / 255, "float32"),
        (scene().astype(np.float64), "float64"),
        (scene().astype(np.int64), "int64"),
        (scene() > 100, "bool"),
        (scene().astype(object), "object"),
        (scene()[..., 0], "(48, 64)"),
        (np.dstack([scene(), scene()[..., :1]]), "(48, 64, 4)"),
        (scene().transpose(2, 0, 1), "(3, 48, 64)"),
        (scene()[None], "(1, 48, 64, 3)"),
        (np.zeros((0, 64, 3), np.uint8), "64 x 0"),
        (np.zeros((9, 64, 3), np.uint8), "64 x 9"),
        (np.broadcast_to(np.uint8(0), (20_000, 20_000, 3)), "40 million"),
    ],
)
def test_arrays_of_another_kind_are_refused(array: np.ndarray, words: str) -> None:
    assert words in refusal(array)


def test_array_is_copied_and_made_contiguous() -> None:
    image = scene()
    turned = image[::-1, ::-1]
    result = read_image(turned)
    assert (result == turned).all()
    assert result.flags.c_contiguous
    assert result.flags.writeable
    assert not np.shares_memory(result, image)


def test_pil_images_are_read_and_left_as_they_were() -> None:
    picture = Image.fromarray(scene())
    picture.getexif()[0x0112] = 6
    assert read_image(picture).shape == (64, 48, 3)
    assert picture.size == (64, 48)
    closed = Image.open(io.BytesIO(encoded("PNG")))
    closed.close()
    assert "the given picture" in refusal(closed)
    assert "40 million" in refusal(Image.open(io.BytesIO(png(9000, 8000, pixels=b""))))


# --- pictures that are read


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientations(tmp_path: Path, orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned"
    path.write_bytes(encoded(kind, exif=exif))
    with Image.open(path) as stored:
        expected = np.asarray(ImageOps.exif_transpose(stored).convert("RGB"))
    result = read_image(path)
    assert result.shape == ((48, 64, 3) if orientation < 5 else (64, 48, 3))
    assert (result == expected).all()


def test_exif_orientation_of_a_phone_held_upright(tmp_path: Path) -> None:
    """Orientation 6: the stored picture's left column is the upright picture's top row."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "phone.png"
    path.write_bytes(encoded("PNG", exif=exif))
    assert (read_image(path)[0] == scene()[::-1, 0]).all()


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_impossible_orientation_is_ignored(tmp_path: Path, value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    path = tmp_path / "a.png"
    path.write_bytes(encoded("PNG", exif=exif))
    assert (read_image(path) == scene()).all()


def test_damaged_exif_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded("JPEG", exif=EXIF_GARBAGE))
    assert read_image(path).shape == (48, 64, 3)


def grey() -> np.ndarray:
    return scene()[..., 0]


def palette(alpha: bool) -> bytes:
    picture = Image.fromarray(scene()).quantize(16)
    return encoded("PNG", picture, **({"transparency": bytes([0] * 16)} if alpha else {}))


def moving(kind: str) -> bytes:
    frames = [Image.fromarray(scene()), Image.new("RGB", (64, 48), (255, 0, 255))]
    options = {"lossless": True} if kind == "WEBP" else {}
    return encoded(kind, frames[0], save_all=True, append_images=frames[1:], **options)


# how the file is made, the picture it must give, tolerance per value
READ: dict[str, tuple[Callable[[], bytes], Callable[[], np.ndarray], int]] = {
    "rgb.png": (lambda: encoded("PNG"), scene, 0),
    "rgb.jpg": (lambda: encoded("JPEG", quality=95, subsampling=0), scene, 12),
    "rgb.webp": (lambda: encoded("WEBP", lossless=True), scene, 0),
    "rgb.bmp": (lambda: encoded("BMP"), scene, 0),
    "rgb.ppm": (lambda: encoded("PPM"), scene, 0),
    "rgb.avif": (lambda: encoded("AVIF", quality=95), scene, 16),
    "lzw.tif": (lambda: encoded("TIFF", compression="tiff_lzw"), scene, 0),
    "png named.jpg": (lambda: encoded("PNG"), scene, 0),
    "no ending": (lambda: encoded("PNG"), scene, 0),
    "naïve 写真 👍.png": (lambda: encoded("PNG"), scene, 0),
    "grey.png": (lambda: encoded("PNG", grey()), lambda: np.dstack([grey()] * 3), 0),
    "grey.jpg": (lambda: encoded("JPEG", grey()), lambda: np.dstack([grey()] * 3), 6),
    "bits.png": (
        lambda: encoded("PNG", Image.fromarray(grey()).point(lambda v: 255 * (v > 99), "1")),
        lambda: np.dstack([(grey() > 99) * np.uint8(255)] * 3),
        0,
    ),
    "cmyk.jpg": (
        lambda: encoded("JPEG", Image.fromarray(scene()).convert("CMYK"), quality=95),
        scene,
        16,
    ),
    "cmyk.tif": (lambda: encoded("TIFF", Image.fromarray(scene()).convert("CMYK")), scene, 1),
    "sixteen.png": (
        lambda: encoded("PNG", Image.fromarray(grey().astype(np.uint16) * 257)),
        lambda: np.dstack([grey()] * 3),
        0,
    ),
    "sixteen.tif": (
        lambda: encoded("TIFF", Image.fromarray(grey().astype(np.uint16) * 257)),
        lambda: np.dstack([grey()] * 3),
        0,
    ),
    "sixteen.pgm": (
        lambda: b"P5 64 48 65535\n" + (grey().astype(">u2") * 257).tobytes(),
        lambda: np.dstack([grey()] * 3),
        0,
    ),
    "float.tif": (
        lambda: encoded("TIFF", Image.fromarray(grey().astype(np.float32) / 255)),
        lambda: np.dstack([grey()] * 3),
        0,
    ),
    "palette.png": (lambda: palette(alpha=False), scene, 70),
    "palette-transparent.png": (
        lambda: palette(alpha=True),
        lambda: np.full((48, 64, 3), 255, np.uint8),
        0,
    ),
    "transparent.png": (
        lambda: encoded("PNG", np.dstack([scene(), np.zeros((48, 64), np.uint8)])),
        lambda: np.full((48, 64, 3), 255, np.uint8),
        0,
    ),
    "half-transparent.png": (
        lambda: encoded("PNG", np.dstack([scene(), np.full((48, 64), 128, np.uint8)])),
        lambda: np.rint(scene() * (128 / 255) + 255 * (127 / 255)).astype(np.uint8),
        1,
    ),
    "grey-alpha.png": (
        lambda: encoded("PNG", Image.merge("LA", [Image.fromarray(grey())] * 2)),
        lambda: np.dstack([np.rint(grey() / 255.0 * grey() + 255.0 - grey())] * 3).astype(np.uint8),
        1,
    ),
    "key-colour.png": (
        lambda: encoded("PNG", Image.new("RGB", (64, 48), (1, 2, 3)), transparency=(1, 2, 3)),
        lambda: np.full((48, 64, 3), 255, np.uint8),
        0,
    ),
    "moving.gif": (lambda: moving("GIF"), scene, 70),
    "moving.webp": (lambda: moving("WEBP"), scene, 0),
    "moving.png": (lambda: moving("PNG"), scene, 0),
    "trailing.jpg": (
        lambda: encoded("JPEG", quality=95, subsampling=0) + b"trailing" * 99,
        scene,
        12,
    ),
    "sixteen-wide.png": (lambda: encoded("PNG", scene(16, 16)), lambda: scene(16, 16), 0),
}


@pytest.mark.parametrize("name", READ)
def test_picture_is_read(tmp_path: Path, name: str) -> None:
    make, expect, tolerance = READ[name]
    path = tmp_path / name
    path.write_bytes(make())
    result = read_image(path)
    expected = expect()
    assert result.dtype == np.uint8
    assert result.shape == expected.shape
    assert np.abs(result.astype(int) - expected.astype(int)).max() <= tolerance
    assert (read_image(str(path)) == result).all()


@given(
    kind=st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF"]),
    cut=st.floats(0, 1),
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
)
def test_any_damage_gives_a_picture_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    cut: float,
    edits: list[tuple[float, int]],
) -> None:
    body = bytearray(encoded(kind)[: int(cut * len(encoded(kind)))])
    for place, value in edits:
        if body:
            body[int(place * len(body))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.img"
    path.write_bytes(bytes(body))
    message, result = "", None
    try:
        result = read_image(path)
    except ImageError as error:
        message = str(error)
    if result is None:
        assert str(path) in message
        assert "\n" not in message
    else:
        assert result.dtype == np.uint8
        assert result.ndim == 3
        assert result.shape[2] == 3


# --- writing


def left_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_png_holds_picture_mask_and_text(tmp_path: Path) -> None:
    path = tmp_path / "out put ü.png"
    mask = np.zeros((48, 64), np.uint8)
    mask[10:20] = 255
    text = {"vunet:pose": '{"name": "Grüße 世界"}', "vunet:seed": "7", "odd": "a\udcffb"}
    write_png(scene(), path, mask=mask, text=text)
    with Image.open(path) as picture:
        assert isinstance(picture, PngImagePlugin.PngImageFile)
        assert picture.text == {**text, "odd": "a\\udcffb"}
        pixels = np.asarray(picture)
    assert (pixels[..., :3] == scene()).all()
    assert (pixels[..., 3] == mask).all()
    assert left_in(tmp_path) == [path.name]


def test_written_picture_reads_back(tmp_path: Path) -> None:
    write_png(scene(), tmp_path / "a.png")
    assert (read_image(tmp_path / "a.png") == scene()).all()
    write_png(scene(), tmp_path / "a.JPEG", text={"left": "out"})
    assert (tmp_path / "a.JPEG").read_bytes()[:3] == b"\xff\xd8\xff"
    difference = read_image(tmp_path / "a.JPEG").astype(int) - scene()
    assert np.abs(difference).max() <= 12


def test_file_mode_follows_the_umask_and_missing_folders_are_made(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "new" / "folder" / "a.bin", b"data")
    finally:
        os.umask(old)
    path = tmp_path / "new" / "folder" / "a.bin"
    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["a.bmp", "a", "a.png.txt", ".png", "a.gif"])
def test_other_endings_are_refused(tmp_path: Path, name: str) -> None:
    for action in (lambda p: write_png(scene(), p), check_output):
        with pytest.raises(OutputError, match=r"\.png or \.jpg") as caught:
            action(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
    assert left_in(tmp_path) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("kept")
    # A pipe of the test's own stands for devices: replacing /dev/null would break the machine.
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null.png").symlink_to(tmp_path / "pipe")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    before = left_in(tmp_path)
    for path, words in [
        (tmp_path / "folder.png", "existing folder"),
        (tmp_path / "null.png", "device or a pipe"),
        (tmp_path / "loop.png", "cannot be written"),
        (tmp_path / "file" / "a.png", "folder is a file"),
        (tmp_path / ("x" * 300 + ".png"), "too long"),
        (tmp_path / "nul\0.png", "cannot be written"),
    ]:
        with pytest.raises(OutputError, match=words) as caught:
            write_png(scene(), path)
        assert "\n" not in str(caught.value)
        assert shown(path) in str(caught.value)
    assert left_in(tmp_path) == before
    assert (tmp_path / "file").read_text() == "kept"
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write_png(scene(), tmp_path / "link.png")
    assert (tmp_path / "link.png").is_symlink()
    assert (read_image(tmp_path / "real.png") == scene()).all()


def test_folder_that_may_not_be_written(unprivileged_folder: Path) -> None:
    before = left_in(unprivileged_folder)
    for name in ("a.png", "new/a.png"):
        with pytest.raises(OutputError, match="may not be written"):
            write_png(scene(), unprivileged_folder / name)
    assert left_in(unprivileged_folder) == before


def test_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="disk is full"):
            write_png(NOISE, path)
        with pytest.raises(OutputError, match="disk is full"):
            write_png(NOISE, tmp_path / "new" / "deep" / "a.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert left_in(tmp_path) == ["a.png"]


def test_wrong_arrays_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="image must be"):
        write_png(scene().astype(np.float32), tmp_path / "a.png")
    with pytest.raises(ValueError, match="mask must be"):
        write_png(scene(), tmp_path / "a.png", mask=np.zeros((9, 9), np.uint8))
    with pytest.raises(OutputError, match="cannot be transparent"):
        write_png(scene(), tmp_path / "a.jpg", mask=np.zeros((48, 64), np.uint8))
    assert left_in(tmp_path) == []
