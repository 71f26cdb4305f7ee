"""Textures of sampled looks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vunet.drawing.cloth import SIDE, spectra, spectrum, texture, woven


def striped(period: int, noise: float = 0.0) -> np.ndarray:
    """A cloth with horizontal stripes, (256, 192, 3) uint8."""
    y = np.arange(256)[:, None]
    grey = 128 + 20 * np.sin(2 * np.pi * y / period) * np.ones((256, 192))
    grey += np.random.default_rng(0).normal(0, noise, grey.shape)
    return np.clip(grey, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


@pytest.mark.parametrize("period", [5, 8, 10])
def test_a_texture_has_the_spectrum_and_the_strength_of_its_cloth(period: int) -> None:
    found = spectrum(striped(period), np.ones((256, 192), bool))
    assert found is not None
    made = texture(found, (240, 200), np.random.default_rng(1))
    wanted = 20 / np.sqrt(2) / (128 + 24)  # a share of the light
    assert 0.7 * wanted < float(made.std()) < 1.2 * wanted
    power = np.abs(np.fft.rfft2(made)) ** 2
    row, column = np.unravel_index(int(power[:120].argmax()), power[:120].shape)
    assert abs(row / 240 - 1 / period) < 1.5 / SIDE  # cycles a pixel
    assert column / 200 < 1.5 / SIDE


def test_a_mask_too_small_for_a_patch_has_no_spectrum() -> None:
    mask = np.zeros((256, 192), bool)
    mask[100:120, 50:150] = True
    assert spectrum(striped(6), mask) is None


def test_a_print_and_a_bare_place_are_passed_over() -> None:
    image = striped(6)
    rng = np.random.default_rng(0)
    image[90:160, 60:130] = rng.integers(0, 256, (70, 70, 1))
    image[200:, :60] = 128
    found = spectrum(image, np.ones((256, 192), bool))
    assert found is not None
    wanted = 20 / np.sqrt(2) / (128 + 24)
    strength = float(texture(found, (64, 64), np.random.default_rng(0)).std())
    assert 0.6 * wanted < strength < 1.2 * wanted


def test_what_is_stored_is_of_cloth_and_grounds_and_all_of_it_can_be_used() -> None:
    bank = spectra()
    assert bank.shape == (2, 64, SIDE, SIDE // 2 + 1)
    stds = [
        float(texture(a, (96, 64), np.random.default_rng(0)).std())
        for a in bank.reshape(-1, *bank.shape[2:])
    ]
    assert max(stds) < 0.21
    assert np.median(stds) > 0.01


def test_thing_and_ground_get_a_texture_each_by_the_seed() -> None:
    plain = np.full((256, 192, 3), 128, np.float32)
    inside = np.zeros((128, 96), bool)
    inside[30:100, 20:70] = True
    one, again, other = (woven(plain, inside, s) for s in (5, 5, 6))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).mean() > 0.5
    assert np.abs(one.mean((0, 1)) - 128).max() < 2
    within = cv2.resize(inside.astype(np.uint8), (192, 256)) > 0
    assert np.isfinite(one).all()
    assert (one[within].std() > 0) or (one[~within].std() > 0)
