"""Fine textures of sampled looks: noise with the spectra of real cloth and of real grounds.

The network paints what latents know: colours, shading, seams. Weave, knit, grain and stripes are
too many for sixteen numbers a slot; they come as Gaussian noise of random phase, with the power
spectrum of a patch of a training photo. `cloth.png` holds such spectra (one a row, first those of
things, then those of grounds; logarithmic), no photo can be had back from it.

`python -m vunet.drawing.cloth SET` makes the file anew from a set of drawings.

Source: Galerne, Gousseau, Morel, "Random Phase Textures: Theory and Synthesis" (2011).
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from vunet.dataset import SIZE, open_dataset

SIDE = 40
"""Of a patch, in pixels of the network's picture."""
_KEPT = 64
"""Spectra of things, and as many of grounds."""
_CALM = 9.0
"""Standard deviation in pixels of what counts as shading, not texture."""
_FLOOR, _RANGE = -9.0, 10.0
"""Of the logarithm of amplitudes that a byte holds."""
_FILE = Path(__file__).with_name("cloth.png")
_MOST = 0.2
"""Largest standard deviation of a texture, as a share of the light."""
_DARKEST = 24.0
"""Light that is added to black, of 255: its texture is seen as well."""


def spectrum(image: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """Amplitudes of the texture in an ordinary part of a mask, neither its calmest nor a print.

    Args:
        image: (H, W, 3) uint8 RGB.
        mask: (H, W) bool.

    Returns:
        (SIDE, SIDE // 2 + 1) float32, of a patch's luminance without its shading, as a share of
        its light; None where no patch fits in.
    """
    half = SIDE // 2
    room = cv2.erode(np.pad(mask, 1).astype(np.uint8), np.ones((SIDE + 1, SIDE + 1)))[1:-1, 1:-1]
    if not room.any():
        return None
    light = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = light - cv2.GaussianBlur(light, (0, 0), _CALM)
    power = cv2.blur(detail**2, (SIDE, SIDE))
    unlike = np.abs(power - np.median(power[room > 0]))
    y, x = np.unravel_index(int(np.where(room > 0, unlike, np.inf).argmin()), room.shape)
    there = slice(y - half, y + half), slice(x - half, x + half)
    patch = detail[there] / (light[there].mean() + _DARKEST)
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    return np.abs(np.fft.rfft2((patch - patch.mean()) * window)).astype(np.float32)


def texture(amplitudes: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Noise of these amplitudes.

    Args:
        amplitudes: From `spectrum`.
        size: (height, width) in pixels.
        rng: Decides the phases.

    Returns:
        (height, width) float32, mean 0, a share of the light, as strong as the patch was.
    """
    # Parseval: the middle columns of rfft2 stand for two
    weight = np.full(amplitudes.shape, 2.0)
    weight[:, 0] = weight[:, -1] = 1
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    power = float((weight * amplitudes.astype(np.float64) ** 2).sum()) / SIDE**2
    strength = min(_MOST, float(np.sqrt(power / (window**2).sum())))
    kernel = np.fft.fftshift(np.fft.irfft2(amplitudes, (SIDE, SIDE))) * window
    noise = rng.standard_normal(size).astype(np.float32)
    field = cv2.filter2D(noise, cv2.CV_32F, kernel, borderType=cv2.BORDER_WRAP)
    field -= field.mean()
    return field * (strength / max(1e-6, float(field.std())))


@cache
def spectra() -> np.ndarray:
    """(2, K, SIDE, SIDE // 2 + 1) float32: of things, of grounds.

    Raises:
        ValueError: If the file of spectra is absent or damaged.
    """
    stored = cv2.imread(str(_FILE), cv2.IMREAD_GRAYSCALE)
    wide = SIDE * (SIDE // 2 + 1)
    if stored is None or stored.shape[1] != wide or len(stored) % 2:
        raise ValueError(f"{_FILE}: the spectra of cloth cannot be read; install vunet again")
    values = np.exp(stored.astype(np.float32) / 255 * _RANGE + _FLOOR)
    return values.reshape(2, -1, SIDE, SIDE // 2 + 1)


def softly(inside: np.ndarray, wh: tuple[int, int]) -> np.ndarray:
    """(height, width) float32, 1 inside and 0 outside with a soft edge, from (h, w) bool."""
    share = cv2.resize(inside.astype(np.float32), wh, interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(share, (0, 0), 0.004 * max(wh))


def woven(picture: np.ndarray, inside: np.ndarray, seed: int, amount: float = 1.0) -> np.ndarray:
    """A sampled picture with a texture on its thing and one on its ground.

    Args:
        picture: (H, W, 3) float32 RGB in 0..255.
        inside: (h, w) bool, where the thing is.
        seed: Decides which.
        amount: How strong, as a share of the cloth's own.

    Returns:
        Like `picture`; may leave 0..255.
    """
    rng = np.random.default_rng((seed, 7))
    bank = spectra()
    wh = (picture.shape[1], picture.shape[0])
    fields = [
        cv2.resize(
            texture(bank[k, rng.integers(bank.shape[1])], SIZE, rng),
            wh,
            interpolation=cv2.INTER_CUBIC,
        )
        for k in range(2)
    ]
    share = softly(inside, wh)
    field = fields[1] + share * (fields[0] - fields[1])
    light = picture.mean(2, keepdims=True).clip(0, 255) + _DARKEST
    return picture + amount * field[..., None] * light


def main() -> None:
    """Write the file of spectra from a set of drawings."""
    data = open_dataset(Path(sys.argv[1]))
    order = np.random.default_rng(0).permutation(len(data))
    found: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for i in order:
        image, mask = data.arrays["images"][i], data.arrays["masks"][i] > 127
        x0, y0, x1, y1 = (int(v) for v in data.arrays["valid"][i])
        photo = np.zeros(mask.shape, bool)
        photo[y0:y1, x0:x1] = True
        near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9))) > 0
        for kept, where in zip(found, (mask, photo & ~near), strict=True):
            one = spectrum(image, where & photo) if len(kept) < _KEPT else None
            if one is not None:
                kept.append(one)
    rows = np.log(np.maximum(np.array(found), 1e-6)).reshape(2 * _KEPT, -1)
    stored = np.clip((rows - _FLOOR) / _RANGE * 255, 0, 255).astype(np.uint8)
    cv2.imwrite(str(_FILE), stored)


if __name__ == "__main__":
    main()
