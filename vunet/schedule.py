"""What changes from step to step of a run: rates, weights, and which part is looked at closely."""

from __future__ import annotations

import math

import numpy as np

from vunet.config import TrainConfig

WARM_UP_STEPS = 100


def learning_rate(step: int, done: float, config: TrainConfig) -> float:
    """Rate at a step: warm-up, then flat, then half a cosine down to 2 % of the peak.

    Args:
        step: From 0.
        done: Share of the run that is over, in [0, 1].
        config: Of the run.
    """
    start = 1 - config.cooldown
    fall = min(1.0, max(0.0, (done - start) / max(1e-6, config.cooldown)))
    shape = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fall))
    return config.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS) * shape


def kl_weight(step: int, config: TrainConfig) -> float:
    """Weight of the divergence at a step: nought, then a ramp, then flat."""
    first, last = config.kl_steps
    return config.kl_weight * min(1.0, max(0.0, (step - first) / max(1, last - first)))


def step_window(step: int, config: TrainConfig) -> tuple[int, int, int, int]:
    """y, x, height, width of the part of the pictures that a step compares closely."""
    height, width = config.model.size
    h, w = 5 * height // 8, 2 * width // 3
    g = np.random.default_rng((config.seed, step))
    return int(g.integers(height - h + 1)), int(g.integers(width - w + 1)), h, w
