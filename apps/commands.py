"""The verbs of the command line: a dataclass each, whose fields are its options.

`run` does the work and returns the exit code. What a verb needs beyond the standard library it
imports when it runs, so that `vunet --help` answers at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg, subcommand

from apps.errors import UsageError
from apps.memory import share_one_heap

if TYPE_CHECKING:
    import numpy as np

    from pose.types import Pose
    from vunet.config import TrainConfig
    from vunet.dataset import Dataset
    from vunet.engine import Engine

Device = Literal["auto", "cpu", "cuda"]
PoseFormat = Literal["native", "openpose", "coco", "mediapipe"]
Flag = FlagCreatePairsOff[bool]

# Options of several verbs.
Model = Annotated[str, arg(metavar="NAME_OR_FILE")]
Whole = Annotated[int, arg(metavar="N")]
MaybeWhole = Annotated[int | None, arg(metavar="N", help_behavior_hint="")]
MaybeNumber = Annotated[float | None, arg(metavar="X", help_behavior_hint="")]
MaybeFolder = Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")]
Pixels = Annotated[int | None, arg(metavar="PX", help_behavior_hint="")]
Photos = Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="PHOTO")]
Folders = Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="DATASET")]

MAX_PEOPLE = 16
"""`vunet pose` looks for so many people at most."""
SOME_FAILED = 3
"""Exit code of a batch in which some rows failed."""
_STICK_SURE = 0.3
"""Joints below this confidence, as those outside the photo, are not drawn by `vunet pose`."""


class Command(Protocol):
    """What the command line runs."""

    def run(self) -> int:
        """Do it; the exit code."""
        ...


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    """Options of the verbs that draw the person of a photo."""

    frame: Literal["appearance", "pose"] = "appearance"
    """Whose picture's size and place the result has."""
    background: Annotated[str, arg(metavar="source|pose|plain|transparent|FILE")] = "source"
    """What is behind the person: the photo's own background, the pose photo's, grey, nothing, or a
    picture."""
    retarget: bool = True
    """Keep the person's own limb lengths."""
    person: MaybeWhole = None
    """Which person of the photo, 1 being the largest, which is also the default."""
    model: Model = "person"
    """Weights, by name (see `vunet models`) or file."""
    seed: Whole = 0
    """Decides how body parts look that no photo shows; kept with the picture."""
    device: Device = "auto"
    """Where the network runs."""
    size: Pixels = None
    """Longer side of the result; by default that of the frame's picture."""

    def load(self) -> Engine:
        """The engine that draws."""
        from vunet.engine import Engine

        return Engine.load(self.model, device=self.device)

    def options(self) -> dict[str, Any]:
        """What the engine's verbs are told."""
        names = ("frame", "background", "retarget", "person", "seed", "size")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class Repose(_Drawing):
    """Show the person of a photo in another pose.

    A POSE is a photo, a pose file (OpenPose, COCO, MediaPipe or ours), a stick figure
    (ControlNet's, or drawn by hand), or the name of a preset (see `vunet poses`).
    """

    appearance: Annotated[
        Positional[Path | None], arg(metavar="APPEARANCE", help_behavior_hint="")
    ] = None
    """Photo of the person."""
    pose: Annotated[str | None, arg(metavar="POSE", help_behavior_hint="")] = None
    """The pose to take."""
    out: Annotated[Path, arg(metavar="OUT")]
    """Picture to write, .png or .jpg; with --pairs the folder for pictures and report.jsonl."""
    also: Photos = ()
    """Further photo of the same person in the same clothes, such as one of the back; it gives what
    the others do not show. May be given several times."""
    pairs: Annotated[Path | None, arg(metavar="PAIRS.csv", help_behavior_hint="")] = None
    """Table with the columns appearance, pose and, if wanted, out: each row is drawn."""

    def run(self) -> int:
        """Write one picture, or those of a table."""
        check_seed(self.seed)
        if self.pairs is not None:
            return self._run_pairs(self.pairs)
        if self.appearance is None or self.pose is None:
            raise UsageError("repose needs a photo and --pose POSE, or --pairs PAIRS.csv")
        check_picture(self.out, transparent=self.background == "transparent")
        result = self._draw(self.load(), str(self.appearance), self.pose)
        result.save(self.out)
        note(result.warnings)
        print(self.out)
        return 0

    def _run_pairs(self, pairs: Path) -> int:
        from apps.batch import REPORT, read_table, run_batch

        if self.appearance is not None or self.pose is not None or self.also:
            raise UsageError(
                "--pairs names photos and poses itself; leave APPEARANCE, --pose and --also out"
            )
        rows = read_table(pairs)
        check_file(self.out / REPORT)
        engine = self.load()
        failed = run_batch(pairs, rows, self.out, lambda look, pose: self._draw(engine, look, pose))
        print(f"{len(rows) - failed} of {len(rows)} pictures written; see {self.out / REPORT}")
        return SOME_FAILED if failed else 0

    def _draw(self, engine: Engine, appearance: str, pose: str) -> Any:  # noqa: ANN401
        return engine.repose(
            appearance,
            pose,
            also=self.also,
            **self.options(),
        )


@dataclass(frozen=True, kw_only=True)
class Mix(_Drawing):
    """Take the looks of body parts from different photos.

    A PART is all, head, top, hands, bottom, shoes, or one body part such as left_forearm.
    """

    base: Annotated[Path, arg(metavar="PHOTO")]
    """Photo of the person; what no --part names looks like this photo."""
    part: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="PART=PHOTO")] = ()
    """Photo from which a part's look is taken. May be given several times."""
    strength: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="PART=0..1")] = ()
    """How much of it, 1 by default. May be given several times."""
    pose: Annotated[str | None, arg(metavar="POSE", help_behavior_hint="")] = None
    """The pose to take; by default the person keeps theirs."""
    out: Annotated[Path, arg(metavar="OUT")]
    """Picture to write, .png or .jpg."""

    def run(self) -> int:
        """Write the picture."""
        check_seed(self.seed)
        check_picture(self.out, transparent=self.background == "transparent")
        parts: dict[str, str | Path] = dict(assignments("--part", self.part))
        strength = {}
        for name, text in assignments("--strength", self.strength).items():
            try:
                strength[name] = float(text)
            except ValueError:
                raise UsageError(f"--strength {name}={text}: give a number from 0 to 1") from None
        result = self.load().mix(self.base, parts, self.pose, strength=strength, **self.options())
        result.save(self.out)
        note(result.warnings)
        print(self.out)
        return 0


@dataclass(frozen=True, kw_only=True)
class FindPose:
    """Find the skeletons of all people in a photo."""

    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """Photo of one or more people."""
    format: PoseFormat = "native"
    """How the skeletons are written; openpose and coco tell the picture's size as well."""
    out: Annotated[Path | None, arg(metavar="POSE.json", help_behavior_hint="")] = None
    """File to write; without it the JSON goes to standard output."""
    draw: Annotated[Path | None, arg(metavar="STICK.png", help_behavior_hint="")] = None
    """Picture of the skeletons in ControlNet's colours, to write as well."""

    def run(self) -> int:
        """Write the skeletons, largest person first."""
        from pose.convert import convert
        from pose.estimator import PoseEstimator
        from pose.formats import dump_poses
        from pose.skeletons import BODY27
        from pose.types import NoPersonFound
        from vunet.images import read_image, shown, write_atomic, write_png

        if self.out is not None:
            check_file(self.out)
        if self.draw is not None:
            check_picture(self.draw)
        image = read_image(self.photo)
        people = PoseEstimator().find(image, max_people=MAX_PEOPLE)
        if not people:
            raise NoPersonFound(
                f"{shown(self.photo)}: no person found; "
                "use a photo in which one person is large and well visible"
            )
        found = [person.pose for person in people]
        poses = [convert(pose, BODY27) for pose in found] if self.format == "native" else found
        text = dump_poses(poses, self.format)
        if self.draw is not None:
            write_png(_stick_picture(found, (image.shape[0], image.shape[1])), self.draw)
        if self.out is None:
            sys.stdout.write(text)
        else:
            write_atomic(self.out, text.encode("utf-8"))
            print(self.out)
        return 0


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Draw people that no photo showed, from the network's prior."""

    pose: Annotated[str, arg(metavar="POSE")]
    """The pose they all take."""
    count: Annotated[int, arg(name="n", aliases=["-n"], metavar="N")] = 8
    """How many, 1 to 64."""
    out: Annotated[Path, arg(metavar="SHEET.png")]
    """Sheet of pictures to write."""
    temperature: Annotated[float, arg(metavar="T")] = 1.0
    """How far from the ordinary: 0 draws the most ordinary person each time, at most 3."""
    seed: Whole = 0
    """The same seed draws the same people."""
    model: Model = "person"
    """Weights, by name (see `vunet models`) or file."""
    device: Device = "auto"
    """Where the network runs."""
    size: Pixels = None
    """Longer side of each picture."""

    def run(self) -> int:
        """Write the sheet."""
        from apps.sheets import grid
        from vunet.engine import Engine
        from vunet.images import write_png

        check_seed(self.seed)
        check_picture(self.out)
        engine = Engine.load(self.model, device=self.device)
        results = engine.sample(
            self.pose, self.count, seed=self.seed, temperature=self.temperature, size=self.size
        )
        text = {
            "vunet:seed": str(self.seed),
            "vunet:temperature": str(self.temperature),
            "vunet:weights": engine.weights_sha256,
        }
        write_png(grid([result.image for result in results]), self.out, text=text)
        note(results[0].warnings)
        print(self.out)
        return 0


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a folder of photos, or a set of rendered people, into a training set."""

    photos: Annotated[Positional[Path], arg(metavar="PHOTOS")]
    """Folder of photos with one main person each, searched with its sub-folders."""
    out: Annotated[Path, arg(metavar="DATASET")]
    """Folder for the training set."""
    group: Literal["none", "folder", "all"] = "none"
    """Which photos show one person in the same clothes: none, those of a folder, or all."""
    labels: MaybeFolder = None
    """Folder of pixel labels (PNG) with the photos' names, label_names.json beside it."""
    detected_masks: Flag = False
    """With --labels: take people's masks as they are found in photos, bags and all, and not the
    labels'; to learn to tell garments by."""
    holdout: Annotated[
        Literal["none", "photo", "exercise", "only-photo", "only-exercise", "avatar"] | None,
        arg(metavar="{none,photo,exercise,avatar,only-photo,only-exercise}", help_behavior_hint=""),
    ] = None
    """Leave out what validation uses: by photo name, by exercise folder, or (renders) by avatar;
    only- keeps nothing else. Default: none for photos, avatar for renders."""
    framings: Whole = 1
    """Closer framings cut out of each full-body photo."""
    workers: MaybeWhole = None
    """Processes; by default one per processor core, at most 8."""
    renders: Flag = False
    """PHOTOS is a set of rendered people with index.jsonl."""
    seed: Whole = 0
    """Chooses the closer framings."""
    drawings: Annotated[
        Literal["things", "people", "faces", "portraits"] | None,
        arg(metavar="{things,people,faces,portraits}", help_behavior_hint=""),
    ] = None
    """Make drawings of the photos, each of a single thing or of a person, for `vunet train`'s
    garment, sketch and find; --labels paints people's regions, --holdout photo leaves out a tenth.
    Given a prepared set of people, of its pictures: same people in other poses teach much. Of faces
    PHOTOS holds two folders, photos and sketches, for find-face; a third is left out. Portraits are
    photos of faces, or such two folders, for face and face-parts; a tenth is left out."""
    classes: Annotated[Path | None, arg(metavar="TABLE.csv", help_behavior_hint="")] = None
    """With --drawings: table with the columns file and label, what each photo shows."""

    def run(self) -> int:
        """Prepare, and say which photos were left out and why."""
        from vunet.prepare import PrepareOptions, prepare_photos, prepare_renders

        _check_folder(self.out)
        quiet = not sys.stderr.isatty()
        if self.framings < 0 or (self.workers is not None and self.workers < 1):
            raise UsageError("--framings must be 0 or more and --workers 1 or more")
        workers = self.workers or min(8, os.cpu_count() or 1)
        if self.drawings is not None:
            return self._draw(quiet)
        if self.classes is not None:
            raise UsageError("--classes goes with --drawings")
        if self.renders:
            if self.holdout not in (None, "none", "avatar"):
                raise UsageError(f"--holdout {self.holdout} is for photos; use none or avatar")
            report = prepare_renders(
                self.photos,
                self.out,
                holdout=self.holdout != "none",
                workers=workers,
                quiet=quiet,
            )
        else:
            if self.holdout == "avatar":
                raise UsageError("--holdout avatar is for --renders; use photo or exercise")
            if self.labels is not None and not _is_label_folder(self.labels):
                raise UsageError(
                    f"--labels {self.labels}: give a folder of PNG labels with "
                    "label_names.json, a list of names, beside it"
                )
            if self.detected_masks and self.labels is None:
                raise UsageError("--detected-masks goes with --labels")
            check_seed(self.seed)
            options = PrepareOptions(
                group=self.group,
                labels=self.labels,
                label_masks=not self.detected_masks,
                holdout=self.holdout or "none",
                framings=self.framings,
                seed=self.seed,
            )
            report = prepare_photos(self.photos, self.out, options, workers, quiet)
        print(f"{self.out}: {report.summary()}")
        return 0

    def _draw(self, quiet: bool) -> int:
        from vunet.dataset import open_dataset
        from vunet.drawing.prepare import drawings_of, photo_files, prepare_drawings
        from vunet.drawing.subject import MaskFinder, object_mask, person_masks

        parts = {None: "all", "none": "all", "photo": "training", "only-photo": "held-back"}
        if self.holdout not in parts or self.renders:
            raise UsageError("--drawings is for photos; with --holdout photo or only-photo")
        if self.drawings in ("faces", "portraits"):
            from vunet.gallery.prepare import prepare_sketched

            if self.classes is not None or self.labels is not None:
                raise UsageError(f"--drawings {self.drawings} takes neither --classes nor --labels")
            part = parts[self.holdout]
            if self.drawings == "faces":
                report = prepare_sketched(self.photos, self.out, part=part, quiet=quiet)
            else:
                from pose.face import FaceFinder
                from vunet.face.prepare import prepare_portraits

                report = prepare_portraits(
                    self.photos, self.out, FaceFinder(), part=part, quiet=quiet
                )
            print(f"{self.out}: {report.count} faces, {len(report.left_out)} left out")
            note(report.left_out[:20])
            return 0
        if (self.photos / "dataset.json").is_file():
            if self.drawings == "things" or self.labels or self.classes or self.holdout:
                raise UsageError("a prepared set becomes drawings of people, all of it")
            count = drawings_of(open_dataset(self.photos), self.out, quiet=quiet)
            print(f"{self.out}: {count} drawings")
            return 0
        mask_of: MaskFinder = object_mask
        if self.drawings == "people":
            from pose.estimator import PoseEstimator

            mask_of = person_masks(PoseEstimator())
        report = prepare_drawings(
            photo_files(self.photos),
            self.out,
            part=parts[self.holdout],
            classes=self.classes,
            labels=self.labels,
            mask_of=mask_of,
            close=self.drawings == "people",
            quiet=quiet,
        )
        print(f"{self.out}: {report.count} drawings, {len(report.left_out)} photos left out")
        note(report.left_out[:20])
        return 0


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a re-posing network. Stops cleanly on time or Ctrl-C; --resume goes on."""

    preset: Annotated[
        Positional[
            Literal[
                "person",
                "garment",
                "sketch",
                "face",
                "face-parts",
                "pairs",
                "find",
                "find-face",
                "tiny",
                "tiny-pairs",
                "vunet-2018",
                "pix2pix",
                "drawing-pix2pix",
            ]
        ],
        arg(metavar="PRESET"),
    ]
    """What to train: person (poses), garment (drawings of things), sketch (drawings of people),
    pairs (any folder of A|B pictures, of two folders with equal names, or of photos), find and
    find-face (photos by drawings; from sets that `vunet prepare --drawings` made), face (drawings
    of faces) and face-parts (their manifolds; `python -m vunet.face.codes` ends such a run); tiny
    and tiny-pairs rehearse it in seconds; vunet-2018, pix2pix and drawing-pix2pix are what ours are
    measured against."""
    data: Folders = ()
    """Training set made by `vunet prepare`; for pairs, any folder of pictures."""
    backwards: Flag = False
    """For pairs: the drawing is the right half, or in the second folder by name."""
    out: Annotated[Path, arg(metavar="RUN")]
    """Run folder: weights, state, metrics.jsonl, sheets."""
    resume: Flag = False
    """Go on with the run in that folder, with its settings unless given anew."""
    minutes: MaybeNumber = None
    """Stop after this time. Without --steps it is the length of the run, or on --resume what it is
    to go on for: the learning rate falls towards it."""
    init: Annotated[str | None, arg(metavar="WEIGHTS", help_behavior_hint="")] = None
    """Start from these weights, by name or file: at a third of the learning rate, and with
    every loss from the start."""
    device: Device = "auto"
    """Where to train."""
    compiled: Annotated[Flag, arg(name="compile")] = False
    """Let torch.compile join small steps: needs a C++ compiler and minutes at first, and trains
    faster afterwards."""
    steps: MaybeWhole = None
    """Length of the run."""
    batch_size: MaybeWhole = None
    """Picture pairs per step and process."""
    learning_rate: MaybeNumber = None
    """Peak learning rate."""
    adversarial_weight: MaybeNumber = None
    """Weight of the adversarial loss; 0 leaves it out."""
    adversarial_start: MaybeWhole = None
    """First step with the adversarial loss."""
    cooldown: MaybeNumber = None
    """Share of the run, at its end, over which the learning rate falls."""
    cross_share: MaybeNumber = None
    """Of drawings: share of samples whose reference shows another thing of the class."""
    seed: MaybeWhole = None
    """Fixes initial weights, batches and noise."""
    backbones: MaybeFolder = None
    """Folder with the SqueezeNet of the perceptual loss; without it that loss is left out."""
    validation: Folders = ()
    """Set never trained on, for figures and sheets."""
    every_minutes: Annotated[float, arg(metavar="MINUTES")] = 5.0
    """Time between checkpoints and sheets."""
    half_size: Flag = False
    """Pictures of half the height and width, a quarter of the work: to compare networks."""
    warp_passes: MaybeWhole = None
    """Of persons: how often the network looks at where the photo's pixels go; twice fits a little
    better and is a little softer."""
    only: Literal["", "texture", "garments"] = ""
    """Of persons: train nothing but what carries the photo's pixels, three times as fast (trained
    whole again afterwards), or the reading of garments, from sets with labels. Take --init."""
    without: Annotated[
        UseAppendAction[tuple[Literal["texture", "latents", "adversarial"], ...]],
        arg(metavar="PART", help_behavior_hint=""),
    ] = ()
    """Take a part out (texture, latents or adversarial), to see what it is good for."""
    dry_run: Flag = False
    """Print the settings as JSON and stop."""

    def config(self) -> TrainConfig:
        """The preset's settings, or on --resume the run's own, with those given put in."""
        from vunet.checkpoint import read_config, resolve_weights
        from vunet.config import PRESETS, at_half_size, going_on, looking, only, without

        config = PRESETS[self.preset]
        begins = self.half_size or self.without or self.init or self.only
        if self.resume and (begins or self.warp_passes is not None):
            raise UsageError(
                "--half-size, --without, --warp-passes, --only and --init begin a run; "
                "leave --resume out"
            )
        begun = None
        if self.init is not None and not self.resume:
            begun = read_config(resolve_weights(self.init)[0])
        try:
            if self.half_size:
                config = at_half_size(config)
            for part in self.without:
                config = without(config, part)
            if begun is not None:
                config = going_on(config, begun)
            if self.warp_passes is not None:
                config = looking(config, self.warp_passes)
        except ValueError as error:
            raise UsageError(f"{self.preset}: {error}") from error
        if self.resume:
            config = _run_config(self.out / "config.json", config)
        else:
            if self.minutes is not None:
                config = dataclasses.replace(config, steps=None)
            if self.only:
                try:
                    config = only(config, self.only)
                except ValueError as error:
                    raise UsageError(f"{self.preset}: --only: {error}") from error
        names = (
            "steps",
            "batch_size",
            "learning_rate",
            "adversarial_weight",
            "adversarial_start",
            "cooldown",
            "cross_share",
            "seed",
        )
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        for name, value in given.items():
            least_open = name in ("steps", "batch_size", "learning_rate")
            if not (value > 0 if least_open else value >= 0):
                option = "--" + name.replace("_", "-")
                raise UsageError(f"{option} must be {'above' if least_open else 'at least'} 0")
        for name in ("cooldown", "cross_share"):
            if given.get(name, 0) > 1:
                raise UsageError(f"--{name.replace('_', '-')} must be at most 1")
        return dataclasses.replace(config, **given)

    def run(self) -> int:
        """Train."""
        from vunet.config import to_json

        if self.minutes is not None and not self.minutes > 0:
            raise UsageError("--minutes must be above 0")
        if not self.every_minutes > 0:
            raise UsageError("--every-minutes must be above 0")
        config = self.config()
        if self.dry_run:
            print(json.dumps(json.loads(to_json(config)), indent=2))
            return 0
        if not self.data:
            raise UsageError("training needs --data DATASET; make one with `vunet prepare`")
        _check_folder(self.out)

        from vunet.config import DrawingConfig
        from vunet.dataset import open_dataset
        from vunet.drawing.prepare import config_for
        from vunet.train import TrainPlan, train

        quiet = not sys.stderr.isatty()
        validation = [open_dataset(path) for path in self.validation]
        if isinstance(config.model, DrawingConfig):
            data = self._drawings(validation, quiet)
            config = config_for(config, data)
        else:
            data = [open_dataset(path) for path in self.data]
        main = os.environ.get("RANK", "0") == "0"  # set by torchrun
        plan = TrainPlan(
            out=self.out,
            minutes=self.minutes,
            resume=self.resume,
            init=self.init,
            backbones=self.backbones,
            validation=tuple(validation),
            every_minutes=self.every_minutes,
            device=self.device,
            compiled=self.compiled,
            quiet=quiet,
        )
        done = train(config, data, plan)
        if main:
            print(
                f"{self.out / 'model.safetensors'}: step {done['step']}"
                + (f" of {config.steps}" if config.steps else "")
                + f", {done['minutes']:.1f} minutes"
                + ("" if done["over"] else "; go on with --resume")
                + ("" if done["over"] or config.steps else " --minutes N")
            )
        return 0

    def _drawings(self, validation: list[Dataset], quiet: bool) -> list[Dataset]:
        """The sets, made from plain folders where they are none; a tenth goes to validation."""
        from vunet.drawing.pairs import open_or_prepare

        data = []
        for number, folder in enumerate(self.data):
            work = self.out / "sets" / str(number)
            source = work / "training" if self.resume and (work / "training").is_dir() else folder
            found, check, report = open_or_prepare(
                source, work, backwards=self.backwards, quiet=quiet
            )
            data.append(found)
            if check is not None and not self.validation:
                validation.append(check)
            if report is not None:
                print(f"{folder}: {report.count} pictures, {len(report.left_out)} left out")
                note(report.left_out[:20])
        return data


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure quality on pairs of photos, beside doing nothing (copy) and geometry alone (warp).

    Weights that paint drawings are measured with --drawings, beside copy and the class's average;
    weights that find photos with --find, beside HOG, SqueezeNet and chance.
    """

    pairs: Annotated[Path | None, arg(metavar="PAIRS.csv", help_behavior_hint="")] = None
    """Table with the columns appearance and pose, and if wanted kind and mask."""
    drawings: Annotated[Path | None, arg(metavar="DATASET", help_behavior_hint="")] = None
    """Set of drawings never trained on (`vunet prepare --drawings things --holdout only-photo`)."""
    find: Annotated[Path | None, arg(metavar="DATASET", help_behavior_hint="")] = None
    """Set of drawings or faces never trained on: how often a drawing finds its own photo."""
    portraits: Annotated[Path | None, arg(metavar="DATASET", help_behavior_hint="")] = None
    """Set of faces with sketches, never trained on (`vunet prepare --drawings portraits`)."""
    model: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME_OR_FILE")] = ()
    """Weights, by name (see `vunet models`) or file, baselines too; person where none are given
    (garment for --drawings, find for --find, face for --portraits). May be given several times:
    each makes a row."""
    json: Annotated[Path | None, arg(metavar="OUT.json", help_behavior_hint="")] = None
    """Report to write, with the figures of every pair and the protocol in words."""
    sheet: Annotated[Path | None, arg(metavar="SHEET.jpg", help_behavior_hint="")] = None
    """Sheet of pictures to write, the worst among them."""
    backbones: MaybeFolder = None
    """Folder with the judging networks; without them their figures are left out."""
    rim: Annotated[int, arg(metavar="PX")] = 5
    """By how much the person's mask is dilated for SqPD-person, at 256 px height."""
    device: Device = "auto"
    """Where the network runs."""

    def run(self) -> int:
        """Print the figures as a table."""
        if [self.pairs, self.drawings, self.find, self.portraits].count(None) != 3:
            raise UsageError(
                "evaluate needs one of --pairs PAIRS.csv, --drawings DATASET, --find DATASET and "
                "--portraits DATASET"
            )
        if not 0 <= self.rim <= 64:
            raise UsageError("--rim must be between 0 and 64")
        if self.json is not None:
            check_file(self.json)
        if self.sheet is not None:
            check_picture(self.sheet, endings=(".jpg", ".jpeg"))
        quiet = not sys.stderr.isatty()
        if self.find is not None:
            from vunet.gallery.evaluate import evaluate_find, format_find

            if self.sheet is not None:
                raise UsageError(
                    "--sheet goes with --pairs, --drawings or --portraits; leave it out"
                )
            found = evaluate_find(
                self.find,
                self.model or ("find",),
                backbones=self.backbones,
                json_path=self.json,
                device=self.device,
                quiet=quiet,
            )
            print(format_find(found), end="")
            return 0
        if self.portraits is not None:
            from pose.face import FaceFinder
            from vunet.face.evaluate import evaluate_portraits, format_portraits

            judged = evaluate_portraits(
                self.portraits,
                self.model or ("face",),
                FaceFinder(),
                backbones=self.backbones,
                json_path=self.json,
                sheet=self.sheet,
                device=self.device,
                quiet=quiet,
            )
            print(format_portraits(judged), end="")
            return 0
        if self.pairs is None or self.drawings is not None:
            from vunet.drawing.evaluate import evaluate_drawings, format_drawings

            report = evaluate_drawings(
                Path(self.drawings or ""),
                self.model or ("garment",),
                backbones=self.backbones,
                json_path=self.json,
                sheet=self.sheet,
                device=self.device,
                quiet=quiet,
            )
            print(format_drawings(report), end="")
            return 0

        from vunet.evaluate import evaluate_files, format_table

        report = evaluate_files(
            self.pairs,
            self.model or ("person",),
            json_path=self.json,
            sheet=self.sheet,
            backbones=self.backbones,
            rim_px=self.rim,
            device=self.device,
            quiet=quiet,
        )
        print(format_table(report), end="")
        return 0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure speed and memory, stage by stage, beside geometry and the baselines."""

    json: Annotated[Path | None, arg(metavar="OUT.json", help_behavior_hint="")] = None
    """File to write; the last line of standard output is the same JSON."""
    model: Model = "person"
    """Weights, by name (see `vunet models`) or file."""
    device: Device = "auto"
    """Where the network runs."""
    repeats: Whole = 20
    """Timed runs of each stage, after 3 that are not."""

    def run(self) -> int:
        """Print the card and the JSON."""
        from apps.demo import example
        from vunet.bench import format_card, run_bench
        from vunet.images import write_atomic

        if self.repeats < 1:
            raise UsageError("--repeats must be 1 or more")
        if self.json is not None:
            check_file(self.json)
        report = run_bench(
            example(1), example(2), model=self.model, device=self.device, repeats=self.repeats
        )
        line = json.dumps(report, allow_nan=False)
        if self.json is not None:
            write_atomic(self.json, (line + "\n").encode("utf-8"))
        print(format_card(report))
        print(line)
        return 0


@dataclass(frozen=True, kw_only=True)
class App:
    """Serve the app to this machine's own browser."""

    port: Annotated[int, arg(metavar="PORT")] = 7860
    """Port on 127.0.0.1."""
    model: Model = "person"
    """Weights, by name (see `vunet models`) or file."""
    drawing_model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="")] = None
    """Weights of the tab Draw, by name, file or run folder; unless given, all that ship."""
    gallery: Annotated[Path | None, arg(metavar="FOLDER", help_behavior_hint="")] = None
    """Folder of photos that `vunet index` went through, to be searched in the tab Find."""
    find_model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="")] = None
    """Weights of the tab Find, by name, file or run folder; those of `vunet index`."""
    face_model: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="")] = None
    """Weights of the tab Face, by name, file or run folder; unless given, those that ship."""
    face_parts: Annotated[str | None, arg(metavar="MODEL", help_behavior_hint="")] = None
    """Weights of faces' manifolds for the tab Face, likewise."""
    device: Device = "auto"
    """Where the network runs."""

    def run(self) -> int:
        """Serve until stopped."""
        # Before gradio is imported, which looks at them once: ask nothing of the network.
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["HF_HUB_OFFLINE"] = "1"
        if not 1 <= self.port <= 65535:
            raise UsageError(f"--port must be between 1 and 65535, got {self.port}")
        _check_port(self.port)

        share_one_heap()

        from apps.page import serve
        from vunet.engine import Engine

        engine = Engine.load(self.model, device=self.device)
        print(f"http://127.0.0.1:{self.port}", flush=True)
        drawings = [self.drawing_model] if self.drawing_model else None
        serve(
            engine,
            self.port,
            drawings,
            self.gallery,
            self.find_model,
            self.face_model,
            self.face_parts,
        )
        return 0


@dataclass(frozen=True, kw_only=True)
class Models:
    """List the weights that are here, with size, licence and the data they learnt from."""

    def run(self) -> int:
        """Print them."""
        from vunet.checkpoint import list_weights

        for info in list_weights():
            here = f"{info.bytes / 1e6:.1f} MB" if info.path.is_file() else "missing"
            print(f"{info.name}  {here}  {info.licence}")
            for key, value in (
                ("about", info.description),
                ("data", info.data),
                ("file", str(info.path)),
                ("sha256", info.sha256),
            ):
                print(f"  {key:<7} {value}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Poses:
    """List the preset poses."""

    out: Annotated[Path | None, arg(metavar="SHEET.png", help_behavior_hint="")] = None
    """Sheet of stick figures to write."""

    def run(self) -> int:
        """Print the names."""
        from pose.presets import PRESETS

        if self.out is not None:
            check_picture(self.out)

            from apps.sheets import Tile, compose, stick_figure
            from vunet.images import write_png

            size = (330, 240)
            tiles = [Tile(stick_figure(pose, size), name) for name, pose in PRESETS.items()]
            write_png(compose(tiles, 8, size), self.out)
            print(self.out)
        for name in () if self.out is not None else PRESETS:
            print(name)
        return 0


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Re-pose the bundled person into several poses, on one sheet."""

    out: Annotated[Path, arg(metavar="SHEET.png")] = Path("out/demo.png")
    """Sheet to write."""
    model: Model = "person"
    """Weights, by name (see `vunet models`) or file."""
    device: Device = "auto"
    """Where the network runs."""

    def run(self) -> int:
        """Write the sheet."""
        check_picture(self.out)

        from apps.demo import draw_demo
        from vunet.engine import Engine
        from vunet.images import write_png

        write_png(draw_demo(Engine.load(self.model, device=self.device)), self.out)
        print(self.out)
        return 0


if TYPE_CHECKING:
    Verb = Command
else:
    Verb = (
        Annotated[Repose, subcommand("repose")]
        | Annotated[FindPose, subcommand("pose")]
        | Annotated[Mix, subcommand("mix")]
        | Annotated[Sample, subcommand("sample")]
        | Annotated[Prepare, subcommand("prepare")]
        | Annotated[Train, subcommand("train")]
        | Annotated[Evaluate, subcommand("evaluate")]
        | Annotated[Bench, subcommand("bench")]
        | Annotated[App, subcommand("app")]
        | Annotated[Models, subcommand("models")]
        | Annotated[Poses, subcommand("poses")]
        | Annotated[Demo, subcommand("demo")]
    )


# -- steps ---------------------------------------------------------------------------------------


def note(warnings: Iterable[str]) -> None:
    """Print notes on standard error."""
    for text in warnings:
        print(f"note: {text}", file=sys.stderr)


def assignments(option: str, given: Sequence[str]) -> dict[str, str]:
    """The values of an option NAME=VALUE that may be given several times."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise UsageError(f"{option} {text}: must be of the form PART=VALUE")
        if name in found:
            raise UsageError(f"{option} {name}: given twice")
        found[name] = value
    return found


def check_seed(seed: int) -> None:
    """Refuse a seed that the generators cannot take."""
    if not 0 <= seed < 2**63:
        raise UsageError(f"--seed must be a whole number from 0 to 2^63 - 1, got {seed}")


def check_picture(path: Path, *, transparent: bool = False, endings: Sequence[str] = ()) -> None:
    """Refuse a picture's path that cannot be written, before any work is done."""
    from vunet.images import OutputError, check_output, shown

    check_output(path)
    if endings and path.suffix.lower() not in endings:
        raise OutputError(f"{shown(path)} must end in {' or '.join(endings)}; change its ending")
    if transparent and path.suffix.lower() != ".png":
        raise OutputError(
            f"{shown(path)} cannot be transparent, being a JPEG; write to a name ending in .png"
        )
    check_file(path)


def check_file(path: Path) -> None:
    """Refuse a file's path that cannot be written, before any work is done."""
    from vunet.images import OutputError, shown

    try:
        folder = path.is_dir()
    except (OSError, ValueError):
        folder = False
    if folder:
        raise OutputError(f"{shown(path)} is an existing folder; give the name of a file inside it")
    _check_folder(path.parent)


def _check_folder(path: Path) -> None:
    """Refuse a folder that can be neither written to nor made."""
    from vunet.images import OutputError, shown

    try:
        near = path.absolute()
        while not near.exists() and near != near.parent:
            near = near.parent
        if not near.is_dir():
            raise OutputError(
                f"{shown(path)} cannot be a folder because {shown(near)} is a file; "
                "choose another folder"
            )
        if not os.access(near, os.W_OK | os.X_OK):
            raise OutputError(
                f"{shown(path)} may not be written; choose a folder that you may write to"
            )
    except OSError as error:
        raise OutputError(
            f"{shown(path)} cannot be written ({(error.strerror or str(error)).lower()}); "
            "choose another path"
        ) from None


def _check_port(port: int) -> None:
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UsageError(
                f"port {port} cannot be used ({reason}); choose another with --port"
            ) from None


def _is_label_folder(path: Path) -> bool:
    try:
        names = json.loads((path.parent / "label_names.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return path.is_dir() and isinstance(names, list) and all(isinstance(n, str) for n in names)


def _run_config(path: Path, base: TrainConfig) -> TrainConfig:
    """The settings of a run, from its folder.

    Args:
        path: The run's config.json.
        base: Gives the settings that the file does not name.
    """
    from vunet.config import network_config_from
    from vunet.images import shown

    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        known = {field.name: field for field in dataclasses.fields(base)}
        unknown = set(values) - set(known)
        if unknown:
            raise ValueError(f"of another version of vunet: unknown settings {sorted(unknown)}")
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
        }
        if "model" in values:
            plain["model"] = network_config_from(values["model"])
        return dataclasses.replace(base, **plain)
    except FileNotFoundError:
        raise UsageError(
            f"{shown(path.parent)}: nothing to resume here; leave --resume out to begin"
        ) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{shown(path)}: the run's settings cannot be used ({error}); "
            "begin anew in another folder"
        ) from None


def _stick_picture(poses: Sequence[Pose], size: tuple[int, int]) -> np.ndarray:
    """All skeletons of a photo on one black canvas, without what is guessed."""
    import numpy as np

    from pose.stick import draw_controlnet
    from pose.types import Pose as PoseType

    canvas = np.zeros((*size, 3), np.uint8)
    for pose in reversed(poses):  # the largest last, on top
        x, y = pose.keypoints.T
        inside = (x >= 0) & (y >= 0) & (x <= size[1]) & (y <= size[0])
        sure = inside & (pose.confidence >= _STICK_SURE)
        keypoints = np.where(sure[:, None], pose.keypoints, np.nan)
        shown = PoseType(pose.skeleton, keypoints, np.where(sure, pose.confidence, 0), size)
        drawn = draw_controlnet(shown, size)
        canvas = np.where(drawn.any(axis=2, keepdims=True), drawn, canvas)
    return canvas
