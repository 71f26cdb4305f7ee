"""The one way to use the networks: command line, app and tests all go through `Engine`.

A re-pose takes two cores, so what need not wait is done `beside`, in this order:

    photo -> person ---+-> what the photo shows -> painting, enlarged ---+-> face laid on -> result
    pose -> skeleton --+-> the face in space  -> the photo's pixels -----+
                                              -> the ground without person
"""

from __future__ import annotations

import contextlib
import difflib
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

import cv2
import numpy as np
import torch

from pose import Pose
from pose.complete import complete
from pose.formats import dump_poses
from pose.retarget import retarget as with_limbs_of
from pose.types import choose_person
from vunet import head
from vunet.background import GROWTH, cover_background, fill_background, plain_background
from vunet.bags import Bag, Unburdened, lay_bags, stands_still, unburdened
from vunet.checkpoint import load_face_parts, load_model
from vunet.drawing.network import DrawingNet
from vunet.drawing.painter import DRAWING_PX, MOST_DRAWINGS, DrawnPicture, Look, Painter
from vunet.drawing.sheet import DrawingError
from vunet.drawing.subject import person_masks
from vunet.face.directions import load_directions
from vunet.face.manifolds import Manifolds, Sliders
from vunet.face.painter import DrawnFace, FacePainter
from vunet.face.parts import by_part, named_parts
from vunet.geometry import ARMS, HEAD
from vunet.images import ImageError, is_file, read_image, shown, write_png
from vunet.looks import LOOKS, Reading, draw_mix, draw_subjects, read_photo
from vunet.model import PART_COUNT
from vunet.poses import ImageLike, ResolvedPose, place_on_photo, resolve_pose
from vunet.render import (
    Layer,
    Subject,
    beside,
    draw_latents,
    in_halves,
    joints_in,
    points_of,
    scaled,
    target_window,
    to_array,
)

if TYPE_CHECKING:
    from pose.estimator import PoseEstimator
    from pose.face import FaceFinder
    from vunet.model import Reposer

Frame = Literal["appearance", "pose"]
PLAIN_RGB = (128, 128, 128)
"""The neutral grey of `background="plain"`."""
SAMPLE_SIZE = (512, 384)
PREVIEW_PX = 512
"""Longer side of pictures that follow the pointer."""
MAX_SIDE_PX = 4096
"""Longest side of a result; larger photos are reduced to it."""
VARIED = 0.6
"""How much of a reference's look its variations keep, as a share of the first picture's."""
_LENDS = 0.5
"""Share of a head's look from which a subject lends their face."""
_LEAST_FACE_PX = 24
"""Of a photo's part round a face."""
_REGIONS = {
    "head": (("nose", "left_ear", "right_ear"), (0,)),
    "left arm": (("left_elbow", "left_wrist"), (2, 4)),
    "right arm": (("right_elbow", "right_wrist"), (3, 5)),
    "left leg": (("left_knee", "left_ankle"), (8, 10)),
    "right leg": (("right_knee", "right_ankle"), (9, 11)),
}
"""Keypoints and body parts of what warnings speak of."""


def drawn_by(model: str | Path) -> str:
    """The weights that paint drawings: those given, but "sketch" for "person", who is re-posed."""
    return "sketch" if str(model) == "person" else str(model)


class EngineError(ValueError):
    """Options that cannot be used together or at all."""


@dataclass(frozen=True, eq=False)
class Result:
    """A re-posed or sampled person."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    mask: np.ndarray
    """(H, W) uint8, 255 where the person is."""
    invented: np.ndarray
    """(H, W) uint8, how much of each pixel the network made up rather than copied."""
    warnings: tuple[str, ...]
    """Plain sentences: joints that were guessed, parts that were not visible."""
    pose: Pose
    """BODY27 pose of the person, in the result's pixels."""
    seed: int
    weights_sha256: str
    transparent: bool = False
    """Whether `save` leaves the background out."""

    def save(self, path: str | Path) -> None:
        """Write the picture whole or not at all; a PNG carries pose, seed and weights' hash.

        Raises:
            OutputError: A sentence naming the file and what is wrong.
        """
        pose = json.dumps(json.loads(dump_poses([self.pose], "native")), separators=(",", ":"))
        text = {
            "vunet:pose": pose,
            "vunet:seed": str(self.seed),
            "vunet:weights": self.weights_sha256,
        }
        write_png(self.image, path, mask=self.mask if self.transparent else None, text=text)


@dataclass(frozen=True, eq=False)
class Found:
    """The person of a photo."""

    subject: Subject
    warnings: tuple[str, ...]
    """Plain sentences: joints that were guessed, other people."""


@dataclass(frozen=True, eq=False)
class Prepared(Found):
    """The person of a photo, found and read once for many pictures; see `Engine.prepare`."""

    unburdened: Unburdened | None = None
    """The same without what they carry; None if that is nothing."""
    reading: Reading | None = None
    """What the network reads in the photo, of `subject`; None where it was not asked."""

    @cached_property
    def ground(self) -> np.ndarray:
        """(H, W, 3) uint8 RGB, the photo with its person removed and filled in."""
        mask = self.subject.mask
        if self.unburdened is not None:
            mask = np.maximum(mask, self.unburdened.places)
        return fill_background(self.subject.image, mask)

    @property
    def bare(self) -> Subject:
        """The person without what they carry."""
        return self.subject if self.unburdened is None else self.unburdened.subject


class Engine:
    """The networks with their weights, ready to draw. Safe to share between threads."""

    def __init__(
        self, model: Reposer | DrawingNet, weights_sha256: str, device: torch.device
    ) -> None:
        self._model = model.to(device)
        self._painters: dict[str, Painter] = {}
        self._faces: dict[tuple[str, str], FacePainter] = {}
        self._seen: WeakKeyDictionary[Subject, head.SeenFace | None] = WeakKeyDictionary()
        self.weights_sha256 = weights_sha256
        self.device = device
        self._lock = threading.Lock()
        # bf16 pays only where the processor multiplies it in hardware
        self.amp = has_fast_bf16(device)

    @classmethod
    def load(cls, model: str | Path = "person", device: str = "auto") -> Engine:
        """Load weights by name or file.

        Args:
            model: A name of `vunet models`, or a weights file or run folder.
            device: auto, cpu or cuda.

        Raises:
            WeightsError: If the weights are absent or damaged.
            EngineError: If the device is not there.
        """
        net, digest = load_model(model)
        return cls(net, digest, pick_device(device))

    @property
    def model(self) -> Reposer:
        """The re-posing network.

        Raises:
            EngineError: If the weights are of another kind.
        """
        if isinstance(self._model, DrawingNet):
            raise EngineError(
                "these weights paint drawings and know nothing of poses; use --model person"
            )
        return self._model

    @property
    def paints_faces(self) -> bool:
        """Whether the engine's own weights paint drawn faces."""
        return isinstance(self._model, DrawingNet) and self._model.config.faces

    @cached_property
    def estimator(self) -> PoseEstimator:
        """The pose estimator, loaded when first needed."""
        from pose.estimator import PoseEstimator

        return PoseEstimator()

    def painter(self, model: str | Path | None = None) -> Painter:
        """What paints drawings, loaded when first needed.

        Args:
            model: Weights by name or file; None takes the engine's own, or else "garment";
                "person" takes those for drawings of people, "sketch".

        Raises:
            WeightsError: If the weights are absent or damaged.
            EngineError: If they are of another kind.
        """
        own = isinstance(self._model, DrawingNet) and model is None
        name = "" if own else drawn_by(model or "garment")
        with self._lock:
            if name not in self._painters:
                net, digest = (self._model, self.weights_sha256) if own else load_model(name)
                if not isinstance(net, DrawingNet):
                    raise EngineError(
                        f"{name}: these weights re-pose people; drawings need others, see "
                        "`vunet models`"
                    )
                finder = person_masks(self.estimator) if net.config.people else None
                self._painters[name] = Painter(net, digest, self.device, self.amp, finder)
            return self._painters[name]

    @cached_property
    def face_finder(self) -> FaceFinder:
        """What finds faces, loaded when first needed."""
        from pose.face import FaceFinder

        return FaceFinder()

    def face_painter(
        self, model: str | Path | None = None, parts: str | Path = "face-parts"
    ) -> FacePainter:
        """What paints drawn faces, loaded when first needed.

        Args:
            model: Weights that paint faces, by name or file; None takes the engine's own, or else
                "face".
            parts: Weights of their manifolds.

        Raises:
            WeightsError: If the weights are absent or damaged.
            EngineError: If they are of another kind.
        """
        own = self.paints_faces and model is None
        painter = self.painter(None if own else model or "face")
        if not painter.model.config.faces:
            raise EngineError(f"{model}: these weights paint no faces; give `face` or others")
        key = ("" if own else str(model or "face"), str(parts))
        with self._lock:
            if key not in self._faces:
                manifolds = Manifolds(load_face_parts(parts)[0])
                named = load_directions(painter.weights_sha256)
                self._faces[key] = FacePainter(painter, manifolds, lambda: self.face_finder, named)
            return self._faces[key]

    # --- verbs ----------------------------------------------------------------------------

    def prepare(
        self, photo: ImageLike | Prepared, *, person: int | None = None, size: int | None = None
    ) -> Prepared:
        """Find the person of a photo once, to draw them many times.

        Args:
            photo: Photo of somebody: path, PIL picture or (H, W, 3) uint8 RGB; or a prepared one,
                to be reduced.
            person: Which person of the photo, 1 = largest; None takes the largest.
            size: Longer side in pixels to which a larger photo is reduced, for quick previews;
                None keeps it.

        Returns:
            What `repose` and `mix` take in place of a photo.

        Raises:
            ValueError: One sentence naming what cannot be used, why, and the way out.
        """
        self._check_size(size)
        subject, notes = self._seen_in(photo, person, "the photo", base=True)
        height, width = subject.image.shape[:2]
        if size is None or size >= max(height, width):
            return self._prepared(photo if isinstance(photo, Prepared) else Found(subject, notes))
        pose, canvas = _resized(subject.pose, (height, width), size)
        wh = (canvas[1], canvas[0])
        image, mask = (
            cv2.resize(x, wh, interpolation=cv2.INTER_AREA) for x in (subject.image, subject.mask)
        )
        return self._prepared(Found(Subject(image, mask, pose), notes))

    def repose(
        self,
        appearance: ImageLike | Prepared,
        pose: ImageLike | Pose,
        *,
        also: Sequence[ImageLike | Prepared] = (),
        frame: Frame = "appearance",
        background: str | Path = "source",
        retarget: bool = True,
        person: int | None = None,
        seed: int = 0,
        size: int | None = None,
    ) -> Result:
        """The person of a photo in another pose.

        Args:
            appearance: Photo of somebody: path, PIL picture, (H, W, 3) uint8 RGB, or what `prepare`
                made of one.
            pose: Photo, pose file, stick picture, preset name or `Pose`.
            also: Further photos of the same person in the same clothes; each gives what the others
                do not show, such as the back.
            frame: Whose picture the result looks like: the appearance photo's size and place, or
                the pose's.
            background: source, pose, plain, transparent, or a picture file.
            retarget: Keep the subject's own limb lengths.
            person: Which person of the appearance photo, 1 = largest; None takes the largest.
                Of a prepared one that has been said.
            seed: Fixes how body parts look that no photo shows; another gives another look.
            size: Longer side of the result in pixels; None keeps the frame's.

        Raises:
            ValueError: One sentence naming what cannot be used, why, and the way out.
        """
        resolved = self._resolving(pose)
        base = self._found(appearance, person, "the appearance photo", base=True)
        others = [
            self._found(photo, None, f"further photo {number}")
            for number, photo in enumerate(also, 1)
        ]
        people = [base, *others]
        warnings = [note for found in people for note in found.warnings]
        return self._drawn(
            people,
            {region: [p.subject.pose for p in people] for region in _REGIONS},
            partial(draw_subjects, self.model, noise=self._noise(seed), amp=self.amp),
            [p.subject for p in people],
            resolved,
            warnings,
            frame=frame,
            background=background,
            retarget=retarget,
            seed=seed,
            size=size,
        )

    def mix(
        self,
        base: ImageLike | Prepared,
        parts: Mapping[str, ImageLike | Prepared],
        pose: ImageLike | Pose | None = None,
        *,
        strength: Mapping[str, float] | None = None,
        frame: Frame = "appearance",
        background: str | Path = "source",
        retarget: bool = True,
        person: int | None = None,
        seed: int = 0,
        size: int | None = None,
    ) -> Result:
        """The person of a photo with the looks of body parts taken from other photos.

        Args:
            base: Photo of somebody, as for `repose`.
            parts: Photos by what is taken from them: a key of `vunet.looks.LOOKS`, such as all,
                head, top, bottom, shoes or hands. A smaller group goes before a larger one.
            pose: As for `repose`; None keeps the base's own.
            strength: How much of each, 0 to 1; 1 where nothing is said.
            frame: See `repose`; the appearance photo is the base.
            background: See `repose`.
            retarget: See `repose`.
            person: See `repose`, of the base.
            seed: See `repose`.
            size: See `repose`.

        Raises:
            ValueError: One sentence naming what cannot be used, why, and the way out.
        """
        strength = dict(strength or {})
        for name in (*parts, *strength):
            if name not in LOOKS:
                near = difflib.get_close_matches(name, LOOKS, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise EngineError(f"part {name!r}: give one of {', '.join(LOOKS)}{hint}")
        if not parts:
            raise EngineError("mix needs at least one part, such as top=PHOTO")
        for name, value in strength.items():
            if name not in parts:
                raise EngineError(f"strength {name}: there is no photo for this part")
            if not 0 <= value <= 1:
                raise EngineError(f"strength {name} must be between 0 and 1, got {value}")
        own = self._found(base, person, "the base photo", base=True)
        people, warnings = [own], list(own.warnings)
        shares = torch.zeros(1 + len(parts), PART_COUNT)
        shares[0] = 1
        # larger groups first, so that single parts go before them
        for number, (name, photo) in enumerate(
            sorted(parts.items(), key=lambda item: -len(LOOKS[item[0]])), 1
        ):
            other = self._found(photo, None, f"the photo for {name}")
            people.append(other)
            warnings += other.warnings
            rows, amount = list(LOOKS[name]), strength.get(name, 1.0)
            shares[:, rows] *= 1 - amount
            shares[number, rows] += amount
        return self._drawn(
            people,
            {
                region: [
                    s.subject.pose
                    for s, of in zip(people, shares, strict=True)
                    if of[list(p)].any()
                ]
                for region, (_, p) in _REGIONS.items()
            },
            partial(draw_mix, self.model, shares=shares, noise=self._noise(seed), amp=self.amp),
            [s.subject for s, of in zip(people, shares, strict=True) if of[HEAD] > _LENDS],
            self._resolving(own.subject.pose if pose is None else pose),
            warnings,
            frame=frame,
            background=background,
            retarget=retarget,
            seed=seed,
            size=size,
        )

    def draw(
        self,
        drawing: ImageLike,
        like: ImageLike | Look | None = None,
        *,
        model: str | Path | None = None,
        n: int = 1,
        kind: str | None = None,
        strength: float = 1.0,
        temperature: float = 1.0,
        seed: int = 0,
        size: int = DRAWING_PX,
    ) -> list[DrawnPicture]:
        """Pictures of a drawing.

        Args:
            drawing: Path, PIL picture or (H, W, 3) uint8 RGB: dark lines (or, for weights that know
                regions, painted ones) on a plain ground.
            like: Photo whose look the picture gets, or what `Painter.look` made of one; None
                samples looks.
            model: Weights by name or file; None takes the engine's own, or else "garment";
                "person" takes those for drawings of people, "sketch".
            n: How many; where a look is given, the first has it, the others are variations.
            kind: What is drawn, one of the weights' classes, for sampled looks.
            strength: How much of the given look, from 0 to 1.
            temperature: How far sampled looks stray from the middle.
            seed: Of the first; the others have the next ones.
            size: Longer side of the pictures in pixels.

        Raises:
            ValueError: One sentence naming what cannot be used, why, and the way out.
        """
        self._check_drawn(n, strength, temperature, size)
        painter = self.painter(model)
        if painter.model.config.faces:
            return self.draw_face(
                drawing,
                None if isinstance(like, Look) else like,
                model=model,
                n=n,
                strength=strength,
                temperature=temperature,
                seed=seed,
                size=size,
            )
        look = like if like is None or isinstance(like, Look) else painter.look(read_image(like))
        shares = _kept_looks(strength, n, given=look is not None)
        try:
            sheet = painter.read(read_image(drawing))
            return [
                painter.paint(
                    sheet,
                    look,
                    kind=kind,
                    strength=share,
                    temperature=temperature,
                    seed=seed + i,
                    size=size,
                )
                for i, share in enumerate(shares)
            ]
        except DrawingError as error:
            name = f"{shown(drawing)}: " if isinstance(drawing, str | Path) else ""
            raise EngineError(f"{name}{error}") from error

    def _check_drawn(self, n: int, strength: float, temperature: float, size: int) -> None:
        if not 1 <= n <= MOST_DRAWINGS:
            raise EngineError(f"the number of drawings must be from 1 to {MOST_DRAWINGS}")
        if not 0 <= strength <= 1:
            raise EngineError("the strength must be from 0 to 1")
        if not 0 <= temperature <= 4:
            raise EngineError("the temperature must be from 0 to 4")
        self._check_size(size)

    def draw_face(
        self,
        drawing: ImageLike,
        like: ImageLike | None = None,
        *,
        sliders: Sliders | None = None,
        parts: Mapping[str, ImageLike] | None = None,
        towards: ImageLike | None = None,
        shares: Mapping[str, float] | None = None,
        directions: Mapping[str, float] | None = None,
        match_eyes: bool = True,
        model: str | Path | None = None,
        n: int = 1,
        strength: float = 1.0,
        temperature: float = 1.0,
        seed: int = 0,
        size: int = DRAWING_PX,
    ) -> list[DrawnPicture]:
        """Faces of a rough drawing.

        Args:
            drawing: Path, PIL picture or (H, W, 3) uint8 RGB: dark lines on paper, or a photo of a
                face, whose lines are taken.
            like: Photo whose skin, hair and light the face gets; None samples looks.
            sliders: How far each part goes from the strokes towards real faces.
            parts: By part ("left-eye", "right-eye", "eyes", "nose", "mouth", "hair"): the drawing
                or photo it is taken from; photos bring its look, too, where `like` is given.
            towards: Drawing or photo of another face, ...
            shares: ... and by part how far the face goes there, from 0 to 1; None goes half way.
            directions: By name, in standard deviations: art direction of the look.
            match_eyes: Whether both irises get the same colour.
            model: Weights by name or file; None takes the engine's own, or else "face".
            n: How many; the first is the likeliest face and has the look that is given, the others
                are further faces that the drawing may have meant, in variations of the look.
            strength: How much of the given look, from 0 to 1.
            temperature: How far sampled looks stray from the middle.
            seed: Of the first; the others have the next ones.
            size: Side of the pictures in pixels.

        Raises:
            ValueError: One sentence naming what cannot be used, why, and the way out.
        """
        self._check_drawn(n, strength, temperature, size)
        painter = self.face_painter(model)
        current: ImageLike = drawing
        try:
            face = painter.read(read_image(drawing))
            sources: dict[str, DrawnFace] = {}
            for name, picture in (parts or {}).items():
                current = picture
                named_parts(name)  # before the picture is read
                sources[name] = painter.read(read_image(picture))
            sources = by_part(sources)
            face = painter.with_parts(face, sources)
            if towards is not None:
                current = towards
                amounts = by_part(shares or {"all": 0.5})
                face = painter.morphed(face, painter.read(read_image(towards)), amounts)
            look, notes = None, ()
            if like is not None:
                current = like
                look, notes = painter.look(read_image(like), sources)
        except ValueError as error:
            if isinstance(error, ImageError) or not isinstance(current, str | Path):
                raise EngineError(str(error)) from error
            raise EngineError(f"{shown(current)}: {error}") from error
        face = replace(face, warnings=tuple(dict.fromkeys((*face.warnings, *notes))))
        return [
            painter.paint(
                face,
                look,
                refined=painter.refine(face, sliders, variation=i, seed=seed),
                directions=directions,
                match_eyes=match_eyes,
                strength=amount,
                temperature=temperature,
                seed=seed + i,
                size=size,
            )
            for i, amount in enumerate(_kept_looks(strength, n, given=look is not None))
        ]

    def sample(
        self,
        pose: ImageLike | Pose,
        n: int = 8,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        size: int | None = None,
    ) -> list[Result]:
        """People that no photo showed, drawn from the prior, all in one pose.

        Args:
            pose: As for `repose`.
            n: How many.
            seed: The same seed gives the same people on every device.
            temperature: Spread of the draws; 0 gives the most ordinary person.
            size: Longer side of the pictures in pixels; None gives 512.

        Raises:
            ValueError: One sentence.
        """
        if not 1 <= n <= 64:
            raise EngineError(f"the number of samples must be between 1 and 64, got {n}")
        if not 0 <= temperature <= 3:
            raise EngineError(f"temperature must be between 0 and 3, got {temperature}")
        if not self.model.config.latents:
            raise EngineError("these weights have no latents to draw people from; use others")
        noise = self._noise(seed, n)
        self._check_size(size)
        resolved = resolve_pose(pose, person=None, estimator=self.estimator)
        target, canvas = _framed(resolved.pose, SAMPLE_SIZE)
        target, canvas = _resized(target, canvas, size)
        window = target_window(target, canvas, self.model.config.size)
        joints = joints_in(window, points_of(target, canvas)).to(self.device)
        with self._lock, torch.inference_mode():
            latents = self.model.prior.draw(joints.expand(n, -1, -1), noise, temperature)
            layers = draw_latents(self.model, latents, target, canvas, amp=self.amp)
        behind = plain_background(canvas, PLAIN_RGB)
        return [
            self._finish(layer, behind, target, resolved.warnings, seed, False) for layer in layers
        ]

    # --- steps ----------------------------------------------------------------------------

    def _found(
        self, photo: ImageLike | Prepared, person: int | None, unnamed: str, *, base: bool = False
    ) -> Found:
        """The person of a photo, and what was guessed."""
        if isinstance(photo, Prepared):
            _ = self.model  # of the right kind
            return photo
        return Found(*self._seen_in(photo, person, unnamed, base=base))

    def _seen_in(
        self, photo: ImageLike | Prepared, person: int | None, unnamed: str, *, base: bool
    ) -> tuple[Subject, tuple[str, ...]]:
        """The person of a photo, and what was guessed."""
        _ = self.model  # of the right kind, before anybody looks
        if isinstance(photo, Prepared):
            return photo.subject, photo.warnings
        image = self._limited(read_image(photo))
        name = shown(photo) if isinstance(photo, str | Path) else unnamed
        people = self.estimator.find(image, max_people=max(3, person or 1))
        detection = choose_person(people, person, name)
        warnings = []
        if len(people) > 1 and person is None:
            way = "choose with --person" if base else "cut the photo to the one who is meant"
            warnings.append(f"{name}: {len(people)} people found; the largest was taken ({way}).")
        whole, guessed = complete(detection.pose)
        where = "the photo" if base else name
        warnings += [f"In {where}: {w[0].lower()}{w[1:]}" for w in guessed]
        return Subject(image, detection.mask, whole), tuple(warnings)

    def _prepared(self, found: Found) -> Prepared:
        """Somebody, and what they carry."""
        if isinstance(found, Prepared):
            return found
        subject, warnings, config = found.subject, found.warnings, self.model.config
        if not (config.texture and config.garments):
            return Prepared(subject, warnings)
        with self._lock, _one_core_left():
            reading = read_photo(self.model, subject, amp=self.amp)
        parsed = reading.parsed
        assert parsed.garments is not None
        arms = parsed.logits.softmax(1)[:, ARMS].sum(1, keepdim=True)
        carried = torch.sigmoid(parsed.garments[:, 1:])
        read = [to_array(t)[..., 0] for t in (carried, arms)]
        return Prepared(subject, warnings, unburdened(subject, reading.window, *read), reading)

    def _drawn(
        self,
        found: Sequence[Found],
        showing: Mapping[str, Sequence[Pose]],
        draw: Callable[..., Layer],
        faces: Sequence[Subject],
        resolving: Future[ResolvedPose],
        notes: Sequence[str],
        *,
        frame: Frame,
        background: str | Path,
        retarget: bool,
        seed: int,
        size: int | None,
    ) -> Result:
        """Place a pose for the first of some people, draw them in it and finish.

        The others lend what they look like, but nothing that they carry. `showing` gives, for each
        of `_REGIONS`, the poses of those whose look it takes, `faces` those whose face it is.
        """
        if frame not in ("appearance", "pose"):
            raise EngineError(f"frame must be appearance or pose, got {frame!r}")
        self._check_size(size)
        subject = found[0].subject
        bags: tuple[Bag, ...] = ()
        resolved = resolving.result()
        self._check_background(background, resolved)
        warnings = [*resolved.warnings, *notes]
        target, canvas = resolved.pose, subject.image.shape[:2]
        if frame == "appearance":
            target, placed = place_on_photo(
                target, subject.pose, keep_limbs=retarget, canvas=canvas
            )
            warnings += placed
        else:
            assert target.size is not None
            canvas = target.size
            if retarget:
                target = replace(with_limbs_of(target, subject.pose), size=canvas)
        target, canvas = _resized(target, canvas, size)
        warnings += _not_shown(showing, target)
        turned = beside(self._turned_face, faces, target, canvas)
        people = [self._prepared(somebody) for somebody in found]
        base = people[0]
        if base.unburdened is not None and not stands_still(subject, target, canvas):
            subject, bags = base.bare, base.unburdened.bags
        filling: list[Future[np.ndarray]] = []

        def fill() -> None:
            filling.append(beside(self._background, background, base, resolved, canvas))

        with self._lock, _one_core_left():
            subjects = [subject, *(other.bare for other in people[1:])]
            read = {p.subject: p.reading for p in people if p.reading is not None}
            layer = draw(subjects=subjects, pose=target, canvas=canvas, meanwhile=fill, read=read)
        face = turned.result()
        if face is not None:
            layer = head.with_face(layer, face)
        behind = filling[0].result()
        if background == "source":
            taken = base.unburdened.places if bags and base.unburdened is not None else None
            layer, behind = _with_unmoved(layer, behind, subject, taken)
        if bags:
            warnings += lay_bags(layer, bags, subject.image, subject.pose, target)
        return self._finish(layer, behind, target, warnings, seed, background == "transparent")

    def _resolving(self, pose: ImageLike | Pose) -> Future[ResolvedPose]:
        """A pose, understood while something else is done."""
        return beside(resolve_pose, pose, person=None, estimator=self.estimator)

    def _turned_face(
        self, subjects: Sequence[Subject], target: Pose, canvas: tuple[int, int]
    ) -> head.TurnedFace | None:
        """The face that is to be turned in space; None where no head has turned."""
        if not self.model.config.texture or not subjects:
            return None
        turns = [head.unlike(subject.pose, target) for subject in subjects]
        if min(turns) < head.TURNED:
            return None
        subject = subjects[int(np.argmin(turns))]
        face = self._face_of(subject)
        if face is None:
            return None
        return head.turned_face(subject.image, subject.mask, face, subject.pose, target, canvas)

    def _face_of(self, subject: Subject) -> head.SeenFace | None:
        """A subject's face in their photo, looked for once; None if none is found."""
        if subject not in self._seen:
            x0, y0, x1, y1 = head.surroundings(subject.pose, subject.image.shape[:2])
            part = subject.image[y0:y1, x0:x1]
            found = self.face_finder.find(part) if min(part.shape[:2]) >= _LEAST_FACE_PX else []
            moved = [face.points + np.array([x0, y0, 0]) for face in found]
            self._seen[subject] = head.its_face(moved, subject.pose)
        return self._seen[subject]

    def _noise(self, seed: int, n: int = 1) -> torch.Tensor:
        """(n, P, Z) normal noise, the same on every device."""
        if not 0 <= seed < 2**63:
            raise EngineError(f"seed must be between 0 and 2^63 - 1, got {seed}")
        generator = torch.Generator().manual_seed(seed)
        shape = (n, PART_COUNT, self.model.config.latent_dim)
        return torch.randn(shape, generator=generator).to(self.device)

    @staticmethod
    def _check_size(size: int | None) -> None:
        if size is not None and not 64 <= size <= MAX_SIDE_PX:
            raise EngineError(f"size must be between 64 and {MAX_SIDE_PX} pixels, got {size}")

    @staticmethod
    def _limited(image: np.ndarray) -> np.ndarray:
        ratio = MAX_SIDE_PX / max(image.shape[:2])
        if ratio >= 1:
            return image
        wh = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
        return cv2.resize(image, wh, interpolation=cv2.INTER_AREA)

    @staticmethod
    def _check_background(background: str | Path, resolved: ResolvedPose) -> None:
        if background == "pose" and resolved.image is None:
            raise EngineError(
                "background pose: the pose is no photo, so it has no background; "
                "use source, plain, transparent or a picture file"
            )
        if str(background) in ("source", "pose", "plain", "transparent"):
            return
        if not is_file(background):
            raise EngineError(
                f"background {shown(background)}: no such file; "
                "use source, pose, plain, transparent or a picture file"
            )

    def _background(
        self,
        background: str | Path,
        base: Prepared,
        resolved: ResolvedPose,
        canvas: tuple[int, int],
    ) -> np.ndarray:
        """(H, W, 3) uint8 picture behind the person."""
        if background in ("plain", "transparent"):
            return plain_background(canvas, PLAIN_RGB)
        if background == "source":
            return _fitted(base.ground, canvas)
        if background == "pose":
            assert resolved.image is not None
            assert resolved.mask is not None
            picture, mask = self._limited(resolved.image), self._limited(resolved.mask)
            return _fitted(fill_background(picture, mask), canvas)
        return cover_background(Path(background), canvas)

    def _finish(
        self,
        layer: Layer,
        behind: np.ndarray,
        pose: Pose,
        warnings: list[str] | tuple[str, ...],
        seed: int,
        transparent: bool,
    ) -> Result:
        image = plain_background(layer.alpha.shape, (0, 0, 0)) if transparent else behind.copy()
        x, y, wide, high = cv2.boundingRect(cv2.convertScaleAbs(layer.alpha, alpha=255))
        columns = slice(x, x + wide)

        def lay(rows: slice) -> None:
            box = slice(y + rows.start, y + rows.stop), columns
            part = layer.colour[box]
            if not transparent:
                ground = behind[box].astype(np.float32)
                part = scaled(part - ground, np.ascontiguousarray(layer.alpha[box]))
                part += ground
            image[box] = cv2.convertScaleAbs(np.maximum(part, 0))  # rounds, cuts off above 255

        if wide and high:
            in_halves(lay, high)
        return Result(
            image=image,
            mask=cv2.convertScaleAbs(layer.alpha, alpha=255),
            invented=cv2.convertScaleAbs(layer.invented, alpha=255),
            warnings=tuple(dict.fromkeys(warnings)),
            pose=pose,
            seed=seed,
            weights_sha256=self.weights_sha256,
            transparent=transparent,
        )


_SHARING = threading.Lock()
_sharers: list[tuple[int, int]] = []
"""Threads of torch and OpenCV before the first of those who leave a core, once for each of them."""


@contextlib.contextmanager
def _one_core_left() -> Iterator[None]:
    """Keep torch and OpenCV off one core, for what is done aside.

    Their threads wait for each other all the time, and each time for the one that shares its core.
    Always, whether something is done aside or not: other threads round otherwise, and the same
    call is to give the same picture. Torch's number is the thread's, and new threads' to begin
    with; OpenCV's is the process's, which the last of several engines gives back.
    """
    with _SHARING:
        first = (torch.get_num_threads(), cv2.getNumThreads())
        _sharers.append(_sharers[0] if _sharers else first)
        torch.set_num_threads(max(1, _sharers[0][0] - 1))
        cv2.setNumThreads(max(1, _sharers[0][1] - 1))
    try:
        yield
    finally:
        with _SHARING:
            networks, pictures = _sharers.pop()
            torch.set_num_threads(networks)
            if not _sharers:
                cv2.setNumThreads(pictures)


def _kept_looks(strength: float, n: int, *, given: bool) -> list[float]:
    """How much of a look each of n pictures keeps: variations less of one that is given."""
    return [strength] + [VARIED * strength if given else strength] * (n - 1)


def pick_device(name: str) -> torch.device:
    """The device of a name: auto, cpu or cuda.

    Raises:
        EngineError: If there is no such device.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise EngineError(f"device must be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise EngineError("--device cuda: no usable GPU here; use --device cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def has_fast_bf16(device: torch.device) -> bool:
    """Whether a device multiplies bf16 matrices faster than others."""
    if device.type == "cuda":
        return True
    try:
        return bool(torch.cpu._is_amx_tile_supported())
    except AttributeError:  # the query is young, and not part of torch's promises
        return False


def _resized(pose: Pose, canvas: tuple[int, int], side: int | None) -> tuple[Pose, tuple[int, int]]:
    """Pose and canvas at another longer side; never above `MAX_SIDE_PX`."""
    longest = max(canvas)
    wanted = min(side or longest, MAX_SIDE_PX)
    if wanted == longest:
        return pose, canvas
    size = (
        max(1, round(canvas[0] * wanted / longest)),
        max(1, round(canvas[1] * wanted / longest)),
    )
    sx, sy = size[1] / canvas[1], size[0] / canvas[0]
    return pose.transformed(np.array([[sx, 0, 0], [0, sy, 0]]), size), size


def _framed(pose: Pose, size: tuple[int, int]) -> tuple[Pose, tuple[int, int]]:
    """A pose moved and scaled to fill a picture."""
    assert pose.size is not None
    window = target_window(pose, pose.size, size)
    return pose.transformed(window.matrix, size), size


def _fitted(image: np.ndarray, canvas: tuple[int, int]) -> np.ndarray:
    """A picture scaled and cropped to fill a canvas."""
    height, width = canvas
    if image.shape[:2] == (height, width):
        return image
    ratio = max(height / image.shape[0], width / image.shape[1])
    wh = (max(width, round(image.shape[1] * ratio)), max(height, round(image.shape[0] * ratio)))
    interpolation = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    large = cv2.resize(image, wh, interpolation=interpolation)
    y, x = (wh[1] - height) // 2, (wh[0] - width) // 2
    return large[y : y + height, x : x + width]


def _with_unmoved(
    layer: Layer, behind: np.ndarray, subject: Subject, taken: np.ndarray | None = None
) -> tuple[Layer, np.ndarray]:
    """Where the person has not moved, the photo stays as it is, and the ground round it, too.

    Args:
        layer: The person on the photo's own frame.
        behind: (H, W, 3) uint8 what stands behind the person there.
        subject: Who, in which photo.
        taken: (H, W) float32 in [0, 1], where in the photo is what does not stay as it is.

    Returns:
        The layer and the ground with the photo's own pixels there.
    """
    if layer.unmoved.max() < 0.5:
        return layer, behind
    canvas = layer.alpha.shape
    photo = _fitted(subject.image, canvas)
    mask = np.clip(_fitted(subject.mask, canvas), 0, 1)  # enlarging overshoots
    reach = 2 * GROWTH * max(canvas)
    unmoved = layer.unmoved.copy()
    # what hangs together with the place that a part has left has left with it
    bare = ((mask > 0.3) & (layer.alpha < 0.5)).astype(np.uint8)
    count, labels = cv2.connectedComponents(bare)
    pieces = np.asarray(labels, np.int64)
    pixels = np.bincount(pieces.ravel(), minlength=count)
    vacated = np.bincount(pieces.ravel(), weights=(unmoved < 0.5).ravel(), minlength=count)
    left = vacated > 0.1 * pixels
    left[0] = False
    edge = 2 * round(GROWTH * max(canvas) / 2) + 1
    gone = cv2.dilate(np.where(left, 1, 0)[pieces].astype(np.uint8), np.ones((edge, edge)))
    unmoved[(gone > 0) & (layer.alpha < 0.5)] = 0
    away = cv2.distanceTransform((unmoved < 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    near = np.clip(2 - 2 * away / reach, 0, 1)
    # round it: not where the old person stood or the new one stands otherwise
    gone = np.maximum(mask > 0.1, layer.alpha > 0.1) * (1 - unmoved)
    gone = cv2.dilate(gone.astype(np.float32), np.ones((3, 3), np.uint8))
    kept = np.where(gone > unmoved, unmoved, np.maximum(unmoved, near * (1 - gone)))
    kept = cv2.GaussianBlur(kept, (0, 0), 1.0)
    if taken is not None:
        kept *= np.clip(1 - 2 * _fitted(taken, canvas), 0, 1)
    kept[kept > 0.98] = 1  # bit for bit
    k = kept[..., None]
    layer = Layer(
        colour=layer.colour + k * (photo - layer.colour),
        alpha=layer.alpha + kept * (mask - layer.alpha),
        invented=layer.invented * (1 - kept),
        unmoved=layer.unmoved,
    )
    return layer, np.rint(behind + k * (photo.astype(np.float32) - behind)).astype(np.uint8)


def _not_shown(showing: Mapping[str, Sequence[Pose]], target: Pose) -> list[str]:
    """Parts that the new pose needs and no photo shows."""
    index = target.skeleton.index

    def outside(pose: Pose, names: tuple[str, ...]) -> bool:
        rows = [index[n] for n in names]
        height, width = pose.size or (0, 0)
        x, y = pose.keypoints[rows, 0], pose.keypoints[rows, 1]
        return bool(((x < 0) | (y < 0) | (x > width) | (y > height)).all())

    missing = [
        region
        for region, (names, _) in _REGIONS.items()
        if all(outside(s, names) for s in showing[region]) and not outside(target, names)
    ]
    if not missing:
        return []
    words = missing[0] if len(missing) == 1 else ", ".join(missing[:-1]) + " and " + missing[-1]
    return [f"The photo does not show the {words}; made up, otherwise with another seed."]
