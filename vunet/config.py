"""The settings of network and training. A config travels inside the weights file it belongs to."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

NETWORKS = ("reposer", "vunet-2018", "pix2pix")
DRAWING_NETWORKS = ("drawing", "drawing-pix2pix")
SHAPES = ("lines", "regions", "picture")
"""Ink on paper; ink and painted regions; any picture."""
FACE_NETWORKS = ("face-parts",)
FIND_NETWORKS = ("find",)
FIND_SHAPES = ("lines", "picture")
"""Ink on paper, compared where it is; whole pictures, as of faces that fill theirs."""


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The re-posing network, or one that it is measured against."""

    network: str = "reposer"
    """One of `NETWORKS`. The baselines use size, generator_channels and detail_channels alone."""
    size: tuple[int, int] = (256, 192)
    """(height, width) in pixels of the network's pictures; multiples of 32."""
    parser_channels: tuple[int, ...] = (24, 48, 72, 96)
    """Channels per scale of the net that labels the source's parts, from a quarter of the size."""
    warp_channels: tuple[int, ...] = (40, 64, 96, 128)
    """Channels per scale of the net that finds part masks and flow, from a quarter of the size."""
    generator_channels: tuple[int, ...] = (32, 64, 96, 144, 192)
    """Channels per scale of the shape U-Net, from half of the size."""
    detail_channels: int = 16
    """Channels of the last layers at full size."""
    latent_dim: int = 24
    """Numbers per body part that hold its appearance."""
    crop_size: int = 24
    """Side in pixels of the part-normalised crops that the appearance encoder sees."""
    encoder_channels: int = 32
    """Width of the appearance encoder."""
    flow_limit: float = 24.0
    """Largest residual flow in pixels of the network's picture, each time it is corrected."""
    warp_passes: int = 1
    """How often part masks and flow are found; from the second time on the net sees the photo as
    it has moved it itself, and corrects that."""
    garments: bool = False
    """Whether the net that labels the source's parts tells hanging cloth and bags, too."""
    texture: bool = True
    """Whether the photo's pixels are carried to the new pose. Off: the 2018 paper's path alone."""
    latents: bool = True
    """Whether the parts' looks reach the generator as latents. Off: the carried pixels alone."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, default = getattr(self, field.name), field.default
            if isinstance(default, tuple):
                fits = isinstance(value, tuple) and bool(value) and all(map(_is_count, value))
            elif isinstance(default, bool):
                fits = isinstance(value, bool)
            elif isinstance(default, str):
                fits = value in NETWORKS
            elif isinstance(default, float):
                fits = isinstance(value, int | float) and 0 < value < 1e4
            else:
                fits = _is_count(value)
            if not fits:
                raise ValueError(
                    f"{field.name} is of the wrong kind: {value!r}, must be like {default!r}"
                )
        if len(self.size) != 2:
            raise ValueError(f"size must be (height, width), got {self.size}")
        deepest = max(
            4 << (len(self.parser_channels) - 1),
            4 << (len(self.warp_channels) - 1),
            2 << (len(self.generator_channels) - 1),
        )
        if any(side % deepest for side in self.size):
            raise ValueError(f"both sides of size must be multiples of {deepest}, got {self.size}")


def _is_count(value: object) -> bool:
    """Whether a value may be a number of channels or pixels."""
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 4096


@dataclass(frozen=True, kw_only=True)
class DrawingConfig:
    """The network that paints drawings."""

    network: str = "drawing"
    """One of `DRAWING_NETWORKS`; the baseline uses size, generator_channels and detail_channels."""
    size: tuple[int, int] = (256, 192)
    """(height, width) in pixels of the pictures it is trained on; multiples of 32."""
    trunk_channels: tuple[int, int, int] = (32, 56, 80)
    """Channels of the features of drawing and reference at 1/4, 1/8 and 1/16 of the size."""
    refine_channels: tuple[int, ...] = (24, 40, 56)
    """Channels per scale of the net that refines where pixels come from, from a quarter."""
    generator_channels: tuple[int, ...] = (32, 56, 88, 120, 128)
    """Channels per scale of the shape U-Net, from half of the size."""
    detail_channels: int = 16
    """Channels of the last layers at full size."""
    slots: int = 4
    """How many looks a reference is described by: thing, ground, trimming ..."""
    latent_dim: int = 16
    """Numbers per slot."""
    flow_limit: float = 0.12
    """Largest correction of a place, in half sides of the picture."""
    classes: tuple[str, ...] = ()
    """What drawings may be of, where it is known."""
    shape: str = "lines"
    """What drawings are: one of `SHAPES`."""
    people: bool = False
    """Whether drawings are of people, who are looked for in reference photos."""
    faces: bool = False
    """Whether they are of faces that lie as faces do (`vunet.face.template`)."""

    def __post_init__(self) -> None:
        if self.network not in DRAWING_NETWORKS or self.shape not in SHAPES:
            raise ValueError(f"unknown network or shape: {self.network!r}, {self.shape!r}")
        counts = (*self.size, *self.trunk_channels, *self.refine_channels, self.detail_channels)
        counts += (*self.generator_channels, self.slots, self.latent_dim)
        if not all(map(_is_count, counts)) or len(self.size) != 2 or len(self.trunk_channels) != 3:
            raise ValueError("drawing settings of the wrong kind: sizes and channels are counts")
        if not isinstance(self.flow_limit, int | float) or not 0 < self.flow_limit < 4:
            raise ValueError(f"flow_limit must be a small number, got {self.flow_limit!r}")
        if not isinstance(self.people, bool) or not isinstance(self.faces, bool):
            raise ValueError(f"people and faces must be true or false, got {self.people!r}")
        if not all(isinstance(name, str) for name in self.classes):
            raise ValueError("classes must be names")
        if any(side % 32 for side in self.size):
            raise ValueError(f"both sides of size must be multiples of 32, got {self.size}")


@dataclass(frozen=True, kw_only=True)
class FacePartsConfig:
    """The networks that find a drawn face's points and draw its parts anew."""

    network: str = "face-parts"
    """One of `FACE_NETWORKS`."""
    point_channels: tuple[int, int, int] = (24, 40, 48)
    """Of the net that finds points at 1/4, 1/8 and 1/16 of its picture."""
    part_channels: tuple[int, int, int, int] = (12, 24, 32, 12)
    """Of the parts' coders from fine to coarse, and before the code."""
    part_dim: int = 32
    """Numbers of a part's code."""
    rest_dim: int = 48
    """Numbers of the code of outline and hair."""
    faces: int = 0
    """How many faces' codes travel with the weights."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels of the drawings in which points are found."""
        return (128, 128)

    def __post_init__(self) -> None:
        counts = (*self.point_channels, *self.part_channels, self.part_dim, self.rest_dim)
        if self.network not in FACE_NETWORKS:
            raise ValueError(f"unknown network: {self.network!r}")
        if not all(map(_is_count, counts)):
            raise ValueError("face settings of the wrong kind: channels are counts")
        if (len(self.point_channels), len(self.part_channels)) != (3, 4):
            raise ValueError("face settings of the wrong kind: three and four numbers of channels")
        if not isinstance(self.faces, int) or not 0 <= self.faces <= 65536:
            raise ValueError(f"faces must be a number up to 65536, got {self.faces!r}")


@dataclass(frozen=True, kw_only=True)
class FindConfig:
    """The network that finds photos by drawings."""

    network: str = "find"
    """One of `FIND_NETWORKS`."""
    size: tuple[int, int] = (128, 96)
    """(height, width) in pixels of the pictures it compares; multiples of 16."""
    photo_channels: tuple[int, int, int, int] = (24, 40, 56, 72)
    """Of the photo branch at 1/2, 1/4, 1/8 and 1/16 of the size."""
    drawing_channels: tuple[int, int, int, int] = (12, 24, 40, 56)
    """The same of the drawing branch."""
    map_channels: int = 12
    """Numbers per place, 1/16 of the size, before they become one vector."""
    drawing_dim: int = 128
    """Numbers of a vector that photos and drawings share."""
    look_channels: tuple[int, ...] = (12, 24, 40)
    """Of the net that sees colours and texture, from half of the size."""
    look_dim: int = 64
    """Numbers of a vector of looks."""
    shape: str = "lines"
    """What drawings are: one of `FIND_SHAPES`."""

    def __post_init__(self) -> None:
        if self.network not in FIND_NETWORKS or self.shape not in FIND_SHAPES:
            raise ValueError(f"unknown network or shape: {self.network!r}, {self.shape!r}")
        counts = (*self.size, *self.photo_channels, *self.drawing_channels, *self.look_channels)
        counts += (self.map_channels, self.drawing_dim, self.look_dim)
        if not all(map(_is_count, counts)) or len(self.size) != 2 or not self.look_channels:
            raise ValueError("find settings of the wrong kind: sizes and channels are counts")
        if len(self.photo_channels) != 4 or len(self.drawing_channels) != 4:
            raise ValueError("photo_channels and drawing_channels must be four counts each")
        if any(side % 16 for side in self.size):
            raise ValueError(f"both sides of size must be multiples of 16, got {self.size}")


NetworkConfig = ModelConfig | DrawingConfig | FindConfig | FacePartsConfig
"""The settings of any network."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run."""

    model: NetworkConfig = ModelConfig()
    """The network."""
    batch_size: int = 16
    """Picture pairs per step and process."""
    steps: int | None = 20000
    """Length of the run, over whose last part the learning rate falls; None goes by the clock."""
    learning_rate: float = 6e-4
    """Peak rate of AdamW, after 100 steps of warm-up."""
    cooldown: float = 0.5
    """Share of the run over which the rate falls to 2 % of its peak (half a cosine)."""
    betas: tuple[float, float] = (0.9, 0.99)
    """Of Adam."""
    ema: float = 0.998
    """Decay per step of the averaged weights, which are the ones released."""
    seed: int = 0
    """Fixes initial weights, batches and noise."""
    mix: tuple[float, float, float] = (4, 7, 5)
    """Shares of true photo pairs, rendered pairs and single photos."""
    texture_dropout: float = 0.25
    """Share of samples that must be painted from the latents alone."""
    cross_share: float = 0.0
    """Share of drawings whose reference shows another thing of the class."""
    kl_weight: float = 2e-4
    """Final weight of the divergence between posterior and prior, per nat."""
    kl_steps: tuple[int, int] = (300, 1500)
    """The weight rises from zero between these steps."""
    free_nats: float = 0.02
    """Divergence per latent number that costs nothing: latents must carry something."""
    perceptual_weight: float = 2.0
    """Weight of the SqueezeNet losses; without the backbone they are left out."""
    head_weight: float = 1.0
    """Weight of the SqueezeNet losses of the head alone."""
    hidden_weight: float = 0.15
    """Weight of not copying the far side of renders' heads."""
    adversarial_weight: float = 0.0
    """Weight of the conditional PatchGAN; 0 leaves it out."""
    adversarial_start: int = 0
    """First step with the adversarial loss."""
    only: str = ""
    """One of `ONLY` is trained alone and the rest left as it is; nothing for all."""


ONLY = ("texture", "garments")
"""What carries the photo's pixels, and nothing painted; the reading of garments."""

_DRAWINGS = TrainConfig(
    model=DrawingConfig(),
    learning_rate=1e-3,
    texture_dropout=0.4,
    cross_share=0.3,
    adversarial_weight=0.05,
    adversarial_start=1500,
)

_FIND = TrainConfig(model=FindConfig(), batch_size=96, learning_rate=2e-3, cooldown=0.7, ema=0.99)

PRESETS: dict[str, TrainConfig] = {
    "person": TrainConfig(
        model=ModelConfig(garments=True), adversarial_weight=0.05, adversarial_start=2400
    ),
    "vunet-2018": TrainConfig(
        model=ModelConfig(network="vunet-2018", generator_channels=(26, 52, 52, 52, 52, 52)),
        learning_rate=1e-3,
        cooldown=0.99,
        betas=(0.5, 0.9),
    ),
    "pix2pix": TrainConfig(
        model=ModelConfig(network="pix2pix", generator_channels=(32, 64, 128, 256, 256, 256)),
        learning_rate=2e-4,
        betas=(0.5, 0.999),
        adversarial_weight=1.0,
    ),
    "garment": _DRAWINGS,
    "sketch": dataclasses.replace(_DRAWINGS, model=DrawingConfig(shape="regions", people=True)),
    "face": dataclasses.replace(
        _DRAWINGS,
        model=DrawingConfig(size=(256, 256), generator_channels=(32, 56, 88, 120), faces=True),
        texture_dropout=0.5,
        cross_share=0.35,
    ),
    "pairs": TrainConfig(
        model=DrawingConfig(size=(256, 256), shape="picture"),
        learning_rate=1e-3,
        texture_dropout=0.5,
        adversarial_weight=0.1,
        adversarial_start=500,
    ),
    "tiny-pairs": TrainConfig(
        model=DrawingConfig(
            size=(64, 64),
            trunk_channels=(8, 8, 16),
            refine_channels=(8, 8),
            generator_channels=(8, 8, 16, 16),
            detail_channels=8,
            slots=2,
            latent_dim=4,
        ),
        batch_size=2,
        steps=4,
        adversarial_weight=0.1,
    ),
    "drawing-pix2pix": TrainConfig(
        model=DrawingConfig(network="drawing-pix2pix", generator_channels=(32, 64, 128, 256, 256)),
        learning_rate=2e-4,
        betas=(0.5, 0.999),
        adversarial_weight=1.0,
    ),
    "find": _FIND,
    "find-face": dataclasses.replace(
        _FIND,
        model=FindConfig(
            photo_channels=(16, 32, 40, 56),
            drawing_channels=(12, 24, 32, 40),
            map_channels=8,
            shape="picture",
        ),
        batch_size=64,
    ),
    "face-parts": TrainConfig(
        model=FacePartsConfig(), batch_size=32, learning_rate=2e-3, cooldown=0.7, ema=0.99
    ),
    "tiny": TrainConfig(
        model=ModelConfig(
            size=(64, 48),
            parser_channels=(8, 8, 8),
            warp_channels=(8, 8, 8),
            generator_channels=(8, 8, 16, 16),
            detail_channels=8,
            latent_dim=4,
            crop_size=8,
            encoder_channels=8,
            flow_limit=6.0,
        ),
        batch_size=2,
        steps=4,
    ),
}
"""What can be trained by name: `person` is the real thing, `tiny` rehearses it in seconds, the
other two are what it is measured against, at its size and within a fifth of its parameters."""


def going_on(config: TrainConfig, begun: NetworkConfig) -> TrainConfig:
    """The same run from trained weights: a lower rate, and every loss plays from the start.

    The network looks as often, and tells as much, as the one that they were made with.
    """
    model = config.model
    if isinstance(model, ModelConfig) and isinstance(begun, ModelConfig):
        model = dataclasses.replace(model, warp_passes=begun.warp_passes, garments=begun.garments)
    return dataclasses.replace(
        config,
        model=model,
        learning_rate=config.learning_rate / 3,
        adversarial_start=0,
        kl_steps=(-1, 0),
    )


def looking(config: TrainConfig, passes: int) -> TrainConfig:
    """The same run of a network that looks so often at where the photo's pixels go.

    Raises:
        ValueError: If the network carries no pixels, or for no passes.
    """
    return dataclasses.replace(
        config, model=dataclasses.replace(_carrying(config), warp_passes=passes)
    )


def _carrying(config: TrainConfig) -> ModelConfig:
    model = config.model
    if not (isinstance(model, ModelConfig) and model.network == "reposer" and model.texture):
        raise ValueError("this network carries no pixels of a photo")
    return model


def only(config: TrainConfig, part: str) -> TrainConfig:
    """The same run of one of `ONLY`: many times as many pictures in the same time.

    Of the texture path's pairs half are true ones of photos, whose pixels are to fit; garments are
    labelled in single photos alone.

    Raises:
        ValueError: If there is no such part, or the network carries no pixels.
    """
    if part not in ONLY:
        raise ValueError(f"{part!r} cannot be trained alone; there are {', '.join(ONLY)}")
    model = _carrying(config)
    if part == "texture":
        return dataclasses.replace(
            config, only=part, adversarial_weight=0.0, learning_rate=4e-4, mix=(8, 4, 4)
        )
    return dataclasses.replace(
        config,
        model=dataclasses.replace(model, garments=True),
        only=part,
        adversarial_weight=0.0,
        learning_rate=1e-3,
        mix=(1, 3, 12),
    )


_HALF_SIZE_CHANNELS = {
    "vunet-2018": (26, 52, 52, 52, 52),
    "pix2pix": (48, 96, 192, 320, 320),
}
"""One scale less, so that the lowest stays as it is, and wide enough for as many parameters."""


def at_half_size(config: TrainConfig) -> TrainConfig:
    """The same network for pictures of half the height and width: a quarter of the work a step.

    Its parameters stay within a fifth of the full network's.
    """
    model = config.model
    if isinstance(model, FacePartsConfig):
        raise ValueError("the parts of faces have one size; leave --half-size out")
    if isinstance(model, DrawingConfig | FindConfig):
        half = (model.size[0] // 2, model.size[1] // 2)
        return dataclasses.replace(config, model=dataclasses.replace(model, size=half))
    channels = _HALF_SIZE_CHANNELS.get(model.network, model.generator_channels)
    model = dataclasses.replace(
        model,
        size=(model.size[0] // 2, model.size[1] // 2),
        flow_limit=model.flow_limit / 2,
        generator_channels=channels,
    )
    return dataclasses.replace(config, model=model)


ABLATIONS = ("texture", "latents", "adversarial")
"""What `without` can take out of the network or its training."""


def without(config: TrainConfig, part: str) -> TrainConfig:
    """The same run with one of `ABLATIONS` taken out, to see what it is good for.

    Raises:
        ValueError: If there is no such part.
    """
    if part not in ABLATIONS:
        raise ValueError(f"{part!r} cannot be left out; there are {', '.join(ABLATIONS)}")
    if config.model.network != "reposer":
        raise ValueError(f"a {config.model.network} has no parts to leave out")
    if part == "adversarial":
        return dataclasses.replace(config, adversarial_weight=0.0)
    # hide one, and the network depends on the other
    changes: dict[str, Any] = {part: False}
    dropout = 0.0 if part == "latents" else config.texture_dropout
    model = dataclasses.replace(config.model, **changes)
    return dataclasses.replace(config, model=model, texture_dropout=dropout)


def to_json(config: NetworkConfig | TrainConfig) -> str:
    """A config as JSON text, for weight files and run folders."""
    return json.dumps(dataclasses.asdict(config))


def network_config_from(values: dict[str, Any]) -> NetworkConfig:
    """The config that `to_json` wrote.

    Raises:
        ValueError: If a value is unknown or of the wrong kind.
    """
    if not isinstance(values, dict):
        raise ValueError("model settings must be a table of names and values")
    name = values.get("network")
    kind = FindConfig if name in FIND_NETWORKS else ModelConfig
    kind = DrawingConfig if name in DRAWING_NETWORKS else kind
    kind = FacePartsConfig if name in FACE_NETWORKS else kind
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = set(values) - known
    if unknown:
        raise ValueError(f"unknown model settings {sorted(unknown)}")
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        return kind(**plain)
    except TypeError as error:
        raise ValueError(f"model settings of the wrong kind: {error}") from error
