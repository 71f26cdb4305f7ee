"""Which class a config's network is."""

from __future__ import annotations

from torch import nn

from vunet.baselines import Pix2Pix, VUNet2018
from vunet.config import DrawingConfig, FacePartsConfig, FindConfig, NetworkConfig
from vunet.model import Reposer


def build(config: NetworkConfig) -> nn.Module:
    """A network with fresh weights."""
    if isinstance(config, FindConfig):
        from vunet.gallery.network import FindNet

        return FindNet(config)
    if isinstance(config, FacePartsConfig):
        from vunet.face.network import FacePartsNet

        return FacePartsNet(config)
    if isinstance(config, DrawingConfig):
        from vunet.drawing.baseline import DrawingPix2Pix
        from vunet.drawing.network import DrawingNet

        return (DrawingNet if config.network == "drawing" else DrawingPix2Pix)(config)
    kinds = {"reposer": Reposer, "vunet-2018": VUNet2018, "pix2pix": Pix2Pix}
    return kinds[config.network](config)
