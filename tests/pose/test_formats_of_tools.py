"""Files as other programs write them, each laid out here by a writer of its own.

The writers below know nothing of pose.formats: each sets down one program's layout, its order of
keys, its way with numbers, its paddings and its extra keys, round joints drawn by chance, and says
what a reader must find. What is written out is checked by readers of this file's own as well.

The layouts are those of real files, of which none is kept here. Checked outside this repository,
joint by joint, against a reading of the raw JSON that does without pose.formats:

- 59 files of people from 40 public repositories and one issue thread, 80 people, 1,357 joints:
  25 of OpenPose's BODY_25 (18 repositories), 17 of COCO_18 (11 and the thread: OpenPose 1.0 to
  1.3, its part candidates, ports and try-on programs), 8 of ControlNet, ComfyUI and their editors
  (3), 9 of COCO, AlphaPose, Halpe, COCO-WholeBody, TensorFlow.js and MediaPipe (9, one of them
  among the former).
- Before, 53 came through. Five were refused: 18 pairs without confidences; 24 keypoints, with feet;
  points with "visible"; Halpe's 26; COCO-WholeBody's 133. One was misread in silence: points with
  an index before x. Now all 59 come through, into and out of every format that can hold them;
  confidences above 1 as 1. Two give fractions without a size, which the check supplied.
- 10 files that are no pose in any known format (boxes, words, comments, joints by name, pixels by
  another name, hands alone) are refused with one sentence, before and now.

They were copied by hand from an index of public code. The bodies are as in the files; hands and
faces, which are passed over, are often cut short; 8 long files are cut to a few of their people or
frames. Halpe's 136, AlphaPose's other forms and pairs in 50 or 34 numbers are known from the
programs or their documents only, nulls in place of numbers from what browsers do to NaN.
"""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pytest

from pose.formats import PoseFileError, dump_poses, parse_poses, read_frames, read_poses

# -- joints and names, written down anew ----------------------------------------------------------


def _words(text: str) -> list[str]:
    return text.split()


_C17 = _words(
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle "
    "right_ankle"
)
_O18 = _words(
    "nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist "
    "right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye "
    "right_ear left_ear"
)
_FEET = _words(
    "left_foot_index left_small_toe left_heel right_foot_index right_small_toe right_heel"
)
_O25 = [*_O18[:8], "mid_hip", *_O18[8:], *_FEET]
_O24 = [*_O18, *_FEET]
_W23 = [*_C17, *_FEET]
_H26 = [
    *(*_C17, "top of the head", "neck", "mid_hip", "left_foot_index", "right_foot_index"),
    *("left_small_toe", "right_small_toe", "left_heel", "right_heel"),
]
_M33 = _words(
    "nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer "
    "left_ear right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow "
    "right_elbow left_wrist right_wrist left_pinky right_pinky left_index right_index "
    "left_thumb right_thumb left_hip right_hip left_knee right_knee left_ankle right_ankle "
    "left_heel right_heel left_foot_index right_foot_index"
)

Triple = tuple[float, float, float]
Joints = dict[str, Triple]
Size = tuple[int, int] | None

ZERO = (0.0, 0.0, 0.0)
LEGS = [name for name in _O25 if any(part in name for part in ("knee", "ankle", "foot", "toe"))]


def _draw(
    seed: int,
    names: list[str],
    form: str,
    scale: tuple[float, float] = (640.0, 480.0),
    missing: Iterable[str] = (),
    confidence: Callable[[np.random.Generator], float] = lambda rng: rng.uniform(0.05, 0.99),
) -> list[Triple]:
    """A triple for each name, as its program prints the numbers; zeros for the missing."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in names:
        x, y = rng.uniform(0.1, 0.9, 2) * scale
        row = tuple(float(format(value, form)) for value in (x, y, confidence(rng)))
        rows.append(ZERO if name in missing else row)
    return rows


def _flat(rows: Iterable[Iterable[float]]) -> list[float]:
    return [value for row in rows for value in row]


def _one(_: np.random.Generator) -> float:
    return 1.0


def _found(
    names: list[str], rows: Iterable[Iterable[float]], unit: tuple[float, float] = (1.0, 1.0)
) -> Joints:
    """What a reader must find: joints of a confidence, which counts as 1 at most."""
    joints = {}
    for name, (x, y, c) in zip(names, rows, strict=False):
        if c > 0 and name != "top of the head":
            joints[name] = (x * unit[0], y * unit[1], min(c, 1.0))
    return joints


def _with_middles(joints: Joints) -> Joints:
    """With a neck and a middle of the hips where they are not given, as BODY_25 has them."""
    for name, part in (("neck", "shoulder"), ("mid_hip", "hip")):
        ends = [joints.get(f"{side}_{part}") for side in ("left", "right")]
        if name not in joints and None not in ends:
            (x0, y0, c0), (x1, y1, c1) = ends
            joints[name] = ((x0 + x1) / 2, (y0 + y1) / 2, min(c0, c1))
    return joints


@dataclass
class Case:
    text: str | bytes
    frames: list[list[Joints]]
    """The people of each frame, without those that have no joint."""
    size: Size = None
    sizes: list[Size] | None = None
    """The pictures' sizes, person by person, where they are not all the same."""
    given: Size = None
    """What the reader is told of the picture."""


# -- OpenPose -------------------------------------------------------------------------------------


def _g(rows: Iterable[Iterable[float]]) -> str:
    """Numbers as C++ streams print them: six digits, no needless point."""
    return ",".join(format(value, ".6g") for row in rows for value in row)


_NO_3D = (
    '"pose_keypoints_3d":[],"face_keypoints_3d":[],'
    '"hand_left_keypoints_3d":[],"hand_right_keypoints_3d":[]'
)


def _openpose(
    *people: list[Triple],
    version: str = "1.3",
    face: str = "",
    hands: tuple[str, str] = ("", ""),
    three: str = _NO_3D,
    end: str = "",
) -> str:
    """The demo's writer: one line, no spaces, keys in its order; a person's number since 1.3."""
    number = '"person_id":[-1],' if version == "1.3" else ""
    texts = [
        f'{{{number}"pose_keypoints_2d":[{_g(rows)}],"face_keypoints_2d":[{face}],'
        f'"hand_left_keypoints_2d":[{hands[0]}],"hand_right_keypoints_2d":[{hands[1]}],{three}}}'
        for rows in people
    ]
    return f'{{"version":{version},"people":[{",".join(texts)}]{end}}}'


def _body25(seed: int, **more) -> list[Triple]:
    return _draw(seed, _O25, ".6g", **more)


def _body18(seed: int, **more) -> list[Triple]:
    return _draw(seed, _O18, ".6g", **more)


def openpose_body_only():
    rows = _body25(1)
    return Case(_openpose(rows), [[_found(_O25, rows)]])


def openpose_hands_and_face():
    rows = _body25(2, missing=["right_ear", "left_heel"])
    face = _g([(232.818, 186.549, 0.0566068), (244.227, 190.866, -7.6182e-05)] * 35)
    hand = _g([(469.896, 374.555, 0.500262), (441.99, 297.448, 1.00009), ZERO] * 7)
    return Case(_openpose(rows, face=face, hands=(hand, hand)), [[_found(_O25, rows)]])


def openpose_half_body_of_1_2():
    rows = _body25(3, missing=LEGS)
    return Case(_openpose(rows, version="1.2"), [[_found(_O25, rows)]])


def openpose_1_0_with_tabs():
    people = [_body18(seed, missing=["nose", "right_eye"]) for seed in (4, 5)]
    people[0][17] = (423.692, 169.29, 1.00587)
    body = ",\n".join(
        '\t\t{\n\t\t\t"pose_keypoints":[\n\t\t\t\t' + _g(rows) + "\n\t\t\t],\n"
        '\t\t\t"face_keypoints":[\n\t\t\t\t\n\t\t\t],\n'
        '\t\t\t"hand_left_keypoints":[\n\t\t\t\t\n\t\t\t],\n'
        '\t\t\t"hand_right_keypoints":[\n\t\t\t\t\n\t\t\t]\n\t\t}'
        for rows in people
    )
    text = f'{{\n\t"version":1.0,\n\t"people":[\n{body}\n\t]\n}}\n'
    return Case(text, [[_found(_O18, rows) for rows in people]])


def openpose_coco_model():
    rows = _body18(6, missing=["right_wrist", "left_ear"])
    return Case(_openpose(rows, version="1.2"), [[_found(_O18, rows)]])


def openpose_crowd_with_remnants():
    """People of whom three joints were found, or one ear that another person has too."""
    legs = {"left_hip", "left_knee", "left_ankle"}
    people = [
        _body18(7),
        _body18(8, missing=set(_O18) - legs),
        _body18(9, missing=set(_O18) - {"right_ear"}),
    ]
    return Case(_openpose(*people, version="1.2"), [[_found(_O18, rows) for rows in people]])


def openpose_nobody():
    return Case('{"version":1.3,"people":[]}', [[]])


def openpose_person_of_zeros():
    rows = _body25(10)
    return Case(_openpose([ZERO] * 25, rows, [ZERO] * 25), [[_found(_O25, rows)]])


def openpose_part_candidates():
    rows = _body18(11, missing=["right_knee", "left_knee"])
    parts = ",".join(f'"{i}":[{_g([row]) if row[2] else ""}]' for i, row in enumerate(rows))
    text = _openpose(rows, version="1.2", end=f',"part_candidates":[{{{parts}}}]')
    return Case(text, [[_found(_O18, rows)]])


def openpose_fractions():
    """--keypoint_scale 3; the file does not tell the size, its user does."""
    rows = _body25(12, scale=(1.0, 1.0), missing=["left_eye"])
    joints = _found(_O25, rows, (1280, 720))
    return Case(_openpose(rows), [[joints]], size=(720, 1280), given=(720, 1280))


def openpose_3d_beyond_all_bounds():
    rows = _body25(13)
    junk = "0,0,5.60519e-45,1.97252e-39,1.2132e+29,-7.62371e+32,0,5.39205e-07,2.32063e+08,0,0,1"
    three = _NO_3D.replace('"pose_keypoints_3d":[]', f'"pose_keypoints_3d":[{junk}]')
    return Case(_openpose(rows, three=three), [[_found(_O25, rows)]])


def openpose_indented_anew():
    rows = _body25(14)
    text = json.dumps(json.loads(_openpose(rows)), indent=4)
    return Case(text, [[_found(_O25, rows)]])


def openpose_from_windows():
    rows = _body25(15)
    text = _openpose(rows).replace('"people"', '\r\n    "people"') + "\r\n"
    return Case(b"\xef\xbb\xbf" + text.encode(), [[_found(_O25, rows)]])


def openpose_outside_the_picture():
    rows = _body25(16, scale=(2600.0, -1900.0))
    return Case(_openpose(rows), [[_found(_O25, rows)]])


def openpose_port_in_python():
    """A port that puts the empty arrays beside the people, and spaces after the commas."""
    rows = _draw(17, _O18, ".17g", missing=["left_knee"])
    extra = {key: [] for key in ("face_keypoints_2d", "hand_left_keypoints_2d")}
    flat = _flat(rows)
    text = json.dumps({"version": 1.2, "people": [{"pose_keypoints_2d": flat}], **extra})
    return Case(text, [[_found(_O18, rows)]])


def _pairs(seed: int, names: list[str], missing: Iterable[str] = ()) -> list[Triple]:
    """Whole pixels without confidences: (0, 0) is missing."""
    return _draw(seed, names, ".0f", missing=missing, confidence=_one)


def openpose_18_pairs():
    rows = _pairs(18, _O18, ["right_hip"])
    flat = [int(value) for x, y, _ in rows for value in (x, y)]
    return Case(json.dumps({"people": [{"pose_keypoints_2d": flat}]}), [[_found(_O18, rows)]])


def openpose_25_pairs():
    rows = _pairs(19, _O25, LEGS)
    flat = [value for x, y, _ in rows for value in (x, y)]
    return Case(json.dumps({"people": [{"pose_keypoints_2d": flat}]}), [[_found(_O25, rows)]])


def browser_with_nulls():
    """JSON.stringify makes null of NaN."""
    rows = _body18(20, missing=["left_wrist", "left_ear"])
    flat = [None if row == ZERO else value for row in rows for value in row]
    flat[2] = None  # a confidence alone
    rows[0] = (*rows[0][:2], 1.0)
    text = json.dumps({"people": [{"pose_keypoints_2d": flat}]}, separators=(",", ":"))
    return Case(text, [[_found(_O18, rows)]])


# -- ControlNet, ComfyUI, editors, try-on ---------------------------------------------------------

_HAND = [[412.5, 530.25, 1.0]] * 21


def _comfy(rows: list[Triple], hands: object = (), face: object = ()) -> dict[str, object]:
    return {
        "pose_keypoints_2d": _flat(rows),
        "face_keypoints_2d": face,
        "hand_left_keypoints_2d": hands,
        "hand_right_keypoints_2d": hands,
    }


def _full(seed: int, names: list[str] = _O18, **more) -> list[Triple]:
    return _draw(seed, names, ".17g", **{"confidence": _one, **more})


def webui_fractions():
    """sd-webui-controlnet: fractions, null for what was not looked for, the canvas at the end."""
    rows = _full(30, scale=(1.0, 1.0), missing=LEGS)
    hand = [0.75390625, 0.4609375, 1.0, -0.0013020833721384406, -0.001953125, 1.0] * 10
    person = {**_comfy(rows, hand), "face_keypoints_2d": None}
    text = json.dumps({"people": [person], "canvas_height": 512, "canvas_width": 768}, indent=4)
    return Case(text, [[_found(_O18, rows, (768, 512))]], size=(512, 768))


def webui_pixels():
    rows = _full(31, missing=["right_ear"])
    person = dict.fromkeys(_comfy(rows)) | {"pose_keypoints_2d": _flat(rows)}
    text = json.dumps({"people": [person], "canvas_height": 768, "canvas_width": 512})
    return Case(text, [[_found(_O18, rows)]], size=(768, 512))


def comfy_batch_with_animals():
    frames = [[_full(32), _full(33, missing=["neck"])], [_full(34)]]
    beast = [[5.0, 9.0, 1.0]] * 17
    text = json.dumps(
        [
            {
                "people": [_comfy(rows, _flat(_HAND), _flat(_HAND)) for rows in people],
                "animals": [beast],
                "canvas_height": 1024,
                "canvas_width": 576,
            }
            for people in frames
        ]
    )
    return Case(
        text, [[_found(_O18, rows) for rows in people] for people in frames], size=(1024, 576)
    )


def comfy_batch_with_nobody_in_between():
    rows = _full(35)
    empty = {"people": [], "animals": [], "canvas_height": 720, "canvas_width": 1280}
    text = json.dumps([empty, {**empty, "people": [_comfy(rows)]}, empty])
    return Case(text, [[], [_found(_O18, rows)], []], size=(720, 1280))


def comfy_only_animals():
    frame = {"people": [], "animals": [[[5.0, 9.0, 1.0]] * 17], "canvas_height": 9}
    return Case(json.dumps([{**frame, "canvas_width": 9}]), [[]])


def comfy_18_in_25_places():
    """An editor that fills 18 keypoints up with zeros, canvas first, two spaces deep."""
    rows = _full(36)
    person = _comfy([*rows, *[ZERO] * 7], _flat(_HAND))
    text = json.dumps([{"canvas_width": 720, "canvas_height": 1280, "people": [person]}], indent=2)
    return Case(text, [[_found(_O25, rows)]], size=(1280, 720))


def comfy_nested_triples():
    rows = _full(37, missing=["left_knee"])
    person = {
        "person_id": [-1],
        "pose_keypoints_2d": [list(row) for row in [*rows, *[ZERO] * 7]],
        "face_keypoints_2d": [],
        "hand_left_keypoints_2d": _HAND,
        "hand_right_keypoints_2d": [],
    }
    text = json.dumps(
        {"version": 1.3, "canvas_width": 720, "canvas_height": 1280, "people": [person]}, indent=4
    )
    return Case(text, [[_found(_O25, rows)]], size=(1280, 720))


def dwpose_with_feet():
    """24 keypoints: COCO_18 and then BODY_25's feet; a box of the face among the arrays."""
    frames = [
        [_draw(seed, _O24, ".17g", missing=gone)]
        for seed, gone in ((38, ["left_heel"]), (39, ["right_hip", "nose"]))
    ]
    text = json.dumps(
        [
            {
                "people": [
                    {
                        "pose_keypoints_2d": _flat(people[0]),
                        "face_keypoints_2d": [221.02892994880676, 163.4655385017395, 1.0198] * 68,
                        "face_box": [221.02892994880676, 151.33479225635529, 265.5, 190.96],
                        "hand_left_keypoints_2d": [],
                        "hand_right_keypoints_2d": [],
                    }
                ],
                "canvas_width": 480,
                "canvas_height": 720,
            }
            for people in frames
        ],
        separators=(",", ":"),
    )
    want = [[_with_middles(_found(_O24, rows)) for rows in people] for people in frames]
    return Case(text, want, size=(720, 480))


def comfy_hands_without_a_body():
    rows = _full(40)
    lone = {"pose_keypoints_2d": None, "hand_left_keypoints_2d": _flat(_HAND)}
    other = {"hand_right_keypoints_2d": _flat(_HAND)}
    text = json.dumps(
        {"people": [lone, _comfy(rows), other], "canvas_width": 512, "canvas_height": 512}
    )
    return Case(text, [[_found(_O18, rows)]], size=(512, 512))


def editor_minus_one_is_missing():
    """Whole numbers broken over lines; missing is -1, -1, 0; plain width and height."""
    people = [_pairs(41, _O18), _pairs(42, _O18)]
    people[0][10] = people[1][16] = (-1.0, -1.0, 0.0)
    texts = []
    for rows in people:
        numbers = [f"{value:.0f}" for row in rows for value in row]
        lines = ",\n\t".join(",".join(numbers[i : i + 11]) for i in range(0, 54, 11))
        texts.append('{\n\t"pose_keypoints_2d":\n\t[' + lines + "]\n\t}")
    text = '{\n  "people": [' + ",".join(texts) + '],\n  "width": 512,\n  "height": 512\n}'
    return Case(text, [[_found(_O18, rows) for rows in people]], size=(512, 512))


def editor_people_of_pairs():
    people = [_pairs(43, _O18), _pairs(44, _O18)]
    pairs = [[[x, y] for x, y, _ in rows] for rows in people]
    pairs[1][4] = [-1, -1]
    people[1][4] = ZERO
    text = json.dumps({"width": 640, "height": 640, "keypoints": [*pairs, []]})
    return Case(text, [[_found(_O18, rows) for rows in people]], size=(640, 640))


def editor_visible_or_not():
    rows = _draw(45, _O18, ".17g", scale=(1.0, 1.0), confidence=lambda rng: rng.integers(0, 2))
    rows[0] = (*rows[0][:2], 1.0)
    points = [{"x": x, "y": y, "visible": c > 0} for x, y, c in rows]
    text = json.dumps({"keypoints": [points], "width": 1344, "height": 768}, indent=2)
    return Case(text, [[_found(_O18, rows, (1344, 768))]], size=(768, 1344))


def tryon_pairs():
    rows = _pairs(46, _O18, ["right_knee", "left_knee"])
    pairs = [[x, y] if c else [0, 0] for x, y, c in rows]
    return Case(json.dumps({"pose_keypoints_2d": pairs}), [[_found(_O18, rows)]])


def numbers_alone_and_confidences_above_one():
    rows = [(x, y, c and 1.7 + c / 100) for x, y, c in _pairs(47, _O18, ["left_ankle"])]
    flat = [value if i % 3 == 2 else int(value) for i, value in enumerate(_flat(rows))]
    return Case(json.dumps(flat), [[_found(_O18, rows)]])


def numbers_alone_one_a_line():
    rows = _full(48)
    lines = ",\n".join(f"            {value!r}" for row in rows for value in (*row[:2], 1))
    return Case(f"[\n{lines}\n        ]", [[_found(_O18, rows)]])


def points_with_an_index():
    rows = _pairs(49, _O18)
    points = [[i, int(x), int(y)] for i, (x, y, _) in enumerate(rows)]
    return Case(json.dumps(points), [[_found(_O18, rows)]])


# -- COCO and its kin -----------------------------------------------------------------------------


def _flags(seed: int, names: list[str]) -> list[Triple]:
    rows = _draw(seed, names, ".0f", confidence=lambda rng: rng.integers(1, 3))
    rows[3] = ZERO
    return rows


def _seen_by_flag(rows: list[Triple]) -> list[Triple]:
    return [(x, y, c / 2) for x, y, c in rows]


def coco_data_set():
    """Two pictures; a crowd without keypoints, a person without any, and a whole body's arrays."""
    people = [_flags(60, _C17), _flags(61, _C17)]
    images = [
        {"license": 4, "file_name": "a.jpg", "height": 425, "width": 640, "id": 785},
        {"license": 3, "file_name": "b.jpg", "height": 333, "width": 500, "id": 40083},
    ]
    annotations = [
        {
            "segmentation": [[353.37, 67.65, 358.15, 52.37]],
            "num_keypoints": 16,
            "area": 27789.11055,
            "iscrowd": 0,
            "keypoints": list(map(int, _flat(rows))),
            "image_id": image["id"],
            "bbox": [280.79, 44.73, 218.7, 346.68],
            "category_id": 1,
            "id": 442619 + image["id"],
            "lefthand_kpts": [0.0] * 63,
            "face_kpts": [355.823, 75.36, 1.0] * 68,
        }
        for rows, image in zip(people, images, strict=True)
    ]
    annotations.insert(1, {"image_id": 785, "category_id": 1, "keypoints": [0] * 51, "id": 1})
    annotations.append({"image_id": 785, "category_id": 18, "bbox": [1, 2, 3, 4], "id": 2})
    text = json.dumps({"info": {}, "categories": [], "images": images, "annotations": annotations})
    return Case(
        text,
        [[_found(_C17, _seen_by_flag(rows))] for rows in people],
        sizes=[(425, 640), (333, 500)],
    )


def coco_whole_body_data_set():
    rows = _flags(62, _W23)
    face = [355.823, 75.36, 1.0] * 68
    keypoints = [
        *(int(v) for row in rows for v in row),
        *face,
        *[0.0] * 63,
        *[304.1, 181.7, 1] * 21,
    ]
    text = json.dumps(
        {
            "images": [{"id": 785, "height": 425, "width": 640}],
            "annotations": [{"image_id": 785, "num_keypoints": 112, "keypoints": keypoints}],
        }
    )
    joints = _with_middles(_found(_W23, _seen_by_flag(rows)))
    return Case(text, [[joints]], size=(425, 640))


def coco_results():
    rows = [_draw(seed, _C17, ".17g") for seed in (63, 64)]
    text = json.dumps(
        [{"image_id": 1, "category_id": 1, "keypoints": _flat(row), "score": 0.9} for row in rows]
    )
    return Case(text, [[_found(_C17, row) for row in rows]])


def _alphapose(image: str, rows: list[Triple], rest: Iterable[Triple] = ()) -> dict[str, object]:
    return {
        "image_id": image,
        "category_id": 1,
        "keypoints": [float(np.float32(value)) for row in [*rows, *rest] for value in row],
        "score": 2.1898,
        "box": [4.3275, 71.14, 502.46, 568.86],
        "idx": [0.0],
    }


def _single(rows: list[Triple]) -> list[list[float]]:
    """As AlphaPose's tensors of single precision hold them."""
    return [[float(np.float32(value)) for value in row] for row in rows]


def alphapose_17():
    names = ["0.jpg", "0.jpg", "1.jpg"]
    people = [_draw(seed, _C17, ".9g") for seed in (65, 66, 67)]
    people[0][1] = (205.75, 344.9375, 1.0078125)
    text = json.dumps([_alphapose(*pair) for pair in zip(names, people, strict=True)])
    joints = [_found(_C17, _single(rows)) for rows in people]
    return Case(text, [joints[:2], joints[2:]])


def alphapose_halpe_26():
    rows = _draw(68, _H26, ".9g", missing=["left_heel"])
    text = json.dumps([_alphapose("0.jpg", rows)])
    return Case(text, [[_with_middles(_found(_H26, _single(rows)))]])


def alphapose_halpe_136():
    rows = _draw(69, _H26, ".9g", missing=["neck"])
    text = json.dumps([_alphapose("4.png", rows, [(592.75, 188.5, 3.5e-05)] * 110)])
    return Case(text, [[_with_middles(_found(_H26, _single(rows)))]])


def alphapose_in_openpose_form():
    frames = {f"{i}.jpg": [_draw(70 + i, _O18, ".9g")] for i in range(3)}
    text = json.dumps(
        {
            image: {
                "version": "AlphaPose v0.3",
                "people": [{"pose_keypoints_2d": _flat(rows)} for rows in people],
            }
            for image, people in frames.items()
        }
    )
    return Case(text, [[_found(_O18, rows) for rows in people] for people in frames.values()])


def alphapose_in_cmu_form():
    rows = _draw(74, _O18, ".9g")
    bodies = [{"joints": _flat(rows)}]
    text = json.dumps({"a.jpg": {"version": "AlphaPose v0.3", "bodies": bodies}})
    return Case(text, [[_found(_O18, rows)]])


def alphapose_cmu_form_of_one_picture():
    rows = _draw(75, _O18, ".9g")
    text = json.dumps({"version": "AlphaPose v0.3", "bodies": [{"joints": _flat(rows)}]})
    return Case(text, [[_found(_O18, rows)]])


def poseflow_by_picture():
    frames = {f"clip/{i:08}.jpg": [_draw(76 + i, _C17, ".17g")] for i in range(2)}
    text = json.dumps(
        {
            image: [{"score": 8.38, "keypoints": _flat(rows)} for rows in people]
            for image, people in frames.items()
        },
        indent=4,
    )
    return Case(text, [[_found(_C17, rows) for rows in people] for people in frames.values()])


def _mmpose(rows: list[Triple], rest: int = 0) -> dict[str, object]:
    return {
        "keypoints": [[x, y] for x, y, _ in rows] + [[140.5, 60.25]] * rest,
        "keypoint_scores": [c for *_, c in rows] + [1.0142040252685547] * rest,
        "bbox": [[58.47, 19.7, 249.07, 239.69]],
        "bbox_score": 0.8286795020103455,
    }


def mmpose_video():
    frames = [[_draw(80, _C17, ".9g"), _draw(81, _C17, ".9g")], [_draw(82, _C17, ".9g")]]
    text = json.dumps(
        [
            {"frame_id": i, "instances": [_mmpose(rows) for rows in people]}
            for i, people in enumerate(frames)
        ],
        indent=2,
    )
    return Case(text, [[_found(_C17, rows) for rows in people] for people in frames])


def mmpose_whole_body():
    rows = _draw(83, _W23, ".9g")
    text = json.dumps({"meta_info": {}, "instance_info": [{"instances": [_mmpose(rows, 110)]}]})
    return Case(text, [[_with_middles(_found(_W23, rows))]])


def pairs_and_kp_scores():
    rows = _draw(84, _C17, ".9g")
    text = json.dumps(
        [
            {
                "image_id": "0.jpg",
                "keypoints": [[x, y] for x, y, _ in rows],
                "kp_scores": [c for *_, c in rows],
            }
        ]
    )
    return Case(text, [[_found(_C17, rows)]])


def pairs_of_a_picture():
    rows = _draw(85, _C17, ".9g", confidence=_one)
    text = json.dumps({"image": "data/a.avif", "keypoints": [[x, y] for x, y, _ in rows]}, indent=2)
    return Case(text, [[_found(_C17, rows)]])


def pairs_in_34_numbers():
    rows = _pairs(86, _C17)
    text = json.dumps({"keypoints": [int(value) for row in rows for value in row[:2]]})
    return Case(text, [[_found(_C17, rows)]])


def people_with_keypoints():
    rows = _draw(87, _C17, ".9g")
    text = json.dumps({"people": [{"id": 3, "keypoints": [list(row) for row in rows]}]})
    return Case(text, [[_found(_C17, rows)]])


def tensorflow_js():
    rows = _draw(88, _C17, ".17g")
    points = [
        {"y": y, "x": x, "score": c, "name": name}
        for name, (x, y, c) in zip(_C17, rows, strict=True)
    ]
    text = json.dumps({"keypoints": points, "score": 0.7815457266919753}, indent=2)
    return Case(text, [[_found(_C17, rows)]])


# -- MediaPipe ------------------------------------------------------------------------------------


def mediapipe_video():
    frames = [_draw(seed, _M33, ".17g", scale=(1.0, 1.0)) for seed in (90, 91)]
    text = json.dumps(
        [
            {
                "frame": i,
                "landmarks": [{"x": x, "y": y, "z": -0.2, "visibility": c} for x, y, c in rows],
            }
            for i, rows in enumerate(frames, start=1)
        ]
    )
    want = [[_found(_M33, rows, (1280, 720))] for rows in frames]
    return Case(text, want, size=(720, 1280), given=(720, 1280))


def mediapipe_points_with_an_index():
    """[id, x, y], as tutorials have it."""
    rows = _pairs(92, _M33)
    points = [[i, int(x), int(y)] for i, (x, y, _) in enumerate(rows)]
    return Case(json.dumps(points), [[_found(_M33, rows)]])


CASES = [
    *(openpose_body_only, openpose_hands_and_face, openpose_half_body_of_1_2),
    *(openpose_1_0_with_tabs, openpose_coco_model, openpose_crowd_with_remnants, openpose_nobody),
    *(openpose_person_of_zeros, openpose_part_candidates, openpose_fractions),
    *(openpose_3d_beyond_all_bounds, openpose_indented_anew, openpose_from_windows),
    *(openpose_outside_the_picture, openpose_port_in_python, openpose_18_pairs),
    *(openpose_25_pairs, browser_with_nulls, webui_fractions, webui_pixels),
    *(comfy_batch_with_animals, comfy_batch_with_nobody_in_between, comfy_only_animals),
    *(comfy_18_in_25_places, comfy_nested_triples, dwpose_with_feet, comfy_hands_without_a_body),
    *(editor_minus_one_is_missing, editor_people_of_pairs, editor_visible_or_not, tryon_pairs),
    *(numbers_alone_and_confidences_above_one, numbers_alone_one_a_line, points_with_an_index),
    *(coco_data_set, coco_whole_body_data_set, coco_results, alphapose_17, alphapose_halpe_26),
    *(alphapose_halpe_136, alphapose_in_openpose_form, alphapose_in_cmu_form),
    *(alphapose_cmu_form_of_one_picture, poseflow_by_picture, mmpose_video, mmpose_whole_body),
    *(pairs_and_kp_scores, pairs_of_a_picture, pairs_in_34_numbers, people_with_keypoints),
    *(tensorflow_js, mediapipe_video, mediapipe_points_with_an_index),
]


# -- reading them ---------------------------------------------------------------------------------


def _joints(pose) -> Joints:
    return {
        name: (*map(float, pose.keypoints[i]), float(pose.confidence[i]))
        for i, name in enumerate(pose.skeleton.keypoints)
        if pose.confidence[i] > 0
    }


def _assert_same(found: Joints, want: Joints, tolerance: float = 0.0):
    assert set(found) == set(want)
    for name, triple in want.items():
        assert all(
            math.isclose(a, b, rel_tol=0, abs_tol=tolerance)
            for a, b in zip(found[name], triple, strict=True)
        ), (name, found[name], triple)


@pytest.fixture(params=CASES, ids=lambda write: write.__name__)
def case(request):
    return request.param()


@pytest.fixture
def poses(case, tmp_path):
    path = tmp_path / "of another program.json"
    path.write_bytes(case.text if isinstance(case.text, bytes) else case.text.encode())
    if case.given is None:
        frames = read_frames(path)
        assert [len(frame) for frame in frames] == [len(frame) for frame in case.frames]
        assert [pose for frame in frames for pose in frame] == read_poses(path)
    return read_poses(path, case.given)


def test_no_joint_is_lost_moved_or_invented(case, poses):
    want = [joints for frame in case.frames for joints in frame]
    assert [pose.size for pose in poses] == (case.sizes or [case.size] * len(want))
    for pose, joints in zip(poses, want, strict=True):
        _assert_same(_joints(pose), joints, tolerance=1e-9)


def test_they_go_out_and_come_back(poses):
    assert parse_poses(dump_poses(poses, "native")) == poses
    own = {"openpose18": "openpose", "openpose25": "openpose", "coco17": "coco"}
    for format in ("openpose", "coco", "mediapipe"):
        if format == "mediapipe" and any(pose.size is None for pose in poses):
            continue
        back = parse_poses(dump_poses(poses, format))
        for pose, again in zip(poses, back, strict=True):
            if own.get(pose.skeleton.name) == format:
                assert again == pose
            shared = set(again.skeleton.keypoints)
            joints = {name: triple for name, triple in _joints(pose).items() if name in shared}
            found = {name: triple for name, triple in _joints(again).items() if name in joints}
            _assert_same(found, joints, tolerance=1e-9)


def test_what_goes_out_is_read_by_another_reader(poses):
    """OpenPose's and COCO's exports, taken apart without pose.formats."""
    document = json.loads(dump_poses(poses, "openpose"))
    frames = document if isinstance(document, list) else [document]
    people = [(person, frame) for frame in frames for person in frame["people"]]
    for pose, (person, frame) in zip(poses, people, strict=True):
        numbers = person["pose_keypoints_2d"]
        names = {54: _O18, 75: _O25}[len(numbers)]
        joints = _found(names, zip(*[iter(numbers)] * 3, strict=True))
        size = (frame.get("canvas_height"), frame.get("canvas_width"))
        assert size == (pose.size or (None, None))
        if pose.skeleton.name.startswith("openpose"):
            _assert_same(joints, _joints(pose))
    document = json.loads(dump_poses(poses, "coco"))
    for pose, annotation in zip(poses, document["annotations"], strict=True):
        rows = list(zip(*[iter(annotation["keypoints"])] * 3, strict=True))
        flags = all(c in (0, 1, 2) for *_, c in rows)
        joints = _found(_C17, [(x, y, c / 2 if flags else c) for x, y, c in rows])
        _assert_same(joints, {n: t for n, t in _joints(pose).items() if n in _C17})


def test_there_are_forty_files_at_least():
    texts = {str(write().text) for write in CASES}
    assert len(texts) == len(CASES) >= 40


# -- what is not a pose ---------------------------------------------------------------------------

NOT_POSES = {
    "words": "This is not a pose.",
    "comments": '{"keypoints": [  # one per frame\n {"0": [[1.5, 2.5, 0.9], ...]} ]}',
    "boxes of a detector": '[{"category_id": 1, "bbox": [1, 2, 3, 4], "image_id": 7}]',
    "a schema": '{"people": [{"pose_keypoints_2d": "[x1,y1,c1,...]"}]}',
    "joints by name": '{"frame_0": {"person_0": {"Nose": {"x": 0.49, "y": 0.3, "z": 0.5}}}}',
    "joints with colours": '{"joints": [[241, 77, [255, 0, 0]]], "bones": [[1, 2, [153, 0, 0]]]}',
    "labels in the points": json.dumps([[i, "어깨", 250, 122] for i in range(18)]),
    "pixels by another name": '[{"id": 0, "x_pixel": 253, "y_pixel": 75, "visibility": 0.99}]',
    "hands alone": '{"left_hand": [[72.0, 138.7, 1]] , "right_hand": [], "face": []}',
    "empty lists by name": '{"left_hand": [], "face": []}',
    "sixteen joints by picture": json.dumps({"1.jpg": [{"keypoints": [9.5, 9.5, 1] * 16}]}),
    "half a point": json.dumps({"people": [{"pose_keypoints_2d": [None, 5.0, 0.5] * 18}]}),
    "true for a score": json.dumps([{"x": 9, "y": 9, "score": True}] * 17),
    "bodies is a number": '{"bodies": 7}',
    "a body is a text": '{"bodies": ["joints"]}',
    "joints is an object": '{"bodies": [{"joints": {"0": 1}}]}',
    "a number of points none has": json.dumps({"keypoints": [[[1, 2]] * 19]}),
    "text by halpe": json.dumps([{"keypoints": ["9"] * 78}]),
}


@pytest.mark.parametrize("kind", NOT_POSES, ids=str)
def test_what_is_not_a_pose_is_refused_with_a_sentence(kind):
    with pytest.raises(PoseFileError) as error:
        parse_poses(NOT_POSES[kind], "a.json")
    message = str(error.value)
    assert message.startswith("a.json: ")
    assert "\n" not in message
    assert len(message) < 300
