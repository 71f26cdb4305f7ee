"""Whose look a drawn person has: one photo's, several photos' of one person, or one a body part.

    photos --> View: texture path and latents of each
                 |
                 +-- one photo ---------------------------+
                 +-- `also`: who shows each place best    |--> gains, latents --> one picture
                 +-- `mix`: who gives each part's look ---+
                 +-- legs that no photo shows: lent ------+
                 +-- trunks without arms before them -----+
                 +-- skirts hung between parted legs -----+
                                                          |
    what was painted and not seen: in the photo's colours, continued from what is seen (`unseen`)
    what was filled in between the legs of trousers: nobody's (`trousers`)

Gains say which photo's pixels are copied where; latents are mixed likewise, so that what no photo
shows is painted in the look of the photo that is nearest to showing it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pose import Pose
from vunet import geometry as geo
from vunet import wardrobe
from vunet.backs import Face, Trunk, with_back, with_hair
from vunet.chests import with_chest
from vunet.framing import Window, points_of
from vunet.model import Painted, Parsed, Reposer, Warped, merged
from vunet.render import (
    Carried,
    Fetching,
    Layer,
    Subject,
    compose_layer,
    joints_in,
    on_canvas,
    source_window,
    subject_tensors,
    target_window,
    to_array,
)
from vunet.sides import gone_on, turn_of
from vunet.skirts import draped, may_hang, skirt_of
from vunet.trousers import Legs, gap, legs_of, widest
from vunet.unseen import continued, rows_of

LOOKS: dict[str, tuple[int, ...]] = {
    "all": tuple(range(len(geo.PARTS))),
    "head": (0,),
    "top": (1, 2, 3, 4, 5),
    "arms": (2, 3, 4, 5),
    "hands": (6, 7),
    "bottom": (8, 9, 10, 11, 14),
    "shoes": (12, 13),
} | {name: (i,) for i, name in enumerate(geo.PARTS) if name != "head"}
"""What of a person can be taken from another photo, as parts of `geometry.PARTS`."""

UNSEEN_TEMPERATURE = 0.7
"""Spread of the draws for body parts that a photo does not show."""
_FIRST_BONUS = 0.1
"""Other photos must show a place better than the first by so much to be preferred."""
_OTHER_SIDE, _SURE_AREA = 0.5, 8.0
"""What a limb's counterpart says of its colour, and from how many cells of 4 x 4 it is believed."""
_ONE_COLOUR = 0.8
"""How far trunk and skirt are given one colour where they are painted."""
_MADE_BACK = 0.5
"""What a back made of a front loses against a photo of the back."""
_LEGS = (tuple(range(8, 14)), tuple(range(10, 14)), (12, 13))
"""What is lent where no thigh, no shin or no foot is seen."""
_THIGHS, _SHINS = (8, 9), (10, 11)
_NO_LEGS = (geo.HEAD, geo.TORSO, *geo.ARMS, *geo.LEGS[4:])
"""What may lie between two legs."""
_WEARS = 0.05
"""Share of a part's look from which a photo counts."""
_LEAST_LENT = 4.0
"""Cells of 4 x 4 in the new picture, below which nothing is lent."""
_LEAST_FREE = 60.0
"""Cells of 2 x 2 in the new picture where the trunk shows and the photo's cloth does not, below
which arms before it stay as they are."""
_AMID, _CROSSED = 0.7, 0.145
"""Inner part of a trunk's capsule, and what share of it arms cover that cross the trunk."""
_A_SKIRT = 0.06
"""Share of a person's area from which they wear one."""
_BEFORE, _WHOLLY_BEFORE = 0.3, 0.7
"""Share of arms in the new picture from which they lie before a skirt, and wholly do."""
_NOT_SKIRT = 0.2
"""Least share of all else where legs get the share of a skirt that is drawn elsewhere."""
_SHARPNESS = 0.03
"""Difference of visibility at which the choice between photos tips."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A photo as the network sees it, and what it reads in it."""

    window: Window
    image: Tensor
    """(1, 3, H, W)."""
    mask: Tensor
    """(1, 1, H, W)."""
    joints: Tensor
    """(1, 21, 3)."""
    parsed: Parsed


@torch.inference_mode()
def read_photo(model: Reposer, subject: Subject, *, amp: bool = False) -> Reading:
    """What a network with a texture path reads in a photo."""
    window = source_window(subject, model.config.size)
    device = next(model.parameters()).device
    image, mask, joints = (t.to(device) for t in subject_tensors(subject, window))
    return Reading(window, image, mask, joints, model.parse(image, mask, joints, amp=amp))


@dataclass(frozen=True, eq=False)
class View:
    """A photo as the network sees it, and what it shows of the new pose."""

    subject: Subject
    window: Window
    image: Tensor
    """(1, 3, H, W), what is copied from."""
    mask: Tensor
    """(1, 1, H, W)."""
    joints: Tensor
    """(1, 21, 3)."""
    latents: Tensor
    """(1, P, Z)."""
    warped: Warped | None
    """None in a network without texture path."""
    made: tuple[int, ...] = ()
    """Parts that are not of a photo of the subject's: a back made of their front, lent legs."""
    hung: Warped | None = None
    """The same with a skirt hung between the legs, which the network does not get to see: weights
    and flow; its colours and cover are not drawn anew."""
    over: Tensor | None = None
    """(1, 1, H, W) in [0, 1], where it hangs."""

    @property
    def carried(self) -> Warped | None:
        """What is carried into the picture."""
        return self.warped if self.hung is None else self.hung


@torch.inference_mode()
def draw_subjects(
    model: Reposer,
    subjects: Sequence[Subject],
    pose: Pose,
    canvas: tuple[int, int],
    *,
    noise: Tensor | None = None,
    amp: bool = False,
    meanwhile: Callable[[], object] | None = None,
    read: Mapping[Subject, Reading] | None = None,
) -> Layer:
    """Draw a person in a pose from one or several photos of them.

    Args:
        model: The network.
        subjects: The person in each photo; where several show the same, the first is preferred.
        pose: Complete BODY27 pose in the canvas's pixels.
        canvas: (height, width) of the result.
        noise: (1, P, Z) to draw with what no photo shows; None draws what is likeliest.
        amp: bf16 convolutions.
        meanwhile: Called as soon as the photos' pixels are on their way, to give more work to do
            `beside`.
        read: What the network has read in some of the photos already.
    """
    target, window = _target(model, pose, canvas)
    if len(subjects) == 1:
        view = _draped(model, _view(model, subjects[0], target, noise, amp, read), target)
        bare = _uncovered(view, target)
        if bare is None and not _lent(model, [view], target):
            photos = _fetching([view], window, canvas, meanwhile)
            return compose_layer(_paint(model, view, target, amp), photos, window, canvas)
        whole = view.latents.new_ones(1, len(geo.PARTS))
        gains = [whole[..., None, None]]
        place = (target, pose, window, canvas)
        return _merge(model, [view], [bare], gains, whole, 0, place, noise, amp, meanwhile)
    views = [_draped(model, _view(model, s, target, None, amp, read), target) for s in subjects]
    painted = [model.paint(v.latents, target, v.warped, source=v.joints, amp=amp) for v in views]
    shown = torch.cat([F.avg_pool2d(p.visibility, 2) for p in painted], 1)  # (1, N, H/2, W/2)
    shown = F.avg_pool2d(shown, 7, 1, 3, count_include_pad=False)
    shown[:, 0] += _FIRST_BONUS
    for i, view in enumerate(views):
        shown[:, i] -= _MADE_BACK * bool(view.made)
    shares = (shown / _SHARPNESS).softmax(1)
    bodies = geo.capsules(target, model.half_size, model.full_size)  # (1, P, H/2, W/2)
    of_parts = torch.einsum("bnhw,bphw->bnp", shares, bodies)
    of_parts += 1e-7
    of_parts[:, 0] += 1e-4  # parts outside the picture look like the first photo's
    known = torch.stack([model.shows(v.mask, v.joints) for v in views], 1)  # (1, N, P)
    of_parts = torch.where(known | ~known.any(1, keepdim=True), of_parts, 0)
    of_parts = of_parts / of_parts.sum(1, keepdim=True)
    gains = [shares[:, i : i + 1] for i in range(len(views))]
    best = int((shares * bodies.amax(1, keepdim=True)).sum((0, 2, 3)).argmax())
    place = (target, pose, window, canvas)
    bare = [_uncovered(view, target) for view in views]
    return _merge(model, views, bare, gains, of_parts[0], best, place, noise, amp, meanwhile)


@torch.inference_mode()
def draw_mix(
    model: Reposer,
    subjects: Sequence[Subject],
    shares: Tensor,
    pose: Pose,
    canvas: tuple[int, int],
    *,
    noise: Tensor | None = None,
    amp: bool = False,
    meanwhile: Callable[[], object] | None = None,
    read: Mapping[Subject, Reading] | None = None,
) -> Layer:
    """Draw a person whose parts look like those of different photos.

    Args:
        model: The network.
        subjects: The base, then those who lend parts of their look.
        shares: (N, P) in [0, 1], what each gives to each part's look; columns sum to one.
        pose: Complete BODY27 pose in the canvas's pixels.
        canvas: (height, width) of the result.
        noise: See `draw_subjects`.
        amp: bf16 convolutions.
        meanwhile: See `draw_subjects`.
        read: See `draw_subjects`.
    """
    if shares.shape != (len(subjects), len(geo.PARTS)):
        raise ValueError(f"shares must be ({len(subjects)}, {len(geo.PARTS)}), got {shares.shape}")
    target, window = _target(model, pose, canvas)
    shares = shares.to(target.device)
    views = [_view(model, subject, target, None, amp, read) for subject in subjects]
    lends = [bool(share[geo.SKIRT] > 0) for share in shares]
    views = [_draped(model, v, target) if worn else v for v, worn in zip(views, lends, strict=True)]
    gains = [share[None, :, None, None] for share in shares]
    # a part that somebody else lends is not as it was, however still
    whole = (shares[0] > 0.999).to(torch.float32)
    views[0] = replace(
        views[0],
        warped=views[0].warped and replace(views[0].warped, still=views[0].warped.still * whole),
        hung=views[0].hung and replace(views[0].hung, still=views[0].hung.still * whole),
    )
    place = (target, pose, window, canvas)
    trunks = shares[:, geo.TORSO] > 0
    bare = [
        _uncovered(view, target) if lends else None
        for view, lends in zip(views, trunks, strict=True)
    ]
    return _merge(model, views, bare, gains, shares, 0, place, noise, amp, meanwhile)


def _target(model: Reposer, pose: Pose, canvas: tuple[int, int]) -> tuple[Tensor, Window]:
    window = target_window(pose, canvas, model.config.size)
    device = next(model.parameters()).device
    return joints_in(window, points_of(pose, canvas)).to(device), window


def _view(
    model: Reposer,
    subject: Subject,
    target: Tensor,
    noise: Tensor | None,
    amp: bool,
    read: Mapping[Subject, Reading] | None = None,
) -> View:
    known = None if read is None else read.get(subject)
    if known is None:
        window, parsed = source_window(subject, model.config.size), None
        image, mask, joints = (t.to(target.device) for t in subject_tensors(subject, window))
    else:
        window, parsed = known.window, known.parsed
        image, mask, joints = known.image, known.mask, known.joints
    own: Tensor | None = None  # of a photo that was changed
    behind = model.config.texture and bool(geo.turned_round(target, joints)[0, geo.TORSO] > 0.5)
    if behind:
        parsed = parsed or model.parse(image, mask, joints, amp=amp)
        seen = _from_behind(subject, window, parsed.logits.softmax(1))
        behind = seen is not None
        if seen is not None:
            own = image
            subject, parsed = seen, None
            image, mask, joints = (t.to(target.device) for t in subject_tensors(seen, window))
    made = (geo.TORSO, geo.HEAD) if behind else ()
    told = None  # by the posterior, where it must not be asked of the picture alone
    if own is not None and model.config.latents:
        told, limbs = (model.encode(p, mask, joints, amp=amp).mean for p in (image, own))
        others = [p for p in range(len(geo.PARTS)) if p not in made]
        told[:, others] = limbs[:, others]  # arms that lay before the chest are covered
    latents = model.appearance(
        image,
        mask,
        joints,
        target,
        noise=noise,
        temperature=UNSEEN_TEMPERATURE,
        seen=told,
        amp=amp,
    )
    warped = None
    if model.config.texture:
        warped = model.warp(image, mask, joints, target, parsed=parsed, amp=amp)
    return View(subject, window, image, mask, joints, latents, warped, made)


def _draped(model: Reposer, view: View, target: Tensor) -> View:
    """A view whose skirt hangs between the legs where they part, see `skirts`."""
    warped = view.warped
    if warped is None or warped.garments is None:
        return view
    size = (view.mask.shape[2], view.mask.shape[3])
    joints, pose = (t[0, :, :2].cpu().numpy() for t in (view.joints, target))
    scales = [float(geo.body_scale(t)) for t in (view.joints, target)]
    still = float(warped.still[0, geo.SKIRT]) > 0.5
    if still or not may_hang(joints, scales[0], pose, scales[1]):
        return view
    arms = warped.source_logits.softmax(1)[:, geo.ARMS].sum(1, keepdim=True)
    read = torch.cat([arms, torch.sigmoid(warped.garments[:, :1])], 1)
    read = to_array(F.interpolate(read, size=size, mode="bilinear"))
    photo_height = view.subject.image.shape[0]
    skirt = skirt_of(
        to_array(view.image) / 2 + 0.5,
        to_array(view.mask)[..., 0],
        read[..., 0],
        read[..., 1],
        joints,
        scales[0],
        (photo_height - view.window.top) * view.window.scale,
    )
    if skirt is None or (hung := draped(skirt, pose, scales[1], size)) is None:
        return view
    places, where = (torch.from_numpy(x).to(view.image.device) for x in hung)
    shown = F.interpolate(warped.part_logits, size=size, mode="bilinear").softmax(1)
    arms = shown[:, geo.ARMS].sum(1, keepdim=True)
    over = where[None, None] * (1 - (arms - _BEFORE) / (_WHOLLY_BEFORE - _BEFORE)).clamp(0, 1)
    share, shown = F.avg_pool2d(over, 2), F.avg_pool2d(shown, 2)
    # legs of its cloth would be trousers, and what else looks like a skirt is legs
    cloth = torch.from_numpy(skirt.cloth).to(view.image.device)[None, None]
    worn = geo.sample_parts(F.avg_pool2d(cloth, 4), warped.places, size)[:, :, 0]
    worn = F.interpolate(worn, scale_factor=2.0, mode="bilinear")
    legs = list(geo.LEGS[:4])  # not the shoes
    gains = torch.ones_like(warped.weights)
    gains[:, legs] = (1 - worn[:, legs]) / (1 - shown[:, [geo.SKIRT]]).clamp_min(_NOT_SKIRT)
    gains[:, geo.SKIRT] = share[:, 0]
    warped = model.with_gains(warped, view.image, view.mask, gains)
    weights = warped.weights * (1 - share)
    weights[:, geo.SKIRT] = share[:, 0]
    few = F.avg_pool2d(places.permute(2, 0, 1)[None], 4).permute(0, 2, 3, 1)  # (1, h, w, 2)
    rigid = geo.sampling_grids(warped.transforms, model.quarter_size, model.full_size)
    flow, still = warped.flow.clone(), warped.still.clone()
    flow[:, geo.SKIRT] = (few - rigid[:, geo.SKIRT]).permute(0, 3, 1, 2)
    still[:, geo.SKIRT] = 0
    laid = replace(warped, weights=weights, flow=flow, still=still)
    return replace(view, warped=warped, hung=laid, over=over)


def _dressed(painted: Painted, views: Sequence[View], shares: Tensor, target: Tensor) -> Painted:
    """The picture with skirts where they hang and none where nobody wears any.

    `shares` (N, P) say whose look each part has.
    """
    return _hung_over(_parted(painted, views, shares, target), views, shares, target)


def _parted(painted: Painted, views: Sequence[View], shares: Tensor, target: Tensor) -> Painted:
    """The picture without what was filled in between the legs of trousers, see `trousers`."""
    if painted.warped is None:
        return painted
    found = []
    for view, share in zip(views, shares, strict=True):
        thighs, shins = (float(share[list(parts)].max()) for parts in (_THIGHS, _SHINS))
        if max(thighs, shins) <= _WEARS:
            continue
        if set(view.made) & set(geo.LEGS):
            return painted  # thighs of one and shins of another are no measure
        legs = _legs_in(view)
        if legs is None and thighs > _WEARS:
            return painted  # what hangs over thighs may hang between them
        found += [] if legs is None else [legs]
    if not found:
        return painted
    size = (painted.alpha_logits.shape[2], painted.alpha_logits.shape[3])
    pose, scale = target[0, :, :2].cpu().numpy(), float(geo.body_scale(target))
    empty = gap(widest(found), pose, scale, size)
    if not empty.any():
        return painted
    others = painted.warped.part_logits.softmax(1)[:, list(_NO_LEGS)].sum(1, keepdim=True)
    others = F.interpolate(others, size=size, mode="bilinear")
    left = 1 - torch.from_numpy(empty)[None, None].to(others) * (1 - others)
    sure = torch.logit(left.clamp(1e-4, 1 - 1e-4))
    return replace(painted, alpha_logits=torch.minimum(painted.alpha_logits, sure))


def _legs_in(view: View) -> Legs | None:
    """How somebody's legs are dressed in their photo; None where that is not seen."""
    warped = view.warped
    if warped is None or warped.garments is None:
        return None
    hanging = torch.sigmoid(warped.garments[0, 0])
    return read_legs(warped.source_logits, hanging, view.joints, view.mask.shape[2])


def read_legs(logits: Tensor, hanging: Tensor, joints: Tensor, height: int) -> Legs | None:
    """How somebody's legs are dressed in a photo; None where too little is seen of them.

    Args:
        logits: (1, P + 1, h, w) of the photo's parts.
        hanging: (h, w) in [0, 1], how surely each place shows cloth that may hang.
        joints: (1, J, 3) the network's joints in a frame of this height in pixels.
        height: The frame's.
    """
    shares = logits.softmax(1)[0].float().cpu().numpy()
    unit = shares.shape[1] / height
    return legs_of(
        shares[list(_THIGHS)],
        shares[list(_SHINS)],
        shares[geo.SKIRT],
        hanging.float().cpu().numpy(),
        unit * joints[0, :, :2].cpu().numpy(),
        unit * float(geo.body_scale(joints)),
    )


def _hung_over(painted: Painted, views: Sequence[View], shares: Tensor, target: Tensor) -> Painted:
    """The picture with skirts where they hang; `shares` (N, P) say whose is drawn."""
    over = [
        view.over * float(share[geo.SKIRT])
        for view, share in zip(views, shares, strict=True)
        if view.over is not None and float(share[geo.SKIRT]) > 0
    ]
    if not over:
        return painted
    where = torch.stack(over).sum(0)
    size = (where.shape[2], where.shape[3])
    sure = torch.logit(where.clamp(1e-4, 1 - 1e-4))
    alpha = painted.alpha_logits
    if painted.warped is not None:  # what the network thinks is skirt beside it
        beside = _shares_of(painted.warped.part_logits, painted)[:, [geo.SKIRT]]
        legs = geo.capsules(target, size, size)[:, geo.LEGS].amax(1, keepdim=True)
        beside = beside * (1 - legs)
        alpha = torch.minimum(alpha, -torch.logit(beside.clamp(1e-4, 1 - 1e-4)))
    return replace(
        painted,
        alpha_logits=torch.maximum(alpha, sure),
        visibility=torch.maximum(painted.visibility, where),
    )


def _from_behind(subject: Subject, window: Window, parts: Tensor) -> Subject | None:
    """Somebody whom a photo shows from the front as it would show them from behind.

    None where it shows too little of their trunk.

    Args:
        subject: The person in the photo.
        window: What the network saw of it.
        parts: (1, P + 1, h, w) share of each part in each place of the window.
    """
    size = subject.image.shape[:2]
    shares = _shares_in(parts, window, size) * subject.mask[..., None]
    nose, left_eye, right_eye, left_ear, right_ear = points_of(subject.pose, size)[:5, :2]
    trunk = _trunk_of(subject.pose, size)
    image = with_back(subject.image, shares[..., 0], shares[..., 2], trunk)
    if image is None:
        return None
    half_width = 0.5 * float(np.linalg.norm(left_ear - right_ear))
    face = Face((left_eye + right_eye) / 2, nose, trunk.neck, half_width)
    image = with_hair(image, shares[..., 1], subject.mask, face)
    return replace(subject, image=image, pose=subject.pose.about_faced())


def _uncovered(view: View, target: Tensor) -> tuple[View, Tensor] | None:
    """The trunk's cloth where the photo has arms before it and the new pose does not.

    And (1, P, H/2, W/2) in [0, 1], what is left of the photo's own pixels.
    """
    warped = view.warped
    if warped is None or view.made:
        return None
    full = (view.mask.shape[2], view.mask.shape[3])
    parts = warped.source_logits.softmax(1)
    coarse = (parts.shape[2], parts.shape[3])
    amid = geo.capsules(view.joints, coarse, full)[:, geo.TORSO] > _AMID
    arms = parts[:, geo.ARMS].sum(1)
    if float(arms[amid].sum()) < _CROSSED * float(amid.sum()):
        return None  # seen cheaply
    shown = F.interpolate(warped.part_logits, scale_factor=2.0, mode="bilinear").softmax(1)
    half = (shown.shape[2], shown.shape[3])
    trunk = geo.capsules(target, half, full)[:, geo.TORSO]
    # where no part is seen the network thinks of ground, but not amid a trunk
    wanted = shown[:, geo.TORSO] + trunk * shown[:, -1]
    if float((wanted - warped.weights[:, geo.TORSO]).clamp_min(0).sum()) < _LEAST_FREE:
        return None
    size = view.subject.image.shape[:2]
    shares = _shares_in(parts, view.window, size) * view.subject.mask[..., None]
    found = with_chest(
        view.subject.image, shares[..., 0], shares[..., 2], _trunk_of(view.subject.pose, size)
    )
    if found is None:
        return None
    bare = replace(view.subject, image=found.image)
    image, _, _ = subject_tensors(bare, view.window)
    shows, hides = (
        torch.from_numpy(view.window.cut(m))[None, None] for m in (found.shown, found.hides)
    )
    places = warped.places[:, geo.TORSO]
    both = F.avg_pool2d(torch.cat([shows, torch.maximum(shows, hides)], 1).to(places.device), 4)
    both = F.interpolate(geo.sample(both, places, full), scale_factor=2.0, mode="bilinear")
    weights = torch.zeros_like(warped.weights)
    weights[:, geo.TORSO] = wanted * both[:, 0]
    if view.over is not None:
        weights *= 1 - F.avg_pool2d(view.over, 2)
    left = torch.ones_like(warped.weights)
    left[:, geo.TORSO] = 1 - both[:, 1]
    trunk_alone = replace(
        view,
        subject=bare,
        image=image.to(places.device),
        warped=replace(warped, weights=weights, still=torch.zeros_like(warped.still)),
        hung=None,
        over=None,
        made=(geo.TORSO,),
    )
    return trunk_alone, left


def _shares_in(parts: Tensor, window: Window, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) shares of trunk, head and arms in a photo, from those of all, (1, P + 1, h, w)."""
    arms = parts[:, geo.ARMS].sum(1, keepdim=True)
    return on_canvas(torch.cat([parts[:, [geo.TORSO, geo.HEAD]], arms], 1), window, size)


def _trunk_of(pose: Pose, size: tuple[int, int]) -> Trunk:
    points = points_of(pose, size)[:, :2]
    return Trunk((points[5] + points[6]) / 2, points[11:13].mean(0))


def _paint(model: Reposer, view: View, target: Tensor, amp: bool) -> Painted:
    painted = model.paint(view.latents, target, view.warped, source=view.joints, amp=amp)
    shares = torch.ones(1, len(geo.PARTS), device=target.device)
    return _dressed(_retouched(painted, [view], shares, target), [view], shares, target)


def _retouched(painted: Painted, views: Sequence[View], shares: Tensor, target: Tensor) -> Painted:
    """What was painted, in the colours that the photos show of each part and beside each place.

    Args:
        painted: For one picture.
        views: The photos.
        shares: (N, P) what each gives to each part's look.
        target: (1, J, 3) joints.
    """
    warped = painted.warped
    if warped is None:
        return painted
    parts = _shares_of(warped.part_logits, painted)
    painted = _recoloured(painted, views, shares, parts)
    read = [
        rows_of(
            to_array(view.image),
            (_shares_of(view.warped.source_logits, painted) * view.mask)[0].float().cpu().numpy(),
            view.joints[0, :, :2].cpu().numpy(),
        ).times(share.cpu().numpy())
        for view, share in zip(views, shares, strict=True)
        if view.warped is not None and bool((share > 0).any())
    ]
    generated = continued(
        to_array(painted.generated),
        to_array(warped.colour),
        to_array(painted.visibility)[..., 0],
        parts[0].float().cpu().numpy(),
        target[0, :, :2].cpu().numpy(),
        sum(read[1:], read[0]),
    )
    turns = [
        turn_of(view.joints[0].cpu().numpy(), target[0].cpu().numpy())
        for view, share in zip(views, shares, strict=True)
        if float(share[geo.TORSO]) > _WEARS
    ]
    beyond = gone_on(
        to_array(painted.visibility)[..., 0],
        parts[0, geo.TORSO].float().cpu().numpy(),
        target[0, :, :2].cpu().numpy(),
        min(turns, default=0.0),
    )

    def tensor(x: np.ndarray) -> Tensor:
        return torch.from_numpy(x).permute(2, 0, 1)[None].to(painted.generated)

    goes_on = None if beyond is None else tensor(beyond)
    return replace(painted, generated=tensor(generated), goes_on=goes_on)


def _shares_of(logits: Tensor, painted: Painted) -> Tensor:
    """(1, P, H, W) shares of the parts, from logits (1, P + 1, h, w), at the picture's size."""
    size = painted.generated.shape[2:]
    return F.interpolate(logits, size=size, mode="bilinear").softmax(1)[:, :-1]


def _recoloured(painted: Painted, views: Sequence[View], shares: Tensor, parts: Tensor) -> Painted:
    """What was painted of each part but the head, in the mean colour the part has in the photos.

    Args:
        painted: For one picture.
        views: The photos.
        shares: (N, P) what each gives to each part's look.
        parts: (1, P, H, W) share of each part in each pixel.
    """
    total, area = _colours_of(views, shares)
    other = list(geo.MIRRORED_PARTS)  # trousers have two legs of one colour
    total = total + _OTHER_SIDE * total[:, other]
    area = area + _OTHER_SIDE * area[:, other]
    there = total / area.clamp_min(1e-3)
    made = parts * (1 - painted.visibility)
    own = made.sum((2, 3))[..., None]
    here = torch.einsum("bphw,bchw->bpc", made, painted.generated) / own.clamp_min(1e-3)
    sure = area / (area + _SURE_AREA) * own / (own + 16 * _SURE_AREA)
    believed = torch.ones_like(sure)
    believed[:, [geo.TORSO, geo.SKIRT]] = _ONE_COLOUR  # jackets over shirts
    believed[:, geo.HEAD] = 0  # hair and skin
    shift = (there - here) * sure * believed
    moved = painted.generated + torch.einsum("bpc,bphw->bchw", shift, parts)
    return replace(painted, generated=moved.clamp(-1, 1))


def _lent(model: Reposer, views: Sequence[View], target: Tensor) -> tuple[int, ...]:
    """Parts of the legs that are to be drawn, and that the photos end above.

    A skirt's legs are left to the network, which knows that they may be bare.
    """
    if not model.config.texture or any(view.warped is None for view in views):
        return ()
    shown = torch.cat([model.shows(v.mask, v.joints) for v in views]).any(0)
    for parts in _LEGS:
        if bool(shown[list(parts[:2])].any()):
            continue
        bodies = geo.capsules(target, model.quarter_size, model.full_size)[0, list(parts)]
        if float(bodies.sum()) < _LEAST_LENT:
            return ()
        skirts = [_area_of(view, geo.SKIRT) > _A_SKIRT for view in views]
        return _LEGS[-1] if parts is not _LEGS[-1] and any(skirts) else parts
    return ()


def _area_of(view: View, part: int) -> float:
    """Share of a person's area in their photo that a part has."""
    assert view.warped is not None
    parts = view.warped.source_logits.softmax(1)[:, :-1]
    return float(parts[:, part].sum() / parts.sum().clamp_min(1))


def _unseen(views: Sequence[View], gains: Sequence[Tensor]) -> Tensor:
    """(1, P, H/2, W/2) in [0, 1], where no photo's pixels are to be had for a part."""
    weights = [v.warped.weights * gain for v, gain in zip(views, gains, strict=True) if v.warped]
    seen = F.avg_pool2d(torch.stack(weights).sum(0), 5, 1, 2)
    return (1 - 2 * seen).clamp(0, 1)


def _told(
    model: Reposer, joints: Tensor, latents: Tensor, shown: Tensor, noise: Tensor | None
) -> Tensor:
    """Latents (1, P, Z), those of parts not shown (1, P) drawn for the photo's own pose.

    So that what is lent has the same colours in whatever pose.
    """
    if not model.config.latents:
        return latents
    spread = 0.0 if noise is None else UNSEEN_TEMPERATURE
    noise = torch.zeros_like(latents) if noise is None else noise
    return model.prior.draw(joints, noise, spread, known=(latents, shown))


def _lender(
    model: Reposer,
    views: Sequence[View],
    lent: tuple[int, ...],
    latents: Tensor,
    target: Tensor,
    pose: Pose,
    amp: bool,
) -> tuple[View, tuple[int, ...]]:
    """Somebody whose legs are lent, dyed as the latents (1, P, Z) or the photos say; what of it."""
    tints = 127.5 * (model.tints(latents) + 1)[0].float().cpu().numpy()
    trousers, shoes = tints[[8, 9]].mean(0), tints[[12, 13]].mean(0)
    total, area = _colours_of(views, latents.new_ones(len(views), len(geo.PARTS)))
    seen = 127.5 * ((total / area.clamp_min(1e-3))[0].cpu().numpy() + 1)
    thighs = area[0, [8, 9], 0].cpu().numpy()
    if thighs.sum() > 0:  # trousers go on as they are, bare legs stay bare
        colour = np.average(seen[[8, 9]], axis=0, weights=thighs)
        if lent[0] != _LEGS[0][0] and wardrobe.is_skin(colour, seen[geo.HEAD]):
            lent = _LEGS[-1]
        sure = float(thighs.sum() / (thighs.sum() + _SURE_AREA))
        trousers = trousers + sure * (colour - trousers)
    subject = wardrobe.dyed(wardrobe.outfit_for(pose), trousers, shoes)
    view = _view(model, subject, target, None, amp)
    return replace(view, made=tuple(range(len(geo.PARTS)))), lent


def _colours_of(views: Sequence[View], shares: Tensor) -> tuple[Tensor, Tensor]:
    """Sums (1, P, 3) of the colours that parts have in photos, and their areas (1, P, 1) in cells.

    Args:
        views: The photos.
        shares: (N, P) what each counts for each part.
    """
    total, area = (shares.new_zeros(1, len(geo.PARTS), n) for n in (3, 1))
    for view, share in zip(views, shares, strict=True):
        if view.warped is None:
            continue
        parts = view.warped.source_logits.softmax(1)[:, :-1] * share[None, :, None, None]
        parts = torch.where(parts > 0.5, parts, 0)
        colour = F.avg_pool2d(view.image * view.mask, 4)
        total = total + torch.einsum("bphw,bchw->bpc", parts, colour)
        area = area + torch.einsum("bphw,bohw->bpo", parts, F.avg_pool2d(view.mask, 4))
    return total, area


def _merge(
    model: Reposer,
    views: Sequence[View],
    bare: Sequence[tuple[View, Tensor] | None],
    gains: Sequence[Tensor],
    shares: Tensor,
    best: int,
    place: tuple[Tensor, Pose, Window, tuple[int, int]],
    noise: Tensor | None,
    amp: bool,
    meanwhile: Callable[[], object] | None,
) -> Layer:
    """One picture of several views.

    `bare` are their trunks without arms before them, `gains` the shares of their pixels, `shares`
    (N, P) those of their latents.
    """
    target, pose, window, canvas = place
    latents = torch.stack([v.latents for v in views])  # (N, 1, P, Z)
    mixed = (latents * shares[:, None, :, None]).sum(0)
    shown = torch.cat([model.shows(v.mask, v.joints) for v in views]) & (shares > 0)
    shown = shown.any(0, keepdim=True)  # (1, P)
    if noise is not None and model.config.latents and not bool(shown.all()):
        mixed = model.prior.draw(target, noise, UNSEEN_TEMPERATURE, known=(mixed, shown))
    lent = _lent(model, views, target)
    if lent:
        told = _told(model, views[0].joints, mixed, shown, noise)
        lender, lent = _lender(model, views, lent, told, target, pose, amp)
        whose = mixed.new_zeros(len(geo.PARTS))
        whose[list(lent)] = 1
        mixed = mixed + whose[:, None] * (lender.latents - mixed)
        shares = torch.cat([shares * (1 - whose), whose[None]])
        whose = whose[:, None, None]
        gains = [gain * (1 - whose) for gain in gains]
        if lent == _LEGS[1]:  # and the rest of thighs that end at the photo's edge
            thighs = _unseen(views, gains)
            whose = whose.expand(-1, *thighs.shape[2:]).clone()
            whose[list(_LEGS[0][:2])] = thighs[0, list(_LEGS[0][:2])]
        gains.append(whose[None])
        views = [*views, lender]
    for i, laid in enumerate(bare):
        if laid is not None:
            views = [*views, laid[0]]
            gains = [*gains[:i], gains[i] * laid[1], *gains[i + 1 :], gains[i]]
            shares = torch.cat([shares, torch.zeros_like(shares[:1])])
    parted = [
        replace(
            v,
            warped=v.warped and model.with_gains(v.warped, v.image, v.mask, gain),
            hung=v.hung and replace(v.hung, weights=v.hung.weights * gain),
        )
        for v, gain in zip(views, gains, strict=True)
    ]
    photos = _fetching(_making_room(parted, shares), window, canvas, meanwhile)
    warps = [v.warped for v in parted if v.warped is not None]
    together = merged(warps) if warps else None
    painted = model.paint(mixed, target, together, source=views[best].joints, amp=amp)
    painted = _dressed(_retouched(painted, parted, shares, target), parted, shares, target)
    return compose_layer(painted, photos, window, canvas)


def _making_room(views: Sequence[View], shares: Tensor) -> list[View]:
    """Views of which nothing is carried to where another's skirt hangs, as far as it is drawn."""
    worn = [
        None if v.over is None else F.avg_pool2d(v.over * float(share[geo.SKIRT]), 2)
        for v, share in zip(views, shares, strict=True)
    ]
    found = []
    for i, view in enumerate(views):
        others = [over for k, over in enumerate(worn) if k != i and over is not None]
        carried = view.carried
        if others and carried is not None:
            weights = carried.weights * (1 - torch.stack(others).sum(0).clamp(max=1))
            if view.over is not None:  # skirts share their place as gains say
                weights[:, geo.SKIRT] = carried.weights[:, geo.SKIRT]
            view = replace(view, hung=replace(carried, weights=weights))
        found.append(view)
    return found


def _fetching(
    views: Sequence[View],
    window: Window,
    canvas: tuple[int, int],
    meanwhile: Callable[[], object] | None,
) -> Fetching:
    """The photos' pixels, which come while the network paints, before what is done `meanwhile`."""
    photos = [
        Carried(v.subject, v.window, v.carried, v.made) for v in views if v.carried is not None
    ]
    fetching = Fetching(photos, window, canvas)
    if meanwhile is not None:
        meanwhile()
    return fetching
