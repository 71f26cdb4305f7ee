"""Drawings and photos in, pictures out: the drawing network with its weights, ready to paint."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from vunet.drawing.cloth import softly, woven
from vunet.drawing.ground import cleared
from vunet.drawing.network import Carried, DrawingNet, Drawn, resized_places
from vunet.drawing.outline import Outline
from vunet.drawing.patterns import patterned
from vunet.drawing.sheet import DrawingError, Sheet, read_sheet
from vunet.drawing.subject import MaskFinder, close_up, fitted, object_mask, told_by_colour
from vunet.images import write_png

DRAWING_PX = 512
"""Longer side of a painted drawing, unless asked otherwise."""
MOST_DRAWINGS = 64
_PAINTED = 0.25
"""Share of painting from which a pixel's colour is the painting's to change."""
_SPREAD = 1.75
"""Of sampled looks of things, in standard deviations of the prior, whose middle is muted."""


@dataclass(frozen=True, eq=False)
class DrawnPicture:
    """A painted drawing."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    invented: np.ndarray
    """(H, W) uint8, how much of each pixel was made up rather than copied from the reference."""
    sheet: np.ndarray
    """(h, w, 3) uint8 RGB, the drawing as the network saw it."""
    frame: tuple[float, float, float, float]
    """x0, y0, x1, y1 of the picture in the drawing, in its pixels."""
    warnings: tuple[str, ...]
    seed: int
    weights_sha256: str

    def save(self, path: str | Path) -> None:
        """Write the picture whole or not at all; a PNG carries seed, frame and weights' hash.

        Raises:
            OutputError: A sentence naming the file and what is wrong.
        """
        text = {
            "vunet:seed": str(self.seed),
            "vunet:frame": json.dumps([round(v, 2) for v in self.frame]),
            "vunet:weights": self.weights_sha256,
        }
        write_png(self.image, path, text=text)


@dataclass(frozen=True, eq=False)
class Look:
    """A reference photo, read once for many drawings."""

    picture: np.ndarray
    """(H, W, 3) uint8 RGB, of the network's proportions, at the photo's own resolution."""
    thing: np.ndarray
    """(H, W) uint8, 255 on what the photo is of."""
    turn: float = 0.0
    """Of a face: how far it is turned to the right of the picture (`vunet.face.parts.turn`)."""

    def mirrored(self) -> Look:
        """The same seen in a mirror."""
        picture, thing = (np.ascontiguousarray(p[:, ::-1]) for p in (self.picture, self.thing))
        return Look(picture, thing, -self.turn)


class Painter:
    """A drawing network with its weights. Safe to share between threads."""

    def __init__(
        self,
        model: DrawingNet,
        weights_sha256: str,
        device: torch.device,
        amp: bool,
        person_of: MaskFinder | None = None,
    ) -> None:
        """Take up a network.

        Args:
            model: With its weights.
            weights_sha256: Of their file.
            device: Where to paint.
            amp: bf16 convolutions.
            person_of: Finds the person of a photo, for networks that paint people.
        """
        self.model, self.person_of = model.to(device), person_of
        self.weights_sha256, self.device, self.amp = weights_sha256, device, amp
        self._lock = threading.Lock()

    @property
    def classes(self) -> tuple[str, ...]:
        """What drawings may be said to be of."""
        return self.model.config.classes

    def look(self, photo: np.ndarray) -> Look:
        """A reference photo (H, W, 3) uint8 RGB, fitted to the network's proportions."""
        H, W = self.model.config.size
        mask = None
        if self.person_of is not None:
            mask = self.person_of(photo)
            if mask is not None:
                x0, y0, x1, y1 = close_up(mask, (H, W))
                photo, mask = photo[y0:y1, x0:x1], mask[y0:y1, x0:x1]
        mask = object_mask(photo) if mask is None else mask
        scale = min(4.0, max(1.0, max(photo.shape[0] / H, photo.shape[1] / W)))
        picture, _ = fitted(photo, (round(H * scale), round(W * scale)))
        thing, _ = fitted(mask, picture.shape[:2], labels=True)
        return Look(picture, thing)

    def read(self, drawing: np.ndarray) -> Sheet:
        """A drawing (H, W, 3) uint8 RGB as the network wants it.

        Raises:
            DrawingError: A sentence saying what is wrong with it.
        """
        config = self.model.config
        return read_sheet(drawing, config.size, config.shape)

    def paint(
        self,
        sheet: Sheet,
        look: Look | None = None,
        *,
        kind: str | None = None,
        strength: float = 1.0,
        temperature: float = 1.0,
        seed: int = 0,
        size: int = DRAWING_PX,
        shift: np.ndarray | None = None,
    ) -> DrawnPicture:
        """A picture of a drawing.

        Args:
            sheet: From `read`.
            look: Whose look it gets; None draws one from the prior by `seed`.
            kind: What it is of, one of `classes`, which the prior goes by.
            strength: How much of the look, from 0 (drawn by `seed`) to 1.
            temperature: How far samples stray from the middle, 1 being as far as photos do.
            seed: Decides what is sampled.
            size: Longer side of the picture in pixels.
            shift: (S, Z) added to the look, sampled or not.

        Raises:
            DrawingError: If the kind is unknown.
        """
        net, config = self.model, self.model.config
        if kind is not None and kind not in config.classes:
            names = ", ".join(config.classes) or "none"
            raise DrawingError(f"{kind!r} is no kind that these weights know; there are: {names}")
        drawing = _tensor(sheet.picture).to(self.device)
        kinds = torch.tensor([config.classes.index(kind) + 1 if kind else 0], device=self.device)
        g = torch.Generator().manual_seed(seed)
        noise = torch.randn(1, config.slots, config.latent_dim, generator=g).to(self.device)
        H, W = config.size
        with self._lock, torch.inference_mode():
            latents = None
            if look is None or strength < 1:  # sampled, wholly or partly
                plain = config.people or config.faces
                spread = temperature * (1.0 if plain else _SPREAD)
                latents = net.sample_latents(drawing, kinds, noise, spread)
            moved = None
            if shift is not None:
                moved = torch.from_numpy(np.asarray(shift, np.float32))[None].to(self.device)
            if look is None:
                latents = latents if latents is None or moved is None else latents + moved
                drawn = net(drawing, None, kinds=kinds, latents=latents, amp=self.amp)
                return self._finish(drawn, sheet, None, kind, seed, size, 1.0)
            reference = cv2.resize(look.picture, (W, H), interpolation=cv2.INTER_AREA)
            small = _tensor(reference).to(self.device)
            keep = torch.full((1, 1, 1, 1), float(strength), device=self.device)
            if latents is not None:
                latents = latents + strength * (net.latents_of(small) - latents)
            if moved is not None:
                latents = (net.latents_of(small) if latents is None else latents) + moved
            things = None
            if sheet.inside is not None:
                inside = torch.from_numpy(sheet.inside)[None, None].float().to(self.device)
                thing = cv2.resize(look.thing, (W, H), interpolation=cv2.INTER_AREA)
                things = (inside, torch.from_numpy(thing)[None, None].float().to(self.device) / 255)
            drawn = net(
                drawing,
                small,
                kinds=kinds,
                keep=keep,
                latents=latents,
                things=things,
                amp=self.amp,
            )
        return self._finish(drawn, sheet, look, kind, seed, size, 1 - strength)

    def _finish(
        self,
        drawn: Drawn,
        sheet: Sheet,
        look: Look | None,
        kind: str | None,
        seed: int,
        size: int,
        sampled: float,
    ) -> DrawnPicture:
        """The picture at the size asked for; copied pixels come at the photo's resolution.

        So much of its look as is `sampled` gets a sampled texture and pattern, too.
        """
        H, W = self.model.config.size
        scale = size / max(H, W)
        wh = (max(1, round(W * scale)), max(1, round(H * scale)))
        generated = cv2.resize(_array(drawn.generated), wh, interpolation=cv2.INTER_CUBIC)
        copied = np.zeros((wh[1], wh[0]), np.float32)
        taken = generated
        if look is not None and drawn.carried is not None:
            visible = drawn.visibility[0, 0].float().cpu().numpy()
            copied = cv2.resize(visible, wh, interpolation=cv2.INTER_LINEAR)
            taken = self._fetched(drawn.carried, look, (wh[1], wh[0]))
        if sheet.inside is not None and self._paints_things:
            whole = generated + copied[..., None] * (taken - generated)
            change = cleared(whole, sheet.inside, copied) - whole
            generated = generated + change / np.maximum(1 - copied, _PAINTED)[..., None]
            line = Outline(sheet.inside, copied)
            copied, generated, taken = map(line.sharpened, (copied, generated, taken))
        if sampled > 0:
            inside = self._thing(sheet, generated)
            if inside is not None:
                generated = woven(generated, inside, seed, sampled)
                generated = patterned(generated, softly(inside, wh), seed, kind, sampled)
        image = generated + copied[..., None] * (taken - generated)
        return DrawnPicture(
            image=np.clip(np.rint(image), 0, 255).astype(np.uint8),
            invented=np.clip(255 - 255 * copied, 0, 255).astype(np.uint8),
            sheet=sheet.picture,
            frame=sheet.frame,
            warnings=sheet.warnings,
            seed=seed,
            weights_sha256=self.weights_sha256,
        )

    @property
    def _paints_things(self) -> bool:
        """Whether drawings show single things before a ground."""
        config = self.model.config
        own = config.network == "drawing"  # what it is measured against is drawn as it is
        return own and config.shape == "lines" and not (config.people or config.faces)

    def _thing(self, sheet: Sheet, painted: np.ndarray) -> np.ndarray | None:
        """(h, w) bool, where a single thing lies that may be of any cloth; None if there is none.

        Where lines are open, that is what the network took for the thing.
        """
        if not self._paints_things:
            return None
        if sheet.inside is not None:
            return sheet.inside
        told = told_by_colour(np.clip(painted, 0, 255).astype(np.uint8))
        return None if told is None else told > 0

    def _fetched(self, carried: Carried, look: Look, size: tuple[int, int]) -> np.ndarray:
        """(H, W, 3) float32 the photo's own pixels where the drawing wants them."""
        places = resized_places(carried.places.float().cpu(), size)[0].numpy()
        h, w = look.picture.shape[:2]
        x = ((places[..., 0] + 1) * w / 2 - 0.5).astype(np.float32)
        y = ((places[..., 1] + 1) * h / 2 - 0.5).astype(np.float32)
        source = look.picture
        if h > 1.5 * size[0]:  # no finer than the result, or detail turns into noise
            ratio = size[0] / h
            source = cv2.resize(source, None, fx=ratio, fy=ratio, interpolation=cv2.INTER_AREA)
            x, y = (x + 0.5) * ratio - 0.5, (y + 0.5) * ratio - 0.5
        found = cv2.remap(source, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return found.astype(np.float32)


def _tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 127.5 - 1


def _array(images: torch.Tensor) -> np.ndarray:
    """(1, 3, H, W) in [-1, 1] -> (H, W, 3) float32 in 0..255."""
    return ((images[0].float().cpu().permute(1, 2, 0).numpy() + 1) * 127.5).astype(np.float32)
