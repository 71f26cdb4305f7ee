"""The colours of painted regions: what each stands for."""

from __future__ import annotations

import numpy as np

REGIONS: dict[str, tuple[int, int, int]] = {
    "hair": (122, 72, 30),
    "skin": (255, 190, 150),
    "top": (230, 50, 60),
    "jacket": (40, 90, 220),
    "trousers": (40, 160, 90),
    "skirt": (170, 70, 200),
    "dress": (250, 120, 200),
    "shoes": (90, 90, 90),
    "tights": (150, 150, 220),
    "bag": (240, 170, 30),
    "hat": (20, 190, 200),
}
"""Name and RGB of each region of a painted person, in the order of `paint` labels from 1."""

PAPER = (255, 255, 255)
"""RGB of what is neither drawn nor painted."""

COLOURS = np.array([PAPER, *REGIONS.values()], np.uint8)
"""(1 + regions, 3): RGB of each `paint` label; 0 is paper."""

GARMENTS: dict[str, tuple[str, ...]] = {
    "hair": ("hair",),
    "skin": ("skin",),
    "top": (
        *("blouse", "bodysuit", "bra", "intimate", "jumper", "romper", "shirt", "sweater"),
        *("sweatshirt", "swimwear", "t-shirt", "top", "vest", "hoodie", "tie"),
    ),
    "jacket": ("blazer", "cape", "cardigan", "coat", "jacket", "suit", "scarf"),
    "trousers": ("jeans", "leggings", "pants", "shorts", "panties"),
    "skirt": ("skirt",),
    "dress": ("dress",),
    "shoes": (
        *("boots", "clogs", "flats", "heels", "loafers", "pumps", "sandals", "shoes"),
        *("sneakers", "wedges"),
    ),
    "tights": ("socks", "stockings", "tights"),
    "bag": ("bag", "purse", "wallet"),
    "hat": ("hat",),
}
"""Which garment labels of Clothing Co-Parsing are painted as which region."""


def paint_labels(labels: np.ndarray, names: list[str]) -> np.ndarray:
    """Garment labels as regions.

    Args:
        labels: (H, W) uint8, k for entry k of `names`.
        names: Of the label set; unknown ones stay unpainted.

    Returns:
        (H, W) uint8, labels of `COLOURS`.
    """
    regions = list(GARMENTS)
    table = np.zeros(256, np.uint8)
    for k, name in enumerate(names[:256]):
        for number, region in enumerate(regions, 1):
            if name in GARMENTS[region]:
                table[k] = number
    return table[labels]


def coloured(paint: np.ndarray) -> np.ndarray:
    """(H, W) labels -> (H, W, 3) uint8 RGB."""
    return COLOURS[np.minimum(paint, len(COLOURS) - 1)]
