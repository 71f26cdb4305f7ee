"""Ready-made drawings to begin with: outlines of clothes, and faces, as strokes of the pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_WIDTH_PX = 6
_STEPS = 12
Point = tuple[float, float]
_Curve = Sequence[Point]
"""Two points of a line, or three of a quadratic curve whose middle one it is drawn towards."""


def starts() -> dict[str, list[dict[str, Any]]]:
    """Names and strokes, on paper of 480 x 640 pixels."""
    return {"T-shirt": _t_shirt(), "Trousers": _trousers(), "Dress": _dress()}


def faces() -> dict[str, list[dict[str, Any]]]:
    """Names and strokes of faces, on the same paper."""
    return {"Short hair": _short_hair(), "Long hair": _long_hair()}


def _t_shirt() -> list[dict[str, Any]]:
    half = [
        [(240, 168), (205, 168), (192, 128)],  # neck
        [(192, 128), (130, 150)],
        [(130, 150), (85, 200), (62, 278)],
        [(62, 278), (130, 302)],
        [(130, 302), (142, 262)],
        [(142, 262), (150, 400), (140, 536)],
        [(140, 536), (190, 546), (240, 546)],
    ]
    return [*_both(half), *_both([[(240, 184), (194, 184), (176, 134)]])]


def _trousers() -> list[dict[str, Any]]:
    half = [
        [(240, 92), (165, 92)],
        [(165, 92), (132, 260), (136, 566)],
        [(136, 566), (212, 566)],
        [(212, 566), (224, 400), (240, 262)],
    ]
    return [
        *_both(half),
        *_both([[(240, 122), (160, 122)]]),
        *_both([[(200, 122), (196, 168), (154, 180)]]),
        _stroke([[(240, 122), (240, 200)]]),
    ]


def _dress() -> list[dict[str, Any]]:
    half = [
        [(240, 152), (212, 150), (200, 84)],  # neck
        [(200, 84), (172, 88)],
        [(172, 88), (186, 140), (162, 176)],
        [(162, 176), (186, 230), (182, 276)],
        [(182, 276), (150, 430), (96, 560)],
        [(96, 560), (165, 588), (240, 588)],
    ]
    return [
        *_both(half),
        *_both([[(240, 284), (210, 284), (182, 276)]]),
        *_both([[(212, 300), (196, 430), (176, 556)]]),
    ]


def _short_hair() -> list[dict[str, Any]]:
    head = [
        [(116, 306), (120, 396), (172, 452)],
        [(172, 452), (208, 488), (240, 490)],
    ]
    ear = [[(117, 300), (84, 282), (100, 344)], [(100, 344), (106, 366), (121, 362)]]
    outer = [[(100, 296), (70, 92), (240, 84)]]
    inner = [[(118, 286), (118, 190), (168, 188)], [(168, 188), (206, 190), (240, 170)]]
    return [
        *(s for part in (head, ear, outer, inner) for s in _both(part)),
        *_features(brow=6),
    ]


def _long_hair() -> list[dict[str, Any]]:
    head = [
        [(124, 300), (126, 392), (180, 450)],
        [(180, 450), (212, 484), (240, 485)],
    ]
    outer = [
        [(240, 88), (104, 84), (92, 270)],
        [(92, 270), (88, 420), (48, 560)],
    ]
    inner = [
        [(240, 156), (148, 176), (128, 300)],
        [(128, 300), (124, 440), (140, 560)],
    ]
    neck = [[(196, 468), (196, 530), (176, 566)]]
    return [
        *(s for part in (head, outer, inner, neck) for s in _both(part)),
        *_features(brow=0),
    ]


def _features(brow: float) -> list[dict[str, Any]]:
    """Eyes, nose and mouth.

    Args:
        brow: Pixels by which brows are lower.
    """
    lids = [[(158, 304), (188, 276), (220, 306)], [(220, 306), (188, 322), (158, 304)]]
    iris = [
        [(178, 290), (176, 312), (189, 312)],
        [(189, 312), (202, 312), (200, 290)],
    ]
    brows = [[(148, 266 + brow), (178, 240 + brow), (222, 260 + brow)]]
    nose = [[(230, 318), (226, 346), (212, 362)], [(212, 362), (210, 380), (240, 380)]]
    upper = [[(240, 406), (220, 396), (196, 412)]]
    lower = [[(196, 412), (216, 434), (240, 434)]]
    middle = [[(196, 412), (220, 416), (240, 414)]]
    parts = (lids, iris, brows, nose, upper, lower, middle)
    return [stroke for part in parts for stroke in _both(part)]


def _both(curves: Sequence[_Curve]) -> list[dict[str, Any]]:
    """A stroke of the left half, and its mirror image."""
    return [_stroke(curves), _stroke([[(480 - x, y) for x, y in curve] for curve in curves])]


def _stroke(curves: Sequence[_Curve]) -> dict[str, Any]:
    points = np.concatenate([_points(curve) for curve in curves]).round(1).tolist()
    return {"width": _WIDTH_PX, "rub": False, "points": points}


def _points(curve: _Curve) -> np.ndarray:
    """(N, 2) along a curve."""
    at = np.array(curve, float)
    if len(at) == 2:
        return at
    t = np.linspace(0, 1, _STEPS)[:, None]
    return (1 - t) ** 2 * at[0] + 2 * t * (1 - t) * at[1] + t**2 * at[2]
