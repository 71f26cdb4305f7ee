"""What is on disk: nearest vectors, renewed indexes, and what goes wrong with disks."""

from __future__ import annotations

import multiprocessing
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.vunet.gallery.tiny import MAKER, fill_until_full, hold, put, unit
from vunet.gallery import store as store_module
from vunet.gallery.database import DATABASE, LOCK
from vunet.gallery.records import FileRow
from vunet.gallery.store import Store
from vunet.gallery.trouble import GalleryError

FORK = multiprocessing.get_context("spawn")


def remove(store: Store, numbers: list[int]) -> None:
    known = store.files()
    with store.writing(), store.transaction():
        for number in numbers:
            store.remove(known[f"{number}.jpg"])


def renew(store: Store) -> None:
    with store.writing():
        store.renew_indexes()


def paths(store: Store, query: np.ndarray, k: int, kind: str = "look") -> list[str]:
    hits = store.search(kind, MAKER, query, k)
    items = store.items([item for item, _ in hits])
    return [items[item].path for item, _ in hits]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    kept = Store.create(tmp_path / "gallery")
    yield kept
    kept.close()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    """Indexes from more than 200 items on."""
    monkeypatch.setattr(store_module, "EXACT_BELOW", 200)
    return 200


@pytest.mark.parametrize("seed", range(5))
def test_every_item_is_its_own_nearest(store: Store, seed: int):
    vectors = unit(150, 16, seed)
    put(store, vectors)
    for number in range(0, 150, 7):
        assert paths(store, vectors[number], 1) == [f"{number}.jpg"]


def test_exact_search_is_that_of_numpy(store: Store):
    vectors, query = unit(300, 16, 1), unit(1, 16, 2)[0]
    put(store, vectors)
    order = np.argsort(-(vectors.astype(np.float16).astype(np.float32) @ query), kind="stable")
    assert paths(store, query, 25) == [f"{number}.jpg" for number in order[:25]]
    hits = store.search("look", MAKER, query, 25)
    np.testing.assert_allclose([s for _, s in hits], (vectors @ query)[order[:25]], atol=2e-3)


def test_kinds_and_makers_are_kept_apart(store: Store):
    vectors = unit(20, 8, 1)
    put(store, vectors[:10], kind="look")
    put(store, vectors[10:], first=10, kind="drawing")
    assert set(paths(store, vectors[15], 50)) == {f"{i}.jpg" for i in range(10)}
    assert store.search("look", "other:2", vectors[0], 5) == []


def test_index_finds_what_exact_search_finds(store: Store, few: int):
    vectors = unit(2000, 24, 3)
    put(store, vectors)
    exact = [set(paths(store, query, 10)) for query in unit(50, 24, 4)]
    renew(store)
    assert list(store.folder.glob("look-*.usearch"))
    found = [set(paths(store, query, 10)) for query in unit(50, 24, 4)]
    shared = sum(len(a & b) for a, b in zip(exact, found, strict=True))
    assert shared >= 0.95 * 500
    for number in range(2000):  # none is left out of the graph
        assert paths(store, vectors[number], 1) == [f"{number}.jpg"]


def test_index_is_right_beside_what_came_and_went(store: Store, few: int):
    vectors = unit(400, 12, 5)
    put(store, vectors[:300])
    renew(store)
    remove(store, [0, 1, 2, 3, 4])
    put(store, vectors[300:310], first=300)  # less than a tenth: no renewal
    before = list(store.folder.glob("*.usearch"))
    renew(store)
    assert list(store.folder.glob("*.usearch")) == before
    assert "0.jpg" not in paths(store, vectors[0], 299)
    assert paths(store, vectors[305], 1) == ["305.jpg"]
    assert len(set(paths(store, vectors[0], 1000))) == 305


def test_index_grows_by_what_came(store: Store, few: int):
    vectors = unit(500, 12, 6)
    put(store, vectors[:300])
    renew(store)
    remove(store, [7])
    put(store, vectors[300:], first=300)
    renew(store)
    assert [p.name for p in store.folder.glob("*.usearch")] == ["look-2.usearch"]
    assert len(set(paths(store, vectors[7], 1000))) == 499
    assert paths(store, vectors[450], 1) == ["450.jpg"]
    assert "7.jpg" not in paths(store, vectors[7], 5)


def test_index_is_made_anew_where_much_went(store: Store, few: int):
    vectors = unit(600, 12, 7)
    put(store, vectors)
    renew(store)
    remove(store, list(range(0, 600, 3)))
    renew(store)
    (row,) = store._index_rows().values()
    assert row.count == 400
    assert store._rows("SELECT COUNT(*) FROM removed") == [(0,)]
    assert len(set(paths(store, vectors[0], 1000))) == 400


def test_index_goes_where_few_are_left(store: Store, few: int):
    put(store, unit(300, 12, 8))
    renew(store)
    remove(store, list(range(150)))
    renew(store)
    assert not list(store.folder.glob("*.usearch"))
    assert len(paths(store, unit(1, 12, 9)[0], 1000)) == 150


@pytest.mark.parametrize("fault", ["gone", "cut short", "other"])
def test_lost_index_costs_speed_only(store: Store, few: int, fault: str):
    vectors = unit(300, 12, 10)
    put(store, vectors)
    renew(store)
    (path,) = store.folder.glob("*.usearch")
    store._nearest.clear()
    if fault == "gone":
        path.unlink()
    elif fault == "cut short":
        path.write_bytes(path.read_bytes()[:1000])
    else:
        path.write_bytes(b"x" * path.stat().st_size)
    assert paths(store, vectors[11], 1) == ["11.jpg"]
    assert len(paths(store, vectors[11], 1000)) == 300
    renew(store)
    put(store, unit(200, 12, 11), first=300)
    renew(store)
    assert len(set(paths(store, vectors[11], 1000))) == 500


def test_a_score_ranks_the_candidates(store: Store, few: int):
    """Ranked by the first number alone, through the index and beside it."""
    vectors = unit(400, 6, 12)
    put(store, vectors[:300])
    renew(store)
    put(store, vectors[300:310], first=300)
    hits = store.search("look", MAKER, vectors[0], 5, lambda v: v[:, 0], candidates=1000)
    best = np.sort(vectors[:310, 0])[::-1][:5]
    np.testing.assert_allclose([score for _, score in hits], best, atol=1e-3)


def test_ids_are_never_used_twice(store: Store):
    put(store, unit(5, 4, 1))
    ids = {item for item, _ in store.search("look", MAKER, unit(1, 4, 2)[0], 10)}
    remove(store, [3, 4])
    put(store, unit(2, 4, 3), first=3)
    again = {item for item, _ in store.search("look", MAKER, unit(1, 4, 2)[0], 10)}
    assert len(again - ids) == 2
    assert max(ids) < min(again - ids)


def test_a_failed_batch_leaves_nothing(store: Store):
    put(store, unit(3, 4, 1))
    bad = np.array([1, np.nan, 0, 0])
    with pytest.raises(ValueError, match="finite"):
        put(store, np.concatenate([unit(2, 4, 2), bad[None]]), first=3)
    assert set(store.files()) == {"0.jpg", "1.jpg", "2.jpg"}


def test_names_that_are_no_text_survive(store: Store):
    name = b"caf\xe9 \xff.jpg".decode("utf-8", "surrogateescape")
    with store.writing(), store.transaction():
        store.put(FileRow(name, 1, 1), [], frozenset())
    assert set(store.files()) == {name}


def test_two_writers_get_one_sentence(store: Store):
    ready = FORK.Event()
    other = FORK.Process(target=hold, args=(str(store.folder), ready))
    other.start()
    try:
        while not ready.wait(1):
            assert other.is_alive()
        with pytest.raises(GalleryError, match="by another process; wait"), store.writing():
            pass
        assert store.files() == {}  # reading goes on
    finally:
        other.kill()
        other.join()
    put(store, unit(1, 4, 1))  # the lock went with its process
    assert len(store.files()) == 1


def test_two_writers_in_one_process(store: Store):
    second = Store.open(store.folder)
    with store.writing(), pytest.raises(GalleryError, match="another"), second.writing():
        pass
    second.close()


def test_readers_see_whole_batches_while_another_writes(store: Store, few: int):
    """Batches of ten files with equal vectors: whoever reads sees all ten or none."""
    stop = threading.Event()
    counts, failures = set(), []

    def read() -> None:
        reader = Store.open(store.folder)
        while not stop.is_set():
            try:
                counts.add(len(reader.search("look", MAKER, unit(1, 8, 0)[0], 2000)))
            except (ValueError, OSError, RuntimeError, sqlite3.Error) as error:
                failures.append(error)
        reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    for batch in range(40):
        put(store, unit(10, 8, batch), first=10 * batch)
        renew(store)
        time.sleep(0.005)
    stop.set()
    thread.join()
    assert not failures
    assert len(counts) > 2
    assert all(count % 10 == 0 for count in counts)


@pytest.mark.parametrize("room", [150_000, 400_000, 1_000_000])
def test_full_disk_is_said_and_leaves_the_gallery_whole(store: Store, room: int):
    said = FORK.Queue()
    child = FORK.Process(target=fill_until_full, args=(str(store.folder), room, said))
    child.start()
    child.join()  # a sentence is short enough for the pipe
    assert child.exitcode == 0
    text = said.get()
    assert "disk is full; make room" in text
    assert "\n" not in text
    files = store.files()
    assert len(files) % 50 == 0
    assert len(paths(store, unit(1, 128, 0)[0], 100_000)) == len(files)
    put(store, unit(50, 128, 99), first=1_000_000)  # there is room again
    renew(store)
    assert len(store.files()) == len(files) + 50


def test_full_database_rolls_back(store: Store):
    put(store, unit(20, 64, 1))
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(GalleryError, match="disk is full"):
        put(store, unit(500, 64, 2), first=20)
    assert len(store.files()) == 20
    assert paths(store, unit(20, 64, 1)[5], 1) == ["5.jpg"]


def spoil(fault: str) -> Callable[[Path], object]:
    def other(path: Path) -> None:
        path.unlink()
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE birds (name)")

    def newer(path: Path) -> None:
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA user_version = 99")

    def hollow(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[4096:] = b"\xaa" * (len(content) - 4096)
        path.write_bytes(content)

    return {
        "text": lambda path: path.write_text("not a database at all " * 500),
        "hollow": hollow,
        "foreign": other,
        "newer": newer,
    }[fault]


@pytest.mark.parametrize("fault", ["text", "hollow", "foreign", "newer"])
def test_damaged_or_foreign_gallery_is_said(tmp_path: Path, fault: str):
    kept = Store.create(tmp_path / "gallery")
    put(kept, unit(100, 64, 1))
    kept.close()
    spoil(fault)(tmp_path / "gallery" / DATABASE)
    with pytest.raises(GalleryError, match="delete that folder and index again") as caught:
        Store.create(tmp_path / "gallery").files()
    assert "\n" not in str(caught.value)


def test_no_gallery_is_said(tmp_path: Path):
    with pytest.raises(GalleryError, match="holds no gallery; make one with `vunet index`"):
        Store.open(tmp_path)
    assert not list(tmp_path.iterdir())


def test_gallery_killed_at_its_birth_is_made_again(tmp_path: Path):
    (tmp_path / DATABASE).touch()
    (tmp_path / LOCK).touch()
    with pytest.raises(GalleryError, match="holds no gallery"):
        Store.open(tmp_path)
    Store.create(tmp_path).close()
    Store.open(tmp_path).close()


def test_a_file_in_the_gallerys_place_is_said(tmp_path: Path):
    (tmp_path / "gallery").write_text("")
    with pytest.raises(GalleryError, match="file in its place"):
        Store.create(tmp_path / "gallery")


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(GalleryError, match="holds other files; give an empty folder"):
        Store.create(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["diary.txt"]
