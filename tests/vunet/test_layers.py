"""Building blocks: what they start as, which shapes they take."""

from __future__ import annotations

import pytest
import torch

from vunet.layers import ResidualBlock, UNet, group_norm


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_residual_block_starts_as_the_identity() -> None:
    x = noise(2, 16, 6, 5)
    assert torch.equal(ResidualBlock(16)(x), x)
    block = ResidualBlock(16, 24)
    assert torch.equal(block(x), block.shortcut(x))
    assert block(x).shape == (2, 24, 6, 5)


@pytest.mark.parametrize("channels", [1, 5, 8, 12, 24, 40, 48, 64, 144])
def test_group_norm_takes_every_width_that_the_presets_use(channels: int) -> None:
    norm = group_norm(channels)
    assert channels < 16 or channels // norm.num_groups >= 8
    x = norm(noise(2, channels, 4, 4) * 5 + 3).detach()
    assert float(x.mean().abs()) < 1e-5
    assert float(x.var()) == pytest.approx(1, abs=0.05)


def test_unet_keeps_the_size_and_starts_at_zero_if_asked() -> None:
    net = UNet(3, (8, 8, 16), 5, zero_output=True)
    assert torch.equal(net(noise(2, 3, 16, 12)), torch.zeros(2, 5, 16, 12))
    assert UNet(3, (8, 8, 16), 5)(noise(2, 3, 16, 12)).abs().max() > 0


def test_unet_adds_maps_at_their_scales() -> None:
    net = UNet(3, (8, 8, 16), 5, injected={1: 4, 2: 6})
    x = noise(1, 3, 16, 12)
    maps = {1: noise(1, 4, 8, 6), 2: noise(1, 6, 4, 3)}
    plain = net(x, {level: m * 0 for level, m in maps.items()})
    for level, values in maps.items():
        changed = net(x, {**{k: m * 0 for k, m in maps.items()}, level: values})
        assert (changed - plain).abs().max() > 1e-4


def test_every_parameter_of_a_unet_learns() -> None:
    net = UNet(3, (8, 8, 16), 5, injected={1: 4})
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    net(noise(2, 3, 16, 12), {1: noise(2, 4, 8, 6)}).square().sum().backward()
    idle = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []
