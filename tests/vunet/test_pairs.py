from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from vunet.holdout import hash_place, is_validation_avatar, is_validation_exercise
from vunet.pairs import (
    EXERCISES,
    KINDS,
    LIST_PATH,
    REJECTED_EXERCISES,
    RENDER_SETS,
    build,
    choose_rendered,
    kind_of,
    read_list,
    write_list,
)


def row(yaw=0.0, framing="full", lift_m=0.0):
    """An index row of a person who raises both arms by so much."""
    scale = 200.0
    points = np.zeros((27, 3))
    points[:, 0], points[:, 2] = 100.0, 2
    points[5:11, 1] = -scale * lift_m
    return {"yaw": yaw, "framing": framing, "scale": scale, "keypoints": points.tolist()}


@pytest.mark.parametrize(
    ("appearance", "pose", "kind"),
    [
        (row(0), row(180), ("turn", "front-back")),
        (row(-170), row(355), ("turn", "back-front")),
        (row(90), row(10), ("side", "side-front")),
        (row(0), row(-90), ("side", "front-side")),
        (row(0), row(10, lift_m=0.1), ("small", "any")),
        (row(170), row(-175), ("small", "any")),
        (row(0), row(10, lift_m=0.6), ("large", "any")),
        (row(170), row(-175, lift_m=0.6), None),
        (row(0), row(45), None),
        (row(0, "half"), row(20), ("framing", "cropped-full")),
        (row(0), row(-20, "three_quarter"), ("framing", "full-cropped")),
        (row(0), row(180, "half"), None),
        (row(0, "half"), row(0, "half"), None),
    ],
)
def test_kinds(appearance, pose, kind):
    assert kind_of(appearance, pose) == kind


def test_the_list_is_what_the_protocol_says():
    exercises, rendered = read_list()
    assert len(exercises) == len(set(exercises)) == EXERCISES
    assert all(map(is_validation_exercise, exercises))
    assert not set(exercises) & set(REJECTED_EXERCISES)
    assert exercises == sorted(exercises, key=hash_place)
    assert Counter(pair.kind for pair in rendered) == dict.fromkeys(KINDS[1:], 40)
    people = Counter((pair.set, pair.person) for pair in rendered)
    assert len(people) == 100
    assert set(people.values()) == {2}
    assert all(pair.appearance != pair.pose for pair in rendered)
    ways = Counter((pair.kind, pair.way) for pair in rendered if pair.way != "any")
    assert len(ways) == 6
    assert set(ways.values()) == {20}


def test_the_rendered_people_are_never_trained_on():
    for name in {pair.set for pair in read_list()[1]}:
        assert name == "makehuman" or is_validation_avatar(f"{name}_Casual")


def test_the_list_carries_the_commands_that_render_it():
    assert json.loads(LIST_PATH.read_text())["render_commands"] == list(RENDER_SETS.values())


def test_a_written_list_is_read_back(tmp_path):
    exercises, rendered = read_list()
    write_list(exercises, rendered, tmp_path / "list.json")
    assert read_list(tmp_path / "list.json") == (exercises, rendered)
    assert (tmp_path / "list.json").read_bytes() == LIST_PATH.read_bytes()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"exercise": [], "rendered": [{"set": 1}]}'])
def test_a_file_that_is_no_list_is_refused(tmp_path, text):
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(ValueError, match="not a list of validation pairs"):
        read_list(path)


def test_missing_renders_name_the_command(tmp_path):
    rendered = [replace(read_list()[1][0])]
    write_list([], rendered, tmp_path / "list.json")
    with pytest.raises(ValueError, match="make it with: python -m render_people"):
        build(tmp_path, tmp_path / "renders", tmp_path / "out", tmp_path / "list.json")
    with pytest.raises(ValueError, match="make it with: python -m render_people"):
        choose_rendered(tmp_path)


@pytest.mark.shared
def test_no_validation_photo_is_also_a_training_photo(shared: Path):
    folder = shared / "data" / "people" / "exercise"
    digests: dict[bool, set[str]] = {True: set(), False: set()}
    chosen = set(read_list()[0])
    for path in folder.glob("*/*.jpg"):
        if path.parent.name in chosen or not is_validation_exercise(path.parent.name):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            digests[path.parent.name in chosen].add(digest)
    assert len(digests[True]) == 2 * EXERCISES
    assert not digests[True] & digests[False]


@pytest.mark.shared
def test_the_folder_of_an_exercise(shared: Path, tmp_path):
    write_list(read_list()[0][:1], [], tmp_path / "list.json")
    folder = shared / "data" / "people" / "exercise"
    table = build(folder, tmp_path, tmp_path / "out", tmp_path / "list.json")
    lines = table.read_text().splitlines()
    assert lines[0] == "appearance,pose,kind,mask"
    assert len(lines) == 3
    for line in lines[1:]:
        appearance, pose, kind, mask = line.split(",")
        assert kind == "exercise"
        assert appearance != pose
        for name in (appearance, pose, mask):
            assert (table.parent / name).stat().st_size > 0
