"""What is kept out of training: fixed rules by name, the same on every machine and in every run.

A name is held out when its SHA-256 falls into the lowest share of the hash's range, so a decision
depends on nothing but the name: not on the order of a folder, on what else lies in it, or on a
random generator. A larger share holds out everything that a smaller one does.

Rules of the project, used alike by preparation, training and evaluation:

- exercises, by the exercise's name: both its photos are on the same side;
- street photos, by the file's stem;
- rendered people, by the avatar's identity (face and body): all outfits are on the same side.
  MakeHuman people have no name; they are assembled at random, so another seed gives others;
- garments, by the file's stem;
- faces that artists drew, by the file's stem, which photo and sketch share: a third where photos
  are found by sketches, a tenth (which that third holds) where sketches become photos.

Knows nothing of files.
"""

from __future__ import annotations

import hashlib
import re

EXERCISE_SHARE = 0.20
"""Held-out exercises: 139 of the 699 names, about 100 of them with two photos."""
PHOTO_SHARE = 0.05
"""Held-out street photos: 103 of 1,943."""
AVATAR_SHARE = 0.12
"""Held-out identities of rendered avatars: 6 of 42, or 33 of the 234 avatars."""
GARMENT_SHARE = 0.1
"""Held-out photos of things: 382 of 3,837 garments."""
FACE_SHARE = 1 / 3
"""Faces held out of finding: 251 of 714."""
PORTRAIT_SHARE = 0.1
"""Faces held out of painting: 77 of 714."""

_AVATAR = re.compile(r"(?:X_)?[A-Za-z]+_[FM]_\d+(?=_|$)")
_AVATAR_SALT = "identity/"


def hash_place(name: str) -> float:
    """Where a name's SHA-256 lies in its range, from 0 to just under 1.

    The first eight bytes of the digest of the UTF-8 name, read as a big-endian number, over 2^64.
    """
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:8], "big") / 2.0**64


def held_out(name: str, share: float) -> bool:
    """Whether a name is kept out of training.

    Args:
        name: Any text; case and spaces count.
        share: Expected share of names that are held out, from 0 (none) to 1 (all).

    Raises:
        ValueError: If the share is not in [0, 1].
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"the held-out share must be between 0 and 1, got {share}")
    return share == 1.0 or hash_place(name) < share


def is_validation_exercise(name: str) -> bool:
    """Whether an exercise (the name of its folder, such as `Barbell_Curl`) is never trained on."""
    return held_out(name, EXERCISE_SHARE)


def is_validation_photo(stem: str) -> bool:
    """Whether a street photo (file name without suffix, such as `0001`) is never trained on."""
    return held_out(stem, PHOTO_SHARE)


def is_test_garment(stem: str) -> bool:
    """Whether a photo of a thing (file name without suffix) is never trained on."""
    return held_out(stem, GARMENT_SHARE)


def is_test_face(stem: str) -> bool:
    """Whether a drawn face (file name without suffix) is never trained on."""
    return held_out(stem, FACE_SHARE)


def is_test_portrait(stem: str) -> bool:
    """Whether a drawn face is never trained on where sketches become photos."""
    return held_out(stem, PORTRAIT_SHARE)


def avatar_identity(avatar_id: str) -> str:
    """The person part of an avatar's name: `Asian_F_1` of `Asian_F_1_Casual`.

    A name of another form is its own identity.
    """
    match = _AVATAR.match(avatar_id)
    return match.group(0) if match else avatar_id


def is_validation_avatar(avatar_id: str) -> bool:
    """Whether an avatar (such as `Asian_F_1_Casual`) is never trained on, in any outfit.

    The hash is that of "identity/" and the identity: without the prefix the held-out identities
    would nearly all be of one sex and group.
    """
    return held_out(_AVATAR_SALT + avatar_identity(avatar_id), AVATAR_SHARE)
