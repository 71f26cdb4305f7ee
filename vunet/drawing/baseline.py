"""What the drawing network is measured against: pix2pix, which knows no reference."""

from __future__ import annotations

import torch
from torch import Tensor

from vunet.baselines import Pix2PixDiscriminator, Pix2PixUNet, play_pix2pix
from vunet.config import DrawingConfig, TrainConfig
from vunet.drawing.data import DrawingBatch
from vunet.drawing.network import Drawn
from vunet.losses import Reduce


class DrawingPix2Pix(Pix2PixUNet):
    """pix2pix from drawings; called like `vunet.drawing.network.DrawingNet`."""

    def __init__(self, config: DrawingConfig) -> None:
        super().__init__(3, config.generator_channels)
        self.config = config

    def forward(
        self,
        drawing: Tensor,
        reference: Tensor | None = None,
        *,
        amp: bool = False,
        **_: object,
    ) -> Drawn:
        """The drawing's picture; everything else is ignored."""
        image = self.draw(drawing, amp)
        none = image.new_zeros(len(image), 0, 0)
        return Drawn(
            image, image, torch.zeros_like(image[:, :1]), None, None, None, none, none, None
        )


class DrawingPix2PixRival:
    """The discriminator of pix2pix and its optimiser."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        assert isinstance(config.model, DrawingConfig)
        self.net = Pix2PixDiscriminator(2 * config.model.detail_channels, 3).to(device)
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.weight = config.adversarial_weight
        self.reduce: Reduce | None = None

    def play(
        self, drawn: Drawn, batch: DrawingBatch, window: tuple[int, int, int, int], amp: bool
    ) -> dict[str, Tensor]:
        """Train the discriminator on whole pictures; return the generator's side of the game."""
        truth, result = batch.image * batch.valid, drawn.image * batch.valid
        score = play_pix2pix(
            self.net, self.optimiser, batch.drawing, truth, result, amp, self.reduce
        )
        return {"adversarial": score * self.weight}
