"""The pose editor: a skeleton over a photo that the visitor moves by hand, as a Gradio component.

Its value is plain JSON, or None while there is no pose:

    {
      "size": [height, width],                 of the picture, in pixels
      "joints": {"left_wrist": [x, y, c]},     BODY27's names; x, y in pixels, c in [0, 1]
      "hidden": ["left_wrist"],                joints that count as missing
      "photo": "gradio_api/file=...",          shown behind the figure, or None
      "version": 0                             0 where Python made it, then one more per edit
    }

While a joint is dragged the component triggers `input` about ten times a second, and once more
with the last state; `release` follows when the edit is complete, be it by pointer, key or button.
(`change` comes with every change, also those made from Python.) A value with version 0 that
Python sets is a new pose: the drawing follows and its history starts anew. A value with any other
version is the visitor's own come back, and leaves the figure alone.

The drawing and all of its behaviour are in `web/editor.js`, its looks in `web/editor.css`.
"""

from __future__ import annotations

import math
from abc import ABCMeta
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import numpy as np
from gradio.component_meta import ComponentMeta, updateable

from pose.complete import complete
from pose.convert import convert
from pose.skeletons import BODY27
from pose.types import MAX_COORDINATE_PX, Pose

MAX_SIDE_PX = 65_535
"""Pictures with a longer side are refused."""
_WEB = Path(__file__).with_name("web")
_KEYS = {"size", "joints", "hidden", "photo", "version"}


class _Unstubbed(ComponentMeta):
    """Gradio's own, but writes no stub file beside the module: type checkers would prefer it."""

    def __new__(cls, name: str, bases: tuple[type, ...], attrs: dict[str, Any]) -> type:
        attrs["__init__"] = updateable(attrs["__init__"])
        return ABCMeta.__new__(cls, name, bases, attrs)


class PoseEditor(gr.HTML, metaclass=_Unstubbed):
    """A skeleton that the visitor moves, over a photo or an empty picture.

    Listen to `input` for every state while dragging (with `trigger_mode="always_last"` and
    `show_progress="hidden"`) or to `release` for the outcome of each edit; read the value with
    `pose_of`, make one with `value_of`.
    """

    def __init__(
        self,
        value: Mapping[str, Any] | None = None,
        *,
        label: str = "Pose",
        height: int = 560,
        placeholder: str = "No pose yet",
        **options: Any,  # noqa: ANN401 - gradio's own
    ) -> None:
        """A new editor.

        Args:
            value: What `value_of` gives, or None to begin without a pose.
            label: Name of the drawing for screen readers.
            height: Greatest height of the drawing in pixels of the screen.
            placeholder: Said in place of the drawing while there is no pose.
            options: Of every Gradio component: `elem_id`, `visible`, `scale` and so on.

        Raises:
            ValueError: If the value is not one of the editor's.
        """
        self.height = height
        self.placeholder = placeholder
        super().__init__(
            value,
            label=label,
            html_template='<div class="pose-editor"></div>',
            css_template=(_WEB / "editor.css").read_text(encoding="utf-8"),
            js_on_load=(_WEB / "editor.js").read_text(encoding="utf-8"),
            apply_default_css=False,
            **{"height": height, "placeholder": placeholder, **options},
        )

    def preprocess(self, payload: Any) -> Any:  # noqa: ANN401 - whatever a client sends
        """The value as it came; `pose_of` checks it and says what is wrong."""
        return payload or None

    def postprocess(self, value: Any) -> Any:  # noqa: ANN401 - as wide as that of gr.HTML
        """The value for the browser.

        Raises:
            ValueError: If it is not one of the editor's.
        """
        if value is None:
            return None
        pose_of(value)
        return dict(value)

    def api_info(self) -> dict[str, Any]:
        """What programs send and get: see the module's text."""
        joint = {"type": "array", "items": {"type": "number"}}
        return {
            "type": "object",
            "properties": {
                "size": {"type": "array", "items": {"type": "integer"}},
                "joints": {"type": "object", "additionalProperties": joint},
                "hidden": {"type": "array", "items": {"type": "string"}},
                "photo": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "version": {"type": "integer"},
            },
        }

    def example_payload(self) -> dict[str, Any]:
        """A value for the page that explains the endpoints."""
        return {"size": [480, 360], "joints": {"nose": [180.0, 90.0, 1.0]}, "hidden": []}

    def example_value(self) -> dict[str, Any]:
        """The same."""
        return self.example_payload()


def value_of(pose: Pose, photo_url: str | None = None) -> dict[str, Any]:
    """A pose as the editor's value, of version 0.

    Joints that the pose lacks are hidden; where the body shows enough to guess them they have a
    likely place, so that the visitor can show them.

    Args:
        pose: A pose of any skeleton, with the size of its picture.
        photo_url: Address of the picture, for instance from `file_url`, or a data URL. It travels
            with every event, so a short one is better.

    Raises:
        ValueError: If the pose does not know its size.
    """
    if pose.size is None:
        raise ValueError("cannot edit a pose without a size; give it one first")
    given = convert(pose, BODY27)
    try:
        whole = complete(pose)[0]
    except ValueError:  # too little of a body to guess from
        whole = given
    joints = {}
    for i, name in enumerate(BODY27.keypoints):
        if whole.present[i]:
            x, y = whole.keypoints[i]
            # a guessed joint that the visitor shows is as good as one placed by hand
            confidence = given.confidence[i] if given.present[i] else 1.0
            joints[name] = [float(x), float(y), float(confidence)]
    hidden = [name for name in joints if not given.present[BODY27.index[name]]]
    size = [int(side) for side in pose.size]
    return {"size": size, "joints": joints, "hidden": hidden, "photo": photo_url, "version": 0}


def pose_of(value: object) -> Pose:
    """The pose in a value of the editor.

    Args:
        value: What the component gives; it may come from any client and is checked.

    Returns:
        A BODY27 pose; hidden joints and those that are not there are missing.

    Raises:
        ValueError: If there is no pose in it, with a sentence that says why.
    """
    if value is None or value == "":
        raise ValueError("there is no pose in the editor yet; choose or draw one first")
    if not isinstance(value, Mapping) or not all(key in _KEYS for key in value):
        raise ValueError(f"an edited pose must be an object with {', '.join(sorted(_KEYS))}")
    size = _size(value.get("size"))
    joints, hidden = value.get("joints"), value.get("hidden", [])
    if not isinstance(joints, Mapping):
        raise ValueError("the joints of an edited pose must be an object of name: [x, y, c]")
    if not isinstance(hidden, list | tuple):
        raise ValueError("the hidden joints of an edited pose must be a list of names")
    for name in (*joints, *hidden):
        if not isinstance(name, str) or name not in BODY27.index:
            raise ValueError(f"an edited pose has no joint {_quoted(name)}")
    photo = value.get("photo")
    if photo is not None and not isinstance(photo, str):
        raise ValueError("the photo of an edited pose must be an address or null")
    version = value.get("version", 0)
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise ValueError("the version of an edited pose must be a whole number from 0 on")
    keypoints = np.full((len(BODY27), 2), np.nan)
    confidence = np.zeros(len(BODY27))
    for name, joint in joints.items():
        x, y, c = _joint(name, joint)
        if name not in hidden:
            i = BODY27.index[name]
            keypoints[i], confidence[i] = (x, y), c
    return Pose(BODY27, keypoints, confidence, size)


def file_url(path: str | Path) -> str:
    """The address, relative to the page, at which Gradio serves a file of its cache."""
    return "gradio_api/file=" + quote(str(path))


def _size(given: object) -> tuple[int, int]:
    """(height, width) in pixels."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise ValueError("the size of an edited pose must be [height, width]")
    height, width = (_number(side, "size") for side in given)
    if not (min(height, width) >= 1 and max(height, width) <= MAX_SIDE_PX):
        raise ValueError(f"the size of an edited pose must be from 1 to {MAX_SIDE_PX} px a side")
    if height % 1 or width % 1:
        raise ValueError("the size of an edited pose must be in whole pixels")
    return int(height), int(width)


def _joint(name: str, given: object) -> tuple[float, float, float]:
    """x, y and confidence."""
    if not isinstance(given, list | tuple) or len(given) != 3:
        raise ValueError(f"the joint {name} of an edited pose must be [x, y, confidence]")
    x, y, confidence = (_number(number, name) for number in given)
    if max(abs(x), abs(y)) > MAX_COORDINATE_PX:
        raise ValueError(f"the joint {name} of an edited pose is far outside any picture")
    if not 0 <= confidence <= 1:
        raise ValueError(f"the confidence of {name} in an edited pose must be from 0 to 1")
    return x, y, confidence


def _number(given: object, name: str) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        # a whole number may be too long for a float
        number = float(given) if abs(given) < 1e12 else math.inf
        if math.isfinite(number):
            return number
    raise ValueError(f"the {name} of an edited pose must be in ordinary numbers")


def _quoted(name: object) -> str:
    """A name of unknown origin, not longer than a sentence bears."""
    text = repr(name)
    return text if len(text) <= 40 else text[:37] + "..."
