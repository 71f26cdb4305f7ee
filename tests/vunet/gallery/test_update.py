"""Bringing a gallery up to date: the same as making it anew, whatever happened in between."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.vunet.gallery.tiny import (
    StickFinder,
    TinyEmbedder,
    contents,
    fill,
    stamp,
    write_picture,
)
from vunet.gallery import store, update
from vunet.gallery.gallery import FOLDER, Gallery
from vunet.gallery.trouble import GalleryError
from vunet.gallery.update import Report


def opened(folder: Path, embedder: TinyEmbedder | None = None, **options: object) -> Gallery:
    return Gallery.open(
        folder,
        create=True,
        embedder=embedder or TinyEmbedder(),
        estimator=StickFinder(),
        **options,  # type: ignore[arg-type]
    )


def brought_up(folder: Path, embedder: TinyEmbedder | None = None) -> Report:
    with opened(folder, embedder) as gallery:
        return gallery.update()


def figures(report: Report) -> tuple[int, ...]:
    names = ("total", "added", "changed", "moved", "removed", "remade")
    return tuple(getattr(report, name) for name in names)


def assert_as_made_anew(folder: Path, tmp_path: Path) -> None:
    with opened(folder) as gallery:
        known = contents(gallery)
    with opened(folder, where=tmp_path / "anew") as fresh:
        fresh.update()
        assert contents(fresh) == known


def test_first_time_and_nothing_to_do(photos: Path):
    assert figures(brought_up(photos)) == (40, 40, 0, 0, 0, 0)
    embedder = TinyEmbedder()
    assert figures(brought_up(photos, embedder)) == (40, 0, 0, 0, 0, 0)
    assert embedder.calls == 0


def test_each_change_is_told_and_the_rest_left_alone(photos: Path, tmp_path: Path):
    brought_up(photos)
    write_picture(photos / "new.png", 100)
    write_picture(photos / "00.png", 101)  # changed
    (photos / "03.png").rename(photos / "elsewhere.png")
    (photos / "a" / "01.png").rename(photos / "a" / "b" / "moved deeper.png")
    (photos / "06.png").unlink()
    stamp(photos / "09.png")  # touched, no more
    embedder = TinyEmbedder()
    assert figures(brought_up(photos, embedder)) == (40, 1, 1, 2, 1, 0)
    assert embedder.seen == 2
    assert_as_made_anew(photos, tmp_path)


def test_moved_photos_keep_their_ids(photos: Path):
    brought_up(photos)
    with opened(photos) as gallery:
        before = gallery._store.files()["00.png"].id
        (photos / "00.png").rename(photos / "a" / "zero.png")
        gallery.update()
        assert gallery._store.files()["a/zero.png"].id == before
        assert "00.png" not in gallery._store.files()


def test_copies_are_not_looked_at_again(photos: Path, tmp_path: Path):
    brought_up(photos)
    shutil.copy(photos / "00.png", photos / "copy.png")
    embedder = TinyEmbedder()
    assert figures(brought_up(photos, embedder)) == (41, 1, 0, 0, 0, 0)
    assert embedder.seen == 0
    assert_as_made_anew(photos, tmp_path)


def test_photos_that_change_places(photos: Path, tmp_path: Path):
    brought_up(photos)
    (photos / "00.png").rename(tmp_path / "x")
    (photos / "03.png").rename(photos / "00.png")
    (tmp_path / "x").rename(photos / "03.png")
    (photos / "06.png").replace(photos / "09.png")  # over another
    report = brought_up(photos)
    assert report.total == 39
    assert_as_made_anew(photos, tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_any_changes_at_all(photos: Path, tmp_path: Path, seed: int):
    """Random edits between updates, some of them with other weights or without people."""
    rng = np.random.default_rng(seed)
    for step in range(6):
        files = sorted(p for p in photos.rglob("*.png") if FOLDER not in p.parts)
        for path in files:
            chance = rng.random()
            if chance < 0.05:
                path.unlink()
            elif chance < 0.1:
                write_picture(path, int(rng.integers(1000)))
            elif chance < 0.15:
                path.rename(photos / f"moved-{seed}-{step}-{path.name}")
            elif chance < 0.2:
                copy = photos / f"copy-{seed}-{step}-{path.name}"
                shutil.copy(path, copy)
                stamp(copy)
            elif chance < 0.25:
                path.write_bytes(path.read_bytes()[:40])
                stamp(path)
            elif chance < 0.3:
                path.replace(files[int(rng.integers(len(files)))])
        with opened(photos, TinyEmbedder(str(rng.integers(2)))) as gallery:
            gallery.update(poses=bool(rng.integers(2)))
    brought_up(photos)
    assert_as_made_anew(photos, tmp_path)


def test_other_weights_make_all_anew_and_keep_poses(make_people: Callable[..., Path]):
    folder = make_people("arms_up", "sitting")
    brought_up(folder)
    with opened(folder, TinyEmbedder("2")) as gallery:
        picture = folder / "sitting.png"
        with pytest.raises(GalleryError, match=r"other weights.*run `vunet index` again"):
            gallery.find(picture, by="photo")
        poses = {i for i in contents(gallery) if "pose" in i}
        assert gallery.update().remade == 2
        assert gallery.find(picture, by="photo")[0].path == picture
        assert {i for i in contents(gallery) if "pose" in i} == poses


def test_broken_off_and_taken_up_again(photos: Path, tmp_path: Path):
    """Ctrl-C in the second batch: the first is kept, the rest made the next time."""
    for i in range(100):
        write_picture(photos / f"more {i}.png", 1000 + i)

    class Stopped(TinyEmbedder):
        def photos(self, images, masks=None):
            if self.calls == 2:
                self.calls += 1
                raise KeyboardInterrupt
            return super().photos(images, masks)

    with opened(photos, Stopped()) as gallery:
        with pytest.raises(KeyboardInterrupt):
            gallery.update()
        assert len(gallery._store.files()) == 64
        assert len(gallery.find(photos / "00.png", 100, by="photo")) == 64
        (note,) = gallery.notes()
        assert note.startswith("only 64 of 140 photos are indexed yet")
    assert figures(brought_up(photos)) == (140, 76, 0, 0, 0, 0)
    with opened(photos) as gallery:
        assert gallery.notes() == ()
    assert_as_made_anew(photos, tmp_path)


def test_what_was_broken_off_may_end_with_photos_taken_away(photos: Path):
    brought_up(photos)
    for i in range(40):
        write_picture(photos / f"more {i}.png", 1000 + i)

    class Stopped(TinyEmbedder):
        def photos(self, images, masks=None):
            raise KeyboardInterrupt

    with opened(photos, Stopped()) as gallery:
        with pytest.raises(KeyboardInterrupt):
            gallery.update()
        assert gallery.notes()[0].startswith("only 40 of 80 photos")
    for path in photos.glob("more *.png"):
        path.unlink()
    assert figures(brought_up(photos)) == (40, 0, 0, 0, 0, 0)
    with opened(photos) as gallery:
        assert gallery.notes() == ()


def test_unreadable_photos_are_listed_every_time(photos: Path, tmp_path: Path):
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("not a picture")
    (photos / "half.png").write_bytes((photos / "00.png").read_bytes()[:60])
    (photos / "dot.png").write_bytes(b"")
    (photos / "tiny.png").write_bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1])
    (photos / "nowhere.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(photos / "pipe.jpg")
    (photos / "notes.txt").write_text("passed over")
    (photos / ".hidden.png").write_bytes((photos / "00.png").read_bytes())
    report = brought_up(photos)
    assert report.total == 40
    assert len(report.unreadable) == 6
    for name in ("empty.jpg", "text.jpg", "half.png", "dot.png", "tiny.png", "pipe.jpg"):
        assert sum(name in sentence for sentence in report.unreadable) == 1
    with opened(photos) as gallery:
        assert gallery.notes() == ()  # looked at, all of them
    again = brought_up(photos)
    assert sorted(again.unreadable) == sorted(report.unreadable)
    assert figures(again) == (40, 0, 0, 0, 0, 0)
    write_picture(photos / "half.png", 77)  # mended
    assert figures(brought_up(photos)) == (41, 0, 1, 0, 0, 0)
    (photos / "00.png").write_bytes(b"")  # spoilt
    spoilt = brought_up(photos)
    assert spoilt.total == 40
    assert len(spoilt.unreadable) == 6
    with opened(photos) as gallery:
        assert all(m.path.name != "00.png" for m in gallery.find(photos / "03.png", by="photo"))


@pytest.mark.skipif(os.geteuid() == 0, reason="an administrator may read everything")
def test_closed_folders_keep_their_photos(photos: Path):
    brought_up(photos)
    (photos / "a").chmod(0)
    try:
        report = brought_up(photos)
        assert report.removed == 0
        assert "may not be read" in report.unreadable[0]
    finally:
        (photos / "a").chmod(0o755)


def test_folders_of_none_and_one(tmp_path: Path):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert figures(brought_up(folder)) == (0, 0, 0, 0, 0, 0)
    with opened(folder) as gallery:
        assert gallery.find("arms_up") == []
        picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
        assert gallery.find(picture, by="photo") == []
        assert gallery.find(picture, by="drawing") == []
    write_picture(folder / "one.png", 1)
    assert figures(brought_up(folder)) == (1, 1, 0, 0, 0, 0)
    with opened(folder) as gallery:
        assert [m.path for m in gallery.find(folder / "one.png", by="photo")] == [
            folder / "one.png"
        ]


@pytest.mark.slow
def test_folder_of_five_thousand(tmp_path: Path):
    folder = tmp_path / "many"
    for i in range(5000):
        write_picture(folder / f"{i % 50}" / f"{i}.png", i, (16, 16))
    assert brought_up(folder).total == 5000
    with opened(folder) as gallery:
        assert gallery.update().added == 0
        found = gallery.find(folder / "7" / "4007.png", by="photo")
        assert folder / "7" / "4007.png" in [m.path for m in found]


def test_no_folder_is_said(tmp_path: Path):
    with pytest.raises(GalleryError, match="is no folder"):
        Gallery.open(tmp_path / "nothing", create=True)
    with pytest.raises(GalleryError, match="has no gallery; make one with `vunet index"):
        Gallery.open(tmp_path)
    assert not list(tmp_path.iterdir())


def test_gallery_elsewhere_leaves_the_photos_alone(photos: Path, tmp_path: Path):
    before = sorted(photos.rglob("*"))
    where = tmp_path / "gallery"
    with opened(photos, where=where) as gallery:
        gallery.update()
    assert sorted(photos.rglob("*")) == before
    with Gallery.open(where, embedder=TinyEmbedder()) as gallery:  # told by the gallery alone
        assert gallery.find(photos / "00.png", by="photo")[0].path == (photos / "00.png").resolve()
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(GalleryError, match=r"is the gallery of .*choose another place"):
        opened(other, where=where)
    photos.rename(tmp_path / "renamed")
    with opened(tmp_path / "renamed", where=where) as gallery:
        assert figures(gallery.update()) == (40, 0, 0, 0, 0, 0)


def test_folder_may_move_with_its_gallery(photos: Path, tmp_path: Path):
    brought_up(photos)
    photos.rename(tmp_path / "renamed")
    assert figures(brought_up(tmp_path / "renamed")) == (40, 0, 0, 0, 0, 0)


def test_second_writer_is_refused(photos: Path):
    brought_up(photos)
    with opened(photos) as one, opened(photos) as two, one._store.writing():
        with pytest.raises(GalleryError, match="by another process"):
            two.update()
        assert two.find(photos / "00.png", by="photo")


@pytest.mark.slow
def test_killed_fifty_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """SIGKILL at random moments: the gallery opens, and the next run completes it."""
    # `fill` sets these in this process, too: have them put back
    monkeypatch.setattr(update, "BATCH", update.BATCH)
    monkeypatch.setattr(update, "_RENEWED_EVERY", update._RENEWED_EVERY)
    monkeypatch.setattr(store, "EXACT_BELOW", store.EXACT_BELOW)
    folder, where = tmp_path / "photos", tmp_path / "gallery"
    for i in range(90):
        write_picture(folder / f"{i:03d}.png", i, (16, 16))
    process = multiprocessing.get_context("forkserver")
    process.set_forkserver_preload(["tests.vunet.gallery.tiny"])

    def started() -> multiprocessing.process.BaseProcess:
        child = process.Process(target=fill, args=(str(folder), str(where)))
        child.start()
        return child

    lasting = []
    for _ in range(3):
        shutil.rmtree(where, ignore_errors=True)
        start = time.perf_counter()
        child = started()
        child.join()
        lasting.append(time.perf_counter() - start)
        assert child.exitcode == 0
    with Gallery.open(where, embedder=TinyEmbedder()) as gallery:
        whole = contents(gallery)
    rng = np.random.default_rng(0)
    unfinished = 0
    for _ in range(50):
        shutil.rmtree(where)
        child = started()
        time.sleep(float(rng.uniform(0, min(lasting))))
        child.kill()  # SIGKILL; nothing where it has ended
        child.join()
        if (where / "gallery.sqlite").is_file() and (where / "gallery.sqlite").stat().st_size:
            with sqlite3.connect(where / "gallery.sqlite") as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            db.close()
        with Gallery.open(folder, where=where, create=True, embedder=TinyEmbedder()) as gallery:
            known = contents(gallery)
            assert known <= whole
            files = len(gallery._store.files())
            assert len(gallery.find(folder / "000.png", 200, by="photo")) == files
            unfinished += 0 < files < 90
            if files:  # killed before the first batch, it may not even have counted them
                assert gallery._store.progress == ((files, 90) if files < 90 else None)
        fill(str(folder), str(where))
        with Gallery.open(where, embedder=TinyEmbedder()) as gallery:
            assert contents(gallery) == whole
            assert gallery.notes() == ()
            assert len(gallery.find(folder / "000.png", 200, by="drawing")) == 90
            assert len(list(where.glob("*.usearch"))) == 2
            assert not list(where.glob(".*.part"))
    assert unfinished >= 5, "hardly any kill met the work"
