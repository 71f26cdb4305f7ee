"""The verbs `index` and `find`: a folder of photos becomes searchable, and is searched."""

from __future__ import annotations

import json as json_text
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from apps.commands import (
    SOME_FAILED,
    Device,
    Flag,
    MaybeFolder,
    Model,
    check_picture,
    note,
)

if TYPE_CHECKING:
    import numpy as np

    from vunet.gallery.gallery import Match

_TILE_PX = (300, 240)
_COLUMNS = 5


@dataclass(frozen=True, kw_only=True)
class Index:
    """Make a folder of photos searchable, or bring it up to date; then `vunet find` finds.

    May be stopped at any moment: the next run goes on. Sub-folders are included.
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """Folder of photos."""
    where: MaybeFolder = None
    """Where the gallery is put, by default FOLDER/.vunet-gallery; for folders that may not be
    written."""
    model: Model = "find"
    """Weights, by name (see `vunet models`), file or run folder."""
    only_poses: Flag = False
    """Needs no weights; only poses can be looked for."""
    device: Device = "auto"
    """Where the network runs."""

    def run(self) -> int:
        """Index, and say what came of it."""
        from vunet.gallery.gallery import Gallery

        quiet = not sys.stderr.isatty()
        embedder = None if self.only_poses else self.model
        with Gallery.open(
            self.folder, where=self.where, create=True, embedder=embedder, device=self.device
        ) as gallery:
            report = gallery.update(quiet=quiet)
        note(report.unreadable)
        print(f"{self.folder}: {report.summary()}")
        return SOME_FAILED if report.unreadable else 0


@dataclass(frozen=True, kw_only=True)
class Find:
    """Find the photos of a gallery that match a drawing, a stick figure, a pose or a photo."""

    query: Annotated[Positional[str], arg(metavar="QUERY")]
    """A drawing, a stick figure (ControlNet's, or drawn by hand), a photo, a pose file, or the
    name of a preset pose."""
    gallery: Annotated[Path, arg(metavar="FOLDER")]
    """Folder of photos that `vunet index` went through, or what it was given as --where."""
    count: Annotated[int, arg(name="k", aliases=["-k"], metavar="N")] = 12
    """How many photos at most."""
    by: Annotated[
        Literal["drawing", "pose", "photo"] | None,
        arg(metavar="{drawing,pose,photo}", help_behavior_hint=""),
    ] = None
    """What is compared; by default what QUERY looks like."""
    mirror: bool = True
    """The mirror image of a pose matches, too."""
    out: Annotated[Path | None, arg(metavar="SHEET.png", help_behavior_hint="")] = None
    """Sheet of the query and the photos to write."""
    json: Flag = False
    """Print a JSON list rather than a line for each."""
    model: Model = "find"
    """Weights, by name (see `vunet models`), file or run folder; those of `vunet index`."""
    device: Device = "auto"
    """Where the network runs."""

    def run(self) -> int:
        """Find, and print or draw what was found."""
        if self.out is not None:
            check_picture(self.out)

        from vunet.gallery.gallery import Gallery

        with Gallery.open(self.gallery, embedder=self.model, device=self.device) as gallery:
            found = gallery.find(self.query, self.count, by=self.by, mirror=self.mirror)
            note(gallery.notes())
        if not found:
            note(["nothing in the gallery matches"])
        if self.out is not None:
            self._draw(self.out, found)
        if self.json:
            print(json_text.dumps([_entry(match) for match in found], allow_nan=False))
            return 0
        for match in found:
            name = str(match.path).encode("utf-8", "backslashreplace").decode()  # any bytes
            print(f"{match.score:.3f}  {name}{'  (mirrored)' if match.mirrored else ''}")
        if self.out is not None:
            print(self.out)
        return 0

    def _draw(self, out: Path, found: list[Match]) -> None:
        from apps.sheets import Tile, compose, fit
        from vunet.images import ImageError, read_image, shown, write_png

        tiles = [Tile(self._query_picture(), "query")]
        for rank, match in enumerate(found, 1):
            try:
                image = fit(read_image(match.path), _TILE_PX)
            except ImageError:  # gone or damaged since
                continue
            mark = " mirrored" if match.mirrored else ""
            tiles.append(Tile(image, f"{rank}  {match.score:.2f}{mark}  {shown(match.path.name)}"))
        write_png(compose(tiles, _COLUMNS, _TILE_PX), out)

    def _query_picture(self) -> np.ndarray:
        from apps.sheets import fit, stick_figure
        from vunet.images import read_image
        from vunet.poses import is_pose_text, recognise_pose

        if is_pose_text(self.query):
            return stick_figure(
                recognise_pose(self.query, person=None, estimator=None).pose, _TILE_PX
            )
        return fit(read_image(self.query), _TILE_PX)


def _entry(match: Match) -> dict[str, object]:
    """A match as JSON tells it."""
    from pose.formats import dump_poses

    pose = None if match.pose is None else json_text.loads(dump_poses([match.pose]))
    return {
        "path": str(match.path),
        "score": match.score,
        "by": match.by,
        "box": list(match.box),
        "mirrored": match.mirrored,
        "pose": pose,
    }
