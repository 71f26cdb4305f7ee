import json
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose import BODY27, COCO17, MEDIAPIPE33, OPENPOSE18, OPENPOSE25, SKELETONS, VUNET15, Pose
from pose.convert import convert
from pose.formats import (
    MAX_FILE_BYTES,
    PoseFileError,
    dump_poses,
    parse_poses,
    read_poses,
    write_poses,
)

# -- round trips -----------------------------------------------------------------------------


def poses_of(*skeletons, sized=None):
    """Poses in pixels: some keypoints missing, coordinates of any precision, outside too."""
    size = st.tuples(st.integers(1, 5000), st.integers(1, 5000))
    if sized is None:
        size = st.none() | size

    @st.composite
    def build(draw):
        skeleton = draw(st.sampled_from(skeletons))
        count = len(skeleton)
        present = np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)))
        present[draw(st.integers(0, count - 1))] = True
        coordinates = st.floats(-3000, 9000, allow_nan=False)
        keypoints = np.array(
            draw(st.lists(st.tuples(coordinates, coordinates), min_size=count, max_size=count))
        )
        # One at least stands where no fraction of a picture does.
        keypoints[np.flatnonzero(present)[0]] = 1234.5678, 87.0
        level = st.sampled_from([0.5, 1.0]) | st.floats(1e-6, 1)
        confidence = np.array(draw(st.lists(level, min_size=count, max_size=count)))
        keypoints[~present], confidence[~present] = np.nan, 0
        return Pose(skeleton, keypoints, confidence, draw(size))

    return build()


@given(poses=st.lists(poses_of(*SKELETONS.values()), max_size=4))
@settings(max_examples=25, deadline=None)
def test_native_round_trip(poses):
    assert parse_poses(dump_poses(poses, "native")) == poses


@given(poses=st.lists(poses_of(OPENPOSE18, OPENPOSE25), max_size=4))
@settings(max_examples=25, deadline=None)
def test_openpose_round_trip(poses):
    assert parse_poses(dump_poses(poses, "openpose")) == poses


@given(poses=st.lists(poses_of(COCO17), max_size=4))
@settings(max_examples=25, deadline=None)
def test_coco_round_trip(poses):
    assert parse_poses(dump_poses(poses, "coco")) == poses


@given(poses=st.lists(poses_of(MEDIAPIPE33, sized=True), max_size=3))
@settings(max_examples=25, deadline=None)
def test_mediapipe_round_trip(poses):
    text = dump_poses(poses, "mediapipe")
    largest = [np.nanmax(np.abs(pose.keypoints) / pose.size[::-1]) for pose in poses]
    if any(value > 8 for value in largest):
        return  # such a person is far outside the picture
    back = parse_poses(text)
    assert [pose.size for pose in back] == [pose.size for pose in poses]
    for a, b in zip(back, poses, strict=True):
        np.testing.assert_allclose(a.keypoints, b.keypoints, atol=1e-9, rtol=1e-12)
        np.testing.assert_array_equal(a.confidence, b.confidence)


@pytest.mark.parametrize("format", ["native", "openpose", "coco", "mediapipe"])
@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=lambda s: s.name)
def test_every_skeleton_can_be_written_and_read(make_body, tmp_path, skeleton, format):
    poses = [convert(make_body(seed), skeleton) for seed in range(2)]
    path = tmp_path / "with space é.json"
    write_poses(poses, path, format)
    back = read_poses(path)
    assert len(back) == 2
    assert list(tmp_path.iterdir()) == [path]  # no scratch file stays
    for a, b in zip(back, poses, strict=True):
        assert a.size == b.size
        for name in set(a.skeleton.keypoints) & set(b.skeleton.keypoints):
            np.testing.assert_allclose(a.point(name), b.point(name), atol=1e-9)


def test_poses_of_several_pictures_keep_their_order_and_sizes(make_body):
    poses = [
        convert(make_body(i, size), OPENPOSE18)
        for i, size in enumerate([(300, 200), (300, 200), (100, 400), (300, 200)])
    ]
    frames = json.loads(dump_poses(poses, "openpose"))
    assert [len(frame["people"]) for frame in frames] == [2, 1, 1]
    assert parse_poses(frames) == poses


def test_openpose_frames_look_as_openpose_writes_them(make_body):
    frame = json.loads(dump_poses([make_body(0, (300, 200))], "openpose"))
    assert frame["canvas_width"] == 200
    assert frame["canvas_height"] == 300
    (person,) = frame["people"]
    assert len(person["pose_keypoints_2d"]) == 75
    assert (
        person["pose_keypoints_2d"][19 * 3 + 3 : 19 * 3 + 9]
        == [0.0] * 3 + person["pose_keypoints_2d"][21 * 3 : 22 * 3]
    )


def test_coco_flags_where_they_say_everything(make_body):
    body = convert(make_body(0), COCO17)
    flagged = Pose(COCO17, body.keypoints, np.resize([1.0, 0.5], 17), body.size)
    numbers = json.loads(dump_poses([flagged], "coco"))["annotations"][0]["keypoints"]
    assert numbers[2::3] == [2, 1] * 8 + [2]
    assert parse_poses(numbers)[0].confidence.tolist() == flagged.confidence.tolist()


# -- real shapes -----------------------------------------------------------------------------

# BODY_25 of one person, as OpenPose 1.7 wrote it (ZhUyU1997/open-pose-editor issue 7).
BODY25 = [
    *(234.028, 161.096, 0.922049, 246.797, 231.876, 0.901235, 195.372, 234.102, 0.815872),
    *(180.451, 317.677, 0.872398, 137.595, 251.208, 0.827864, 298.248, 229.733, 0.830941),
    *(328.31, 330.382, 0.808948, 356.12, 420.411, 0.8298, 272.587, 386.108, 0.738619),
    *(236.226, 388.275, 0.721351, 283.279, 469.769, 0.87084, 330.459, 638.909, 0.695762),
    *(306.841, 383.972, 0.707339, 317.494, 503.98, 0.857297, 349.64, 643.31, 0.579944),
    *(223.345, 146.159, 0.903122, 248.942, 144.124, 0.958439, 210.416, 156.873, 0.555018),
    *(266.21, 148.321, 0.854199, 341.142, 679.644, 0.366389, 356.153, 675.415, 0.379635),
    *(347.608, 658.278, 0.321706, 341.142, 675.401, 0.469009, 328.304, 677.459, 0.465309),
    *(332.602, 645.387, 0.357704),
]
PEOPLE18 = np.reshape(BODY25, (25, 3))[[*range(8), *range(9, 19)]].ravel().tolist()
NO_LEGS = [0.0 if 9 * 3 <= i < 15 * 3 else value for i, value in enumerate(BODY25)]
FRACTIONS18 = [v / (512.0, 768.0, 1.0)[i % 3] if i % 3 < 2 else 1.0 for i, v in enumerate(PEOPLE18)]
COCO_ROW = np.reshape(BODY25, (25, 3))[
    [0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11]
].tolist()
COCO_FLAGS = [n for x, y, _ in COCO_ROW for n in (round(x), round(y), 2)]
COCO_SCORES = [n for row in COCO_ROW for n in row]
FRACTIONS33 = [
    {"x": 0.3 + 0.01 * i, "y": 0.1 + 0.025 * i, "z": -0.2, "visibility": 0.99} for i in range(33)
]
CANVAS = {"canvas_width": 512, "canvas_height": 768}
EXTRAS = {
    "face_keypoints_2d": [335.5, 105.6, 0.7] * 70,
    "hand_left_keypoints_2d": [356.4, 423.9, 0.3] * 21,
    "hand_right_keypoints_2d": [],
    "pose_keypoints_3d": [],
}


def _frame(*people, **more):
    return {"version": 1.3, "people": [{"pose_keypoints_2d": p, **EXTRAS} for p in people], **more}


def _named(rows):
    return [
        {"x": x, "y": y, "score": c, "name": n}
        for (x, y, c), n in zip(rows, COCO17.keypoints, strict=True)
    ]


READS = {
    # OpenPose
    "openpose 1.7 body25": (_frame(BODY25), OPENPOSE25, 1),
    "openpose with person_id and empty 3d": (
        {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": BODY25}]},
        *(OPENPOSE25, 1),
    ),
    "openpose coco model": (_frame(PEOPLE18), OPENPOSE18, 1),
    "openpose 1.0 key without _2d": (
        {"version": 1.0, "people": [{"pose_keypoints": PEOPLE18, "face_keypoints": []}]},
        *(OPENPOSE18, 1),
    ),
    "openpose two people": (_frame(BODY25, NO_LEGS), OPENPOSE25, 2),
    "openpose nobody": ({"version": 1.3, "people": []}, None, 0),
    "openpose half body": (_frame(NO_LEGS), OPENPOSE25, 1),
    "openpose all zeros": (_frame([0] * 75), None, 0),
    "openpose integers": (_frame([round(v) or 1 for v in BODY25]), OPENPOSE25, 1),
    # ControlNet and Comfy
    "controlnet pixels with canvas": (_frame(PEOPLE18, **CANVAS), OPENPOSE18, 1),
    "controlnet fractions with canvas": (_frame(FRACTIONS18, **CANVAS), OPENPOSE18, 1),
    "controlnet hands and face null": (
        {
            "people": [
                {
                    "pose_keypoints_2d": PEOPLE18,
                    "face_keypoints_2d": None,
                    "hand_left_keypoints_2d": None,
                    "hand_right_keypoints_2d": None,
                }
            ],
            "animals": [],
            **CANVAS,
        },
        *(OPENPOSE18, 1),
    ),
    "comfy batch of frames": ([_frame(PEOPLE18, **CANVAS)] * 3, OPENPOSE18, 3),
    "comfy batch with an empty frame": (
        [_frame(**CANVAS), _frame(FRACTIONS18, **CANVAS)],
        *(OPENPOSE18, 1),
    ),
    "comfy person without a body": (
        {"people": [{"pose_keypoints_2d": None}, {"pose_keypoints_2d": PEOPLE18}], **CANVAS},
        *(OPENPOSE18, 1),
    ),
    "editor pairs": (
        {"width": 512, "height": 768, "keypoints": [PEOPLE18[i : i + 2] for i in range(0, 54, 3)]},
        *(OPENPOSE18, 1),
    ),
    "editor people of pairs, (-1, -1) hidden": (
        {"width": 512, "height": 768, "keypoints": [[[5.0, 9.0]] * 17 + [[-1, -1]]] * 2},
        *(OPENPOSE18, 2),
    ),
    "numbers alone": (PEOPLE18, OPENPOSE18, 1),
    # COCO
    "coco data set": (
        {
            "info": {},
            "images": [{"id": 397133, "width": 640, "height": 700, "file_name": "a.jpg"}],
            "annotations": [
                {
                    "image_id": 397133,
                    "category_id": 1,
                    "keypoints": COCO_FLAGS,
                    "num_keypoints": 17,
                },
                {"image_id": 397133, "category_id": 1, "keypoints": [0] * 51, "num_keypoints": 0},
                {"image_id": 397133, "category_id": 18, "bbox": [1, 2, 3, 4]},
            ],
            "categories": [],
        },
        *(COCO17, 1),
    ),
    "coco annotation": ({"image_id": 1, "keypoints": COCO_FLAGS, "bbox": [0] * 4}, COCO17, 1),
    "coco results list": (
        [{"image_id": 1, "category_id": 1, "keypoints": COCO_SCORES, "score": 2.7}] * 2,
        *(COCO17, 2),
    ),
    "alphapose scores above one": (
        [{"image_id": "1.jpg", "keypoints": [1.3 * v for v in COCO_SCORES], "score": 3.1}],
        *(COCO17, 1),
    ),
    "51 numbers": (COCO_FLAGS, COCO17, 1),
    "17 triples": (COCO_ROW, COCO17, 1),
    "coco wholebody": (
        {"keypoints": COCO_FLAGS, "foot_kpts": [0] * 18, "lefthand_kpts": [0] * 63},
        *(COCO17, 1),
    ),
    "mmpose instances": (
        {
            "meta_info": {"dataset_name": "coco"},
            "instance_info": [
                {
                    "frame_id": 1,
                    "instances": [
                        {
                            "keypoints": [row[:2] for row in COCO_ROW],
                            "keypoint_scores": [row[2] for row in COCO_ROW],
                            "bbox": [[1, 2, 3, 4]],
                        }
                    ],
                }
            ],
        },
        *(COCO17, 1),
    ),
    "tensorflow.js": ([{"score": 0.9, "keypoints": _named(COCO_ROW)}], COCO17, 1),
    # MediaPipe
    "mediapipe with size": (
        {"image_width": 640, "image_height": 480, "landmarks": FRACTIONS33},
        *(MEDIAPIPE33, 1),
    ),
    "mediapipe tasks": (
        {"width": 640, "height": 480, "pose_landmarks": [FRACTIONS33] * 2, "segmentation": None},
        *(MEDIAPIPE33, 2),
    ),
    "mediapipe protobuf as a dict": (
        {"width": 640, "height": 480, "pose_landmarks": {"landmark": FRACTIONS33}},
        *(MEDIAPIPE33, 1),
    ),
    "mediapipe in javascript": (
        {
            "image_width": 640,
            "image_height": 480,
            "poseLandmarks": FRACTIONS33,
            "poseWorldLandmarks": FRACTIONS33,
        },
        *(MEDIAPIPE33, 1),
    ),
    "mediapipe nobody": ({"pose_landmarks": None}, None, 0),
    "mediapipe nobody, tasks": ({"pose_landmarks": [], "pose_world_landmarks": []}, None, 0),
    "mediapipe pixels in capitals": (
        [{"X": 640 * p["x"], "Y": 480 * p["y"], "Z": 0, "Visibility": 7.2} for p in FRACTIONS33],
        *(MEDIAPIPE33, 1),
    ),
    "mediapipe quadruples": (
        {"width": 640, "height": 480, "landmarks": [list(p.values()) for p in FRACTIONS33]},
        *(MEDIAPIPE33, 1),
    ),
    "empty list": ([], None, 0),
}


@pytest.mark.parametrize("shape", READS, ids=str)
def test_real_shapes_read(shape):
    data, skeleton, count = READS[shape]
    poses = parse_poses(json.dumps(data), shape)
    assert len(poses) == count
    for pose in poses:
        assert pose.skeleton is skeleton
        assert pose.present.any()
        assert ((pose.confidence > 0) == pose.present).all()
        # Nothing of these pictures is as small as a fraction.
        assert np.nanmax(pose.keypoints) > 4


def test_there_are_enough_real_shapes():
    assert len(READS) >= 28


def test_values_of_some_real_shapes():
    (pose,) = parse_poses(READS["openpose half body"][0])
    np.testing.assert_array_equal(pose.point("neck"), [246.797, 231.876])
    assert np.isnan(pose.point("left_knee")).all()
    pixels, fractions = (
        parse_poses(READS[f"controlnet {kind} with canvas"][0])[0]
        for kind in ("pixels", "fractions")
    )
    assert pixels.size == fractions.size == (768, 512)
    np.testing.assert_allclose(fractions.keypoints, pixels.keypoints)
    (pose,) = parse_poses(READS["coco data set"][0])
    assert pose.size == (700, 640)
    assert (pose.confidence == 1).all()
    (pose, _) = parse_poses(READS["editor people of pairs, (-1, -1) hidden"][0])
    assert np.isnan(pose.point("left_ear")).all()
    (pose,) = parse_poses(READS["mediapipe with size"][0])
    np.testing.assert_allclose(pose.point("nose"), [0.3 * 640, 0.1 * 480])
    (pose,) = parse_poses(FRACTIONS33, size=(480, 640))
    np.testing.assert_allclose(pose.point("nose"), [0.3 * 640, 0.1 * 480])


REFUSED = {
    "fractions without a canvas": (_frame(FRACTIONS18), "canvas_width"),
    "mediapipe without a size": (FRACTIONS33, "image_width"),
    "world landmarks only": ({"pose_world_landmarks": [FRACTIONS33]}, "world landmarks"),
    "mpi model": (_frame([100.0, 200.0, 0.9] * 15), "54 or 75"),
    "body135": (_frame([100.0, 200.0, 0.9] * 135), "54 or 75"),
    "a number short": (_frame(PEOPLE18[:-1]), "54 or 75"),
    "hand points only": ([{"x": 9.0, "y": 9.0}] * 21, "21 keypoints"),
    "text for a number": (_frame([*PEOPLE18[:-1], "0.9"]), "text"),
    "booleans": (_frame([True] * 54), "true or false"),
    "null inside": (_frame([None, *PEOPLE18[1:]]), "null"),
    "a list inside": (_frame([*PEOPLE18[:-1], []]), "a list"),
    "huge numbers": (_frame([1e300, *PEOPLE18[1:]]), "beyond"),
    "huge integer": (_frame([10**400, *PEOPLE18[1:]]), "beyond"),
    "people is an object": ({"people": {}}, "people is not a list"),
    "a person is a number": ({"people": [3]}, "people"),
    "canvas is text": (_frame(PEOPLE18, canvas_width="512", canvas_height="768"), "whole numbers"),
    "canvas is 0": (_frame(PEOPLE18, canvas_width=0, canvas_height=768), "whole numbers"),
    "canvas is vast": (_frame(PEOPLE18, canvas_width=10**9, canvas_height=768), "whole numbers"),
    "another JSON": ({"name": "vunet", "version": "1.0"}, "no pose"),
    "a text": ("hello", "no pose"),
    "a number": (7, "no pose"),
    "null": (None, "no pose"),
    "texts": (["a", "b"], "no pose"),
    "points without y": ({"landmarks": [{"x": 1}] * 33}, "no pose"),
    "coco of 16": ([{"keypoints": [1, 2, 2] * 16}], "51"),
    "scores too few": ({"keypoints": [[1, 2]] * 17, "keypoint_scores": [1] * 3}, "keypoint_scores"),
    "nested lists": ([[[[[[[[[[1]]]]]]]]]], "nested"),
    "3d editor": ({"header": "Openpose Editor by ZhUyU1997", "data": {"bodies": []}}, "no pose"),
    "native of tomorrow": ({"format": "vunet-pose", "version": 2, "poses": []}, "version 2"),
    "native, unknown skeleton": (
        {"format": "vunet-pose", "version": 1, "poses": [{"skeleton": "spider"}]},
        "no known skeleton",
    ),
    "native, confidence without a place": (
        {
            "format": "vunet-pose",
            "version": 1,
            "poses": [{"skeleton": "coco17", "keypoints": [None] * 17, "confidence": [1] * 17}],
        },
        "confidence",
    ),
    "native, confidence of 2": (
        {
            "format": "vunet-pose",
            "version": 1,
            "poses": [{"skeleton": "coco17", "keypoints": [[1, 2]] * 17, "confidence": [2] * 17}],
        },
        "confidence",
    ),
    "native, wrong count": (
        {
            "format": "vunet-pose",
            "version": 1,
            "poses": [{"skeleton": "coco17", "keypoints": [[1, 2]] * 3, "confidence": [1] * 17}],
        },
        "17",
    ),
}


def _one_sentence(error, name):
    message = str(error.value)
    assert message.startswith(f"{name}: ")
    assert "\n" not in message
    assert len(message) < 300


@pytest.mark.parametrize("shape", REFUSED, ids=str)
def test_other_shapes_are_refused_with_a_sentence(shape):
    data, words = REFUSED[shape]
    with pytest.raises(PoseFileError, match=words) as error:
        parse_poses(json.dumps(data), shape)
    _one_sentence(error, shape)
    if data is not None:  # a frame of nothing in a list of frames is borne
        with pytest.raises(PoseFileError):
            parse_poses([data, data] if not isinstance(data, list) else data, shape)


BAD_FILES = {
    "empty": b"",
    "white space": b" \n\t ",
    "NaN": b'{"people": [{"pose_keypoints_2d": [NaN, 1, 1]}]}',
    "infinity": b'{"people": [{"pose_keypoints_2d": [Infinity, 1, 1]}]}',
    "overflow": json.dumps(_frame(PEOPLE18)).replace("234.028", "1e999").encode(),
    "10 MB of nested lists": b"[" * 10_000_000,
    "10 MB of nested lists, closed": b"[" * 5_000_000 + b"]" * 5_000_000,
    "nested objects": b'{"poses":' * 100_000 + b"1" + b"}" * 100_000,
    "900 lists": b"[" * 900 + b"]" * 900,
    "digits": b"[" + b"9" * 100_000 + b"]",
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "utf-16": '{"people": []}'.encode("utf-16"),
    "a picture": b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(range(256)),
    "cut off": json.dumps(_frame(PEOPLE18)).encode()[:-40],
    "prose": b"This is not a pose.",
    "two documents": b"{} {}",
    "a zero byte": b"\x00",
}


@pytest.mark.parametrize("kind", BAD_FILES, ids=str)
def test_hostile_files_are_refused_with_a_sentence(tmp_path, kind):
    path = tmp_path / "pose.json"
    path.write_bytes(BAD_FILES[kind])
    with pytest.raises(PoseFileError) as error:
        read_poses(path)
    _one_sentence(error, path)


def test_hostile_paths_are_refused_with_a_sentence(tmp_path):
    vast = tmp_path / "vast.json"
    with vast.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.json"
    loop.symlink_to(loop)
    long = tmp_path / ("x" * 400)
    below_a_file = vast / "pose.json"
    for path in (tmp_path, tmp_path / "none.json", vast, pipe, loop, long, below_a_file):
        with pytest.raises(PoseFileError) as error:
            read_poses(path)
        assert str(error.value).startswith(f"{path}: ")
    with pytest.raises(PoseFileError):
        read_poses("nul\0.json")


def test_byte_order_mark_is_borne(tmp_path):
    path = tmp_path / "pose.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(_frame(BODY25)).encode())
    assert len(read_poses(path)) == 1
    assert len(parse_poses("\ufeff" + json.dumps(_frame(BODY25)))) == 1


JSON_KEYS = (
    *("people", "pose_keypoints_2d", "keypoints", "annotations", "images", "id", "image_id"),
    *("landmarks", "x", "y", "pose_landmarks", "canvas_width", "canvas_height"),
    *("poses", "format", "version", "size", "bodies", "joints", "keypoint_scores", "visible"),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.just(PEOPLE18)
    | st.just(FRACTIONS33),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, min_size=17, max_size=18)
        | st.dictionaries(
            st.sampled_from(JSON_KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(value=json_values)
@settings(max_examples=250, deadline=None)
def test_any_json_reads_or_is_refused(value):
    try:
        poses = parse_poses(value, "x")
    except PoseFileError as error:
        assert str(error).startswith("x: ")  # noqa: PT017
    else:
        assert all(isinstance(pose, Pose) for pose in poses)


def test_patn_table(tmp_path):
    y, x = [10 * i for i in range(18)], [5 * i for i in range(18)]
    y[4] = x[4] = -1
    path = tmp_path / "fasion-resize-annotation.csv"
    path.write_text(f"name:keypoints_y:keypoints_x\na.jpg: {y}: {x}\nb.jpg: {y}: {x}\n")
    poses = read_poses(path)
    assert [pose.skeleton for pose in poses] == [OPENPOSE18] * 2
    np.testing.assert_array_equal(poses[0].point("neck"), [5, 10])
    assert np.isnan(poses[0].point("right_wrist")).all()
    for bad in ("a.jpg,1,2", "a.jpg: [1]: [2]", "a.jpg: x: y", "a: 5: 5"):
        path.write_text(bad)
        with pytest.raises(PoseFileError):
            read_poses(path)


def test_unwritable_places_are_said_and_nothing_is_left(tmp_path, make_body):
    poses = [make_body(0)]
    file = tmp_path / "file"
    file.write_text("kept")
    for path in (
        tmp_path,
        file / "pose.json",
        tmp_path / "none" / "pose.json",
        tmp_path / ("x" * 300),
    ):
        with pytest.raises(PoseFileError):
            write_poses(poses, path)
    assert list(tmp_path.iterdir()) == [file]
    assert file.read_text() == "kept"


def test_a_failed_write_keeps_the_old_file(tmp_path, make_body):
    path = tmp_path / "pose.json"
    write_poses([make_body(0)], path)
    before = path.read_bytes()
    unsized = Pose(BODY27, make_body(1).keypoints, np.ones(27))
    with pytest.raises(ValueError, match="size"):
        write_poses([unsized], path, "mediapipe")
    with pytest.raises(ValueError, match="choose from"):
        write_poses([unsized], path, "vrml")  # type: ignore[arg-type]
    assert path.read_bytes() == before


def test_written_json_is_strict(make_body):
    pose = convert(make_body(0), VUNET15)
    keypoints, confidence = pose.keypoints.copy(), pose.confidence.copy()
    keypoints[:5], confidence[:5] = np.nan, 0
    pose = Pose(VUNET15, keypoints, confidence, (10, 10))
    for format in ("native", "openpose", "coco", "mediapipe"):
        assert "NaN" not in dump_poses([pose], format)
    assert "null" in dump_poses([pose], "native")
