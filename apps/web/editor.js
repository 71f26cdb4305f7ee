/* The pose editor: a skeleton over a photo, drawn as SVG and moved with pointer or keyboard.

   Runs once for each editor on a page, as the body of a function of gradio's gr.HTML with
   `element` (the component's element), `trigger(event)`, `props` (`props.value` is the pose, see
   editor.py for its form) and `watch(name, callback)`. The page's HTML template never changes, so
   what is built here stays.

   "Left" and "right" are the person's own. Lengths named `px` are pixels of the screen, all others
   pixels of the picture. */
"use strict";

// -- the skeleton ----------------------------------------------------------------------------

const SIDES = ["left", "right"];
const HEAD = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"];
const ARM = ["shoulder", "elbow", "wrist", "pinky", "index", "thumb"];
const LEG = ["hip", "knee", "ankle", "heel", "foot_index"];
const HAND = ["pinky", "index", "thumb"];
const FOOT = ["heel", "foot_index"];
const MAIN = ["nose", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "foot_index"];

const of = (side, parts) => parts.map((part) => `${side}_${part}`);
const NAMES = [...HEAD, ...SIDES.flatMap((s) => of(s, ARM)), ...SIDES.flatMap((s) => of(s, LEG))];
const UPPER_BODY = [...HEAD, ...SIDES.flatMap((side) => of(side, ARM))];

const sideOf = (name) => SIDES.find((side) => name.startsWith(`${side}_`));
const partOf = (name) => (sideOf(name) ? name.slice(sideOf(name).length + 1) : name);
const otherSide = (name) =>
  sideOf(name) ? `${sideOf(name) === "left" ? "right" : "left"}_${partOf(name)}` : name;
const isMain = (name) => MAIN.includes(partOf(name));
const words = (name) => name.replace(/_/g, " ").replace("foot index", "toes");

// ControlNet's colours of limbs; hands and feet take those of forearm and shin.
const LIMBS = [
  ["neck", "right_shoulder", "#ff0000"],
  ["neck", "left_shoulder", "#ff5500"],
  ["neck", "right_hip", "#00ff00"],
  ["neck", "left_hip", "#00ffff"],
  ["neck", "nose", "#0000ff"],
  ["nose", "right_eye", "#5500ff"],
  ["right_eye", "right_ear", "#aa00ff"],
  ["nose", "left_eye", "#ff00ff"],
  ["left_eye", "left_ear", "#ff00aa"],
  ["right_hip", "right_knee", "#00ff55"],
  ["right_knee", "right_ankle", "#00ffaa"],
  ["right_ankle", "right_heel", "#00ffaa"],
  ["right_heel", "right_foot_index", "#00ffaa"],
  ["left_hip", "left_knee", "#00aaff"],
  ["left_knee", "left_ankle", "#0055ff"],
  ["left_ankle", "left_heel", "#0055ff"],
  ["left_heel", "left_foot_index", "#0055ff"],
  ["right_shoulder", "right_elbow", "#ffaa00"],
  ["right_elbow", "right_wrist", "#ffff00"],
  ...HAND.map((point) => ["right_wrist", `right_${point}`, "#ffff00"]),
  ["left_shoulder", "left_elbow", "#aaff00"],
  ["left_elbow", "left_wrist", "#55ff00"],
  ...HAND.map((point) => ["left_wrist", `left_${point}`, "#55ff00"]),
];
// ControlNet's colours of joints.
const COLOURS = {
  nose: "#ff0000",
  right_shoulder: "#ffaa00",
  right_elbow: "#ffff00",
  right_wrist: "#aaff00",
  left_shoulder: "#55ff00",
  left_elbow: "#00ff00",
  left_wrist: "#00ff55",
  right_hip: "#00ffaa",
  right_knee: "#00ffff",
  right_ankle: "#00aaff",
  right_foot_index: "#00aaff",
  left_hip: "#0055ff",
  left_knee: "#0000ff",
  left_ankle: "#5500ff",
  left_foot_index: "#5500ff",
};
const isThin = (a, b) => !isMain(b) || (partOf(a) === "heel" && partOf(b) === "foot_index");

// -- plane geometry --------------------------------------------------------------------------

const add = (a, b) => [a[0] + b[0], a[1] + b[1]];
const sub = (a, b) => [a[0] - b[0], a[1] - b[1]];
const times = (a, k) => [a[0] * k, a[1] * k];
const middle = (a, b) => times(add(a, b), 0.5);
const cross = (a, b) => a[0] * b[1] - a[1] * b[0];
const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
const length = (a) => Math.hypot(a[0], a[1]);
const angleBetween = (a, b) => Math.atan2(cross(a, b), dot(a, b));
const turned = (a, angle) => {
  const [c, s] = [Math.cos(angle), Math.sin(angle)];
  return [c * a[0] - s * a[1], s * a[0] + c * a[1]];
};
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);

// -- moving joints ---------------------------------------------------------------------------
// `joints` maps names to [x, y, confidence]. These functions change the copy that they are given.

const at = (joints, name) => joints[name]?.slice(0, 2);
const put = (joints, name, point) => joints[name]?.splice(0, 2, ...point);
const copied = (joints) =>
  Object.fromEntries(Object.entries(joints).map(([name, joint]) => [name, [...joint]]));

/** Turn joints round a point, then shift them. */
function carry(joints, names, centre, angle, shift = [0, 0]) {
  for (const name of names) {
    if (!joints[name]) continue;
    const point = add(centre, turned(sub(at(joints, name), centre), angle));
    put(joints, name, add(point, shift));
  }
}

/** Bring the end of a two-bone limb to a target, or as near as the bones reach. */
function reach(joints, [rootName, midName, endName], attached, target, turnsAttached) {
  const [root, mid, end] = [rootName, midName, endName].map((name) => at(joints, name));
  const [upper, lower] = [length(sub(mid, root)), length(sub(end, mid))];
  const wanted = sub(target, root);
  const distance = clamp(length(wanted), Math.abs(upper - lower), upper + lower);
  const along = length(wanted) > 1e-6 ? wanted : sub(end, root);
  const direction = times(along, 1 / (length(along) || 1));
  // The law of cosines gives the bend; the limb keeps the side on which it is bent.
  const cosine = (upper ** 2 + distance ** 2 - lower ** 2) / (2 * upper * distance || 1);
  const side = bendSide(joints, rootName, root, mid, end);
  const bend = side * Math.acos(clamp(cosine, -1, 1));
  const newMid = add(root, times(turned(direction, bend), upper));
  const newEnd = add(root, times(direction, distance));
  const turn = turnsAttached ? angleBetween(sub(end, mid), sub(newEnd, newMid)) : 0;
  carry(joints, attached, end, turn, sub(newEnd, end));
  put(joints, midName, newMid);
  put(joints, endName, newEnd);
}

/** 1 or -1: to which side the middle joint lies; straight legs bend away from the body. */
function bendSide(joints, rootName, root, mid, end) {
  const bend = cross(sub(end, root), sub(mid, root));
  const isStraight = Math.abs(bend) < 0.02 * length(sub(mid, root)) * length(sub(end, root));
  const opposite = at(joints, otherSide(rootName));
  if (isStraight && partOf(rootName) === "hip" && opposite) {
    return Math.sign(cross(sub(end, root), sub(root, opposite))) || 1;
  }
  return Math.sign(bend) || 1;
}

/** Move one joint to a place; with `keepsLengths` the limbs turn and bend to follow. */
function moveJoint(joints, name, target, keepsLengths) {
  const [side, part] = [sideOf(name), partOf(name)];
  const here = at(joints, name);
  const shift = sub(target, here);
  const own = (parts) => of(side, parts);
  const all = (names) => names.every((other) => joints[other]);
  const between = (root) =>
    all(SIDES.map((s) => `${s}_${root}`))
      ? middle(at(joints, `left_${root}`), at(joints, `right_${root}`))
      : null;
  const turnRound = (centre, names) =>
    carry(joints, names, centre, angleBetween(sub(here, centre), sub(target, centre)));
  const attached = { nose: HEAD.slice(1), wrist: own(HAND), ankle: own(FOOT) }[part] ?? [];

  if (keepsLengths) {
    const [neck, pelvis] = [between("shoulder"), between("hip")];
    const arm = own(ARM.slice(0, 3));
    const leg = own(LEG.slice(0, 3));
    if (part === "nose" && neck) return turnRound(neck, HEAD);
    if (part === "shoulder" && pelvis) return turnRound(pelvis, UPPER_BODY);
    if (part === "elbow" && all(arm)) return turnRound(at(joints, arm[0]), own(ARM.slice(1)));
    if (part === "knee" && all(leg)) return turnRound(at(joints, leg[0]), own(LEG.slice(1)));
    if (part === "wrist" && all(arm)) return reach(joints, arm, attached, target, true);
    if (part === "ankle" && all(leg)) return reach(joints, leg, attached, target, true);
    if (part === "foot_index" && all(own(["ankle"]))) {
      return turnRound(at(joints, `${side}_ankle`), own(FOOT));
    }
    if (part === "hip") return movePelvis(joints, shift);
  }
  carry(joints, [name, ...attached], here, 0, shift);
}

/** Shift hips and upper body; the feet stay where they are as long as the legs reach. */
function movePelvis(joints, shift) {
  carry(joints, UPPER_BODY, [0, 0], 0, shift);
  for (const side of SIDES) {
    const leg = of(side, LEG.slice(0, 3));
    if (leg.some((name) => !joints[name])) {
      carry(joints, of(side, LEG), [0, 0], 0, shift);
      continue;
    }
    const ankle = at(joints, leg[2]);
    carry(joints, of(side, LEG), [0, 0], 0, shift);
    reach(joints, leg, of(side, FOOT), ankle, false);
  }
}

// -- state -----------------------------------------------------------------------------------

const SVG = "http://www.w3.org/2000/svg";
const SEND_EVERY_MS = 100;
const DRAG_FROM_PX = 3;
const MAX_HISTORY = 200;
const MAX_OUTSIDE = 0.6; // of the picture's longer side: how far out joints may go by hand
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

let size = null; // [height, width] of the picture; null while there is no pose
let photo = null;
let joints = {};
let hidden = new Set();
let original = null; // state as last set from Python
let version = 0; // of the newest edit, counted over all poses that this editor has held
let past = [];
let future = [];
let selected = null;
let hovered = null;
let gesture = null; // what the pointer does between down and up
let nudging = null; // state before the arrow key went down
let waiting = null; // a pose from Python that came while the user was dragging
let view = [0, 0, 1, 1]; // x, y, width, height shown
let frame = null; // four corners of the box round the figure, from the top left clockwise

const snapshot = () => ({ joints: copied(joints), hidden: new Set(hidden) });

function restore(state) {
  joints = copied(state.joints);
  hidden = new Set(state.hidden);
}

function isSame(a, b) {
  const text = (state) => JSON.stringify([state.joints, [...state.hidden].sort()]);
  return text(a) === text(b);
}

// -- to and from Python ----------------------------------------------------------------------

let unsent = false;
let timer = null;

function send() {
  if (!unsent) return;
  unsent = false;
  version += 1;
  props.value = valueNow();
  trigger("input");
}

function valueNow() {
  const rounded = ([x, y, c]) => [Math.round(x * 100) / 100, Math.round(y * 100) / 100, c];
  return {
    size,
    joints: Object.fromEntries(Object.entries(joints).map(([name, j]) => [name, rounded(j)])),
    hidden: [...hidden],
    photo,
    version,
  };
}

/** The pose changes while a hand is on it: tell Python now and then. */
function changed() {
  unsent = true;
  requestDraw();
  if (timer) return;
  send();
  timer = setTimeout(() => {
    timer = null;
    if (unsent) changed();
  }, SEND_EVERY_MS);
}

/** An edit is complete: remember what was before, tell Python the outcome. */
function committed(before) {
  if (!isSame(before, snapshot())) {
    past.push(before);
    if (past.length > MAX_HISTORY) past.shift();
    future = [];
  }
  settled();
}

function settled() {
  clearTimeout(timer);
  timer = null;
  send();
  trigger("release");
  fitView();
  draw();
}

/** Python has set the value. */
function received() {
  const given = props.value;
  const isEcho = size && given && given.version > 0 && given.version <= version;
  if (isEcho) {
    // One of our own that went round through Python: the hand here is newer.
    if (given.version !== version) props.value = valueNow();
    return;
  }
  if (gesture) waiting = { given };
  else load(given);
}

function load(given) {
  size = given?.size ?? null;
  photo = given?.photo ?? null;
  joints = copied(given?.joints ?? {});
  hidden = new Set(given?.hidden ?? []);
  version = Math.max(version, given?.version ?? 0);
  original = snapshot();
  past = [];
  future = [];
  selected = null;
  hovered = null;
  nudging = null;
  clearTimeout(timer);
  timer = null;
  unsent = false;
  fitView();
  draw();
}

// -- commands --------------------------------------------------------------------------------

function step(from, to) {
  endNudge();
  if (gesture || !from.length) return;
  to.push(snapshot());
  restore(from.pop());
  unsent = true;
  settled();
}

function edit(change) {
  if (gesture || !size) return;
  const before = snapshot();
  change();
  unsent = true;
  committed(before);
  draw();
}

const undo = () => step(past, future);
const redo = () => step(future, past);
const reset = () => edit(() => restore(original));
const showAll = () => edit(() => hidden.clear());

function toggleHidden() {
  if (!selected) return;
  edit(() => hidden.delete(selected) || hidden.add(selected));
}

/** Left becomes right about the figure's own middle, and faces the other way. */
function mirror() {
  edit(() => {
    const [x0, , x1] = figureBox();
    const mirrored = {};
    for (const [name, [x, y, c]] of Object.entries(joints)) {
      mirrored[otherSide(name)] = [x0 + x1 - x, y, c];
    }
    joints = mirrored;
    hidden = new Set([...hidden].map(otherSide));
    selected = selected && otherSide(selected);
  });
}

// -- the page --------------------------------------------------------------------------------

const ICONS = {
  undo: "M6 3 2.5 6.5 6 10M3 6.5h6.5a4 4 0 0 1 0 8H7",
  redo: "M10 3l3.5 3.5L10 10M13 6.5H6.5a4 4 0 0 0 0 8H9",
  mirror: "M8 2v12M5.5 4.5 1.5 12h4zM10.5 4.5l4 7.5h-4z",
  hide: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM3 13.5l10-11",
  showAll: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 .01 0",
  reset: "M3 2.5v3.6h3.6M3.2 6A5.4 5.4 0 1 1 2.7 9",
};

function make(tag, attributes = {}, parent = null) {
  const node = document.createElementNS(SVG, tag);
  set(node, attributes);
  parent?.append(node);
  return node;
}

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

const root = element.querySelector(".pose-editor");

function button(name, label, title, action, hasWord = true) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "tool";
  made.title = title;
  made.setAttribute("aria-label", label);
  const icon = make("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" });
  make("path", { d: ICONS[name] }, icon);
  made.append(icon);
  if (hasWord) made.append(Object.assign(document.createElement("span"), { textContent: label }));
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") !== "true") action();
  });
  return made;
}

function toggle(label, title, action) {
  const made = document.createElement("label");
  made.className = "toggle";
  made.title = title;
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  box.addEventListener("change", action);
  made.append(box, label);
  return [made, box];
}

const buttons = {
  undo: button("undo", "Undo", "Undo (Ctrl+Z)", undo, false),
  redo: button("redo", "Redo", "Redo (Ctrl+Shift+Z)", redo, false),
  mirror: button("mirror", "Mirror", "Turn the figure left to right", mirror),
  hide: button("hide", "Hide joint", "Hide or show the selected joint (Delete)", toggleHidden),
  showAll: button("showAll", "Show all", "Show all hidden joints", showAll),
  reset: button("reset", "Reset", "Back to the pose as it was given", reset),
};
const [keepLabel, keepBox] = toggle(
  "Keep limb lengths",
  "Limbs turn and bend but keep their length; hold Shift while dragging for the opposite",
  () => drawStatus(),
);
const [photoLabel, photoBox] = toggle("Show photo", "Show the photo behind the figure", () => draw());

const tools = document.createElement("div");
tools.className = "tools";
tools.setAttribute("role", "toolbar");
tools.setAttribute("aria-label", "Pose tools");
tools.append(...Object.values(buttons), keepLabel, photoLabel);

const svg = make("svg", { class: "view", role: "group", "aria-label": props.label || "Pose" });
const paper = make("rect", { class: "paper" }, svg);
const picture = make("image", { preserveAspectRatio: "none" }, svg);
const edge = make("rect", { class: "edge" }, svg);
const frameGroup = make("g", { class: "frame" }, svg);
const outlines = make("g", { class: "outlines" }, svg);
const strokes = make("g", { class: "strokes" }, svg);
const handleGroup = make("g", { class: "handles" }, svg);
const limbLines = LIMBS.map(([a, b, colour]) => [
  make("line", {}, outlines),
  make("line", { stroke: colour, "data-limb": `${a}-${b}` }, strokes),
]);

function control(label, className, parent, title = "") {
  const described = { class: className, tabindex: 0, role: "button", "aria-label": label };
  const made = make("g", described, parent);
  if (title) make("title", {}, made).textContent = title;
  return made;
}
const whole = control("whole figure", "whole", frameGroup);
const wholeDark = make("polygon", { class: "dark" }, whole);
const wholeLight = make("polygon", { class: "light" }, whole);
const stems = ["stem dark", "stem light"].map((name) => make("line", { class: name }, frameGroup));
const rotator = control("rotate figure", "grip rotator", frameGroup, "Rotate");
make("circle", { class: "hit" }, rotator);
make("circle", { class: "mark" }, rotator);
const corners = ["top left", "top right", "bottom right", "bottom left"].map((where) => {
  const corner = control(`scale figure, ${where}`, "grip corner", frameGroup, "Scale");
  make("circle", { class: "hit" }, corner);
  make("rect", { class: "mark" }, corner);
  return corner;
});

const handles = {};
for (const name of [...NAMES].sort((a, b) => isMain(a) - isMain(b))) {
  // small ones first, so that the large ones lie on top; both are reached by Tab
  const handle = control(words(name), `joint ${isMain(name) ? "main" : "small"}`, handleGroup);
  handle.dataset.joint = name;
  for (const kind of ["hit", "rim", "ring", "mark"]) make("circle", { class: kind }, handle);
  const colour = COLOURS[name] ?? LIMBS.find(([, to]) => to === name)[2];
  handle.style.setProperty("--joint-colour", colour);
  handles[name] = handle;
}

const status = document.createElement("p");
status.className = "status";
const empty = Object.assign(document.createElement("p"), {
  className: "empty",
  textContent: props.placeholder || "",
});
root.replaceChildren(tools, svg, empty, status);

// -- drawing ---------------------------------------------------------------------------------

const unit = () => {
  // pixels of the picture in one pixel of the screen
  const { width, height } = svg.getBoundingClientRect();
  return width && height ? Math.max(view[2] / width, view[3] / height) : 1;
};

/** x0, y0, x1, y1 of the visible joints, of all where none is visible; null without joints. */
function figureBox() {
  const names = Object.keys(joints);
  const visible = names.filter((name) => !hidden.has(name));
  const points = (visible.length ? visible : names).map((name) => at(joints, name));
  if (!points.length) return null;
  const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

/** About the top of the head, so that the frame leaves the face free; null without a visible one. */
function crown() {
  const known = ["nose", "left_shoulder", "right_shoulder"];
  if (known.some((name) => !joints[name] || hidden.has(name))) return null;
  const [nose, left, right] = known.map((name) => at(joints, name));
  return add(nose, times(sub(nose, middle(left, right)), 0.6));
}

/** How far out joints may be placed by hand: x0, y0, x1, y1. */
function bounds() {
  const out = MAX_OUTSIDE * Math.max(...size);
  return [-out, -out, size[1] + out, size[0] + out];
}

/** Show the picture with a margin, and joints outside as far as is sensible. */
function fitView() {
  if (!size) return;
  const margin = 0.06 * Math.max(...size);
  const limit = bounds();
  const box = figureBox() ?? [0, 0, size[1], size[0]];
  const x0 = Math.max(Math.min(0, box[0]), limit[0]) - margin;
  const y0 = Math.max(Math.min(0, box[1]), limit[1]) - margin;
  const x1 = Math.min(Math.max(size[1], box[2]), limit[2]) + margin;
  const y1 = Math.min(Math.max(size[0], box[3]), limit[3]) + margin;
  view = [x0, y0, x1 - x0, y1 - y0];
  set(svg, { viewBox: view.join(" ") });
  svg.style.aspectRatio = `${view[2]} / ${view[3]}`;
}

/** A place moved into the view, so that its handle can be reached. */
function inView([x, y], inset) {
  return [
    clamp(x, view[0] + inset, view[0] + view[2] - inset),
    clamp(y, view[1] + inset, view[1] + view[3] - inset),
  ];
}

let drawing = false;
function requestDraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  root.classList.toggle("is-empty", !size);
  root.classList.toggle("is-dragging", Boolean(gesture?.moved));
  if (size) {
    const px = unit();
    drawPicture(px);
    drawLimbs(px);
    drawHandles(px);
    drawFrame(px);
  }
  drawButtons();
  drawStatus();
}

function drawPicture(px) {
  const area = { x: 0, y: 0, width: size[1], height: size[0] };
  set(paper, area);
  set(edge, { ...area, "stroke-width": px });
  set(picture, area);
  if (photo && picture.getAttribute("href") !== photo) picture.setAttribute("href", photo);
  picture.style.display = photo && photoBox.checked ? "" : "none";
}

/** Width of the limbs and radius of the handles on the screen: finer for small figures. */
function weights(px) {
  const box = figureBox();
  const tall = box ? Math.max(box[2] - box[0], box[3] - box[1]) / px : 0;
  return { limb: clamp(tall / 90, 2.2, 5) * px, joint: clamp(tall / 70, 4.2, 6.5) * px };
}

function drawLimbs(px) {
  const { limb } = weights(px);
  const shoulders = SIDES.map((side) => `${side}_shoulder`);
  const place = (name) =>
    name !== "neck"
      ? at(joints, name)
      : shoulders.every((joint) => joints[joint])
        ? middle(...shoulders.map((joint) => at(joints, joint)))
        : null;
  const isHidden = (name) =>
    name === "neck" ? shoulders.some((joint) => hidden.has(joint)) : hidden.has(name);
  LIMBS.forEach(([a, b], i) => {
    const [start, end] = [place(a), place(b)];
    const width = isThin(a, b) ? limb * 0.5 : limb;
    for (const [line, extra] of [
      [limbLines[i][0], 2.5 * px],
      [limbLines[i][1], 0],
    ]) {
      line.style.display = start && end ? "" : "none";
      if (!start || !end) continue;
      set(line, { x1: start[0], y1: start[1], x2: end[0], y2: end[1] });
      set(line, { "stroke-width": width + extra });
      line.classList.toggle("faint", isHidden(a) || isHidden(b));
    }
  });
}

function drawHandles(px) {
  const { joint } = weights(px);
  for (const [name, handle] of Object.entries(handles)) {
    handle.style.display = joints[name] ? "" : "none";
    if (!joints[name]) continue;
    const [cx, cy] = inView(at(joints, name), 8 * px);
    const [hit, rim, ring, mark] = handle.children;
    const isHidden = hidden.has(name);
    const isRinged = name === selected || name === hovered;
    const radius = isMain(name) ? joint : joint * 0.55;
    set(hit, { cx, cy, r: (isMain(name) ? 12 : 10) * px });
    set(rim, { cx, cy, r: radius + (isRinged ? 5.5 : 1.6) * px });
    set(ring, { cx, cy, r: radius + 3.6 * px, "stroke-width": 1.8 * px });
    set(mark, { cx, cy, r: radius, "stroke-width": (isMain(name) ? 1.6 : 1.2) * px });
    set(mark, { "stroke-dasharray": isHidden ? `${2.5 * px} ${2 * px}` : "none" });
    set(handle, { "aria-description": isHidden ? "hidden" : "" });
    handle.classList.toggle("is-hidden", isHidden);
    handle.classList.toggle("is-selected", name === selected);
    handle.classList.toggle("is-hovered", name === hovered);
  }
}

function drawFrame(px) {
  const box = figureBox();
  frameGroup.style.display = box ? "" : "none";
  if (!box) return;
  if (gesture?.frame) {
    frame = gesture.frame.map(gesture.transform);
  } else {
    const pad = 14 * px;
    const top = crown() ?? [box[0], box[1]];
    const [left, upper] = [Math.min(box[0], top[0]), Math.min(box[1], top[1])];
    const [right, lower] = [Math.max(box[2], top[0]), Math.max(box[3], top[1])];
    const [x0, y0] = inView([left - pad, upper - pad], 8 * px);
    const [x1, y1] = inView([right + pad, lower + pad], 8 * px);
    frame = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
  }
  const points = frame.map((corner) => corner.join(",")).join(" ");
  set(wholeDark, { points, "stroke-width": 2.6 * px });
  set(wholeLight, { points, "stroke-width": px, "stroke-dasharray": `${4 * px} ${4 * px}` });
  frame.forEach(([x, y], i) => {
    const [, hit, mark] = corners[i].children;
    set(hit, { cx: x, cy: y, r: 12 * px });
    set(mark, { x: x - 4.5 * px, y: y - 4.5 * px, width: 9 * px, height: 9 * px, rx: 1.5 * px });
    set(mark, { "stroke-width": 1.4 * px });
  });
  const top = middle(frame[0], frame[1]);
  const [cx, cy] = rotatorPlace(px);
  const [, hit, mark] = rotator.children;
  const line = { x1: top[0], y1: top[1], x2: cx, y2: cy };
  stems.forEach((stem, i) => set(stem, { ...line, "stroke-width": (i ? 1 : 2.6) * px }));
  set(hit, { cx, cy, r: 12 * px });
  set(mark, { cx, cy, r: 5.5 * px, "stroke-width": 1.4 * px });
}

/** Above the middle of the frame's upper edge. */
function rotatorPlace(px) {
  const up = sub(frame[0], frame[3]);
  const out = times(up, (22 * px) / (length(up) || 1));
  return inView(add(middle(frame[0], frame[1]), out), 8 * px);
}

function drawButtons() {
  const isHidden = selected !== null && hidden.has(selected);
  const hide = isHidden ? "Show joint" : "Hide joint";
  buttons.hide.lastChild.textContent = hide;
  buttons.hide.setAttribute("aria-label", hide);
  set(buttons.hide.querySelector("path"), { d: ICONS[isHidden ? "showAll" : "hide"] });
  const able = {
    undo: past.length,
    redo: future.length,
    mirror: figureBox(),
    hide: selected !== null,
    showAll: hidden.size,
    reset: !isSame(original, snapshot()),
  };
  for (const [name, made] of Object.entries(buttons)) {
    // not `disabled`: that would take the focus away, and Ctrl+Z with it
    made.setAttribute("aria-disabled", String(!able[name]));
  }
  photoBox.disabled = !photo;
}

function drawStatus() {
  const named = hovered ?? selected;
  if (!size) status.textContent = "";
  else if (named && joints[named]) {
    const [x, y] = at(joints, named).map(Math.round);
    const name = words(named).replace(/^./, (letter) => letter.toUpperCase());
    status.textContent = `${name} · ${x}, ${y}${hidden.has(named) ? " · hidden" : ""}`;
  } else {
    const shift = keepBox.checked ? "change limb lengths" : "keep limb lengths";
    const hint = matchMedia("(pointer: coarse)").matches ? "" : ` Hold Shift to ${shift}.`;
    status.textContent = `Drag a joint, or the frame for the whole figure.${hint}`;
  }
}

// -- pointer ---------------------------------------------------------------------------------

function placeOf(event) {
  const matrix = svg.getScreenCTM();
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.inverse());
  return [point.x, point.y];
}

/** What lies under the pointer: the nearest handle within reach, the figure's box, or nothing. */
function under(event) {
  const px = unit();
  const point = placeOf(event);
  const slack = event.pointerType === "touch" ? 6 : 0;
  let best = null;
  const consider = (found, place, reachPx, bonus) => {
    const distance = length(sub(point, place)) / px;
    if (distance > reachPx + slack) return;
    if (!best || distance - bonus < best.cost) best = { ...found, cost: distance - bonus };
  };
  for (const name of Object.keys(joints)) {
    const bonus = (isMain(name) ? 4 : 0) + (name === selected ? 3 : 0);
    const place = inView(at(joints, name), 8 * px);
    consider({ kind: "joint", name }, place, isMain(name) ? 13 : 10, bonus);
  }
  if (frame) {
    frame.forEach((corner, index) => consider({ kind: "scale", index }, corner, 12, 0));
    consider({ kind: "rotate" }, rotatorPlace(px), 12, 0);
    const [x0, y0, x1, y1] = [...frame[0], ...frame[2]];
    const isInside = point[0] > x0 && point[0] < x1 && point[1] > y0 && point[1] < y1;
    if (!best && isInside) best = { kind: "move" };
  }
  return best;
}

function hover(found) {
  const cursors = { joint: "grab", move: "move", rotate: "grab" };
  const isDiagonal = found?.kind === "scale" && found.index % 2 === 0;
  svg.style.cursor =
    found?.kind === "scale"
      ? `${isDiagonal ? "nwse" : "nesw"}-resize`
      : (cursors[found?.kind] ?? "default");
  const name = found?.kind === "joint" ? found.name : null;
  if (name === hovered) return;
  hovered = name;
  requestDraw();
}

svg.addEventListener("pointerdown", (event) => {
  if (gesture || !size || event.button !== 0) return;
  const found = under(event);
  event.preventDefault();
  select(found?.kind === "joint" ? found.name : null);
  if (!found) return;
  svg.setPointerCapture(event.pointerId);
  const place = placeOf(event);
  gesture = { ...found, pointer: event.pointerId, before: snapshot(), moved: false };
  Object.assign(gesture, { from: place, fromPx: [event.clientX, event.clientY] });
  if (found.kind === "joint") gesture.grip = sub(at(joints, found.name), place);
  else Object.assign(gesture, { frame, transform: (point) => point });
});

svg.addEventListener("pointermove", (event) => {
  if (!gesture) {
    if (size) hover(event.pointerType === "mouse" ? under(event) : null);
    return;
  }
  if (event.pointerId !== gesture.pointer) return;
  const travelled = length(sub([event.clientX, event.clientY], gesture.fromPx));
  if (!gesture.moved && travelled < DRAG_FROM_PX) return;
  gesture.moved = true;
  svg.style.cursor = gesture.kind === "scale" ? svg.style.cursor : "grabbing";
  drag(placeOf(event), event.shiftKey);
});

svg.addEventListener("pointerleave", () => !gesture && hover(null));

for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
  svg.addEventListener(type, (event) => event.pointerId === gesture?.pointer && endGesture());
}

/** Each move starts from the pose at pointer-down, so that nothing adds up. */
function drag(place, isShift) {
  const [x0, y0, x1, y1] = bounds();
  restore(gesture.before);
  if (gesture.kind === "joint") {
    const [x, y] = add(place, gesture.grip);
    const target = [clamp(x, x0, x1), clamp(y, y0, y1)];
    moveJoint(joints, gesture.name, target, keepBox.checked !== isShift);
    joints[gesture.name][2] = 1;
  } else {
    gesture.transform = transformOf(gesture, place, isShift);
    transformFigure(gesture.transform);
  }
  changed();
}

/** The map of the plane for a drag of the frame. */
function transformOf({ kind, index, frame, from }, place, isShift) {
  const centre = middle(frame[0], frame[2]);
  if (kind === "move") return shifting(sub(place, from), centre);
  if (kind === "rotate") {
    const angle = angleBetween(sub(from, centre), sub(place, centre));
    const notch = Math.PI / 12;
    return rotating(isShift ? Math.round(angle / notch) * notch : angle, centre);
  }
  const anchor = frame[(index + 2) % 4];
  const diagonal = sub(frame[index], anchor);
  const stretched = add(diagonal, sub(place, from));
  return scaling(dot(stretched, diagonal) / dot(diagonal, diagonal), anchor, length(diagonal));
}

/** The figure's middle stays in the picture. */
function shifting([dx, dy], centre) {
  const x = clamp(centre[0] + dx, 0, size[1]) - centre[0];
  const y = clamp(centre[1] + dy, 0, size[0]) - centre[1];
  return (point) => add(point, [x, y]);
}

function rotating(angle, centre) {
  return (point) => add(centre, turned(sub(point, centre), angle));
}

function scaling(factor, anchor, diagonal) {
  const longer = Math.max(...size);
  const bounded = clamp(factor, (0.04 * longer) / diagonal, (4 * longer) / diagonal);
  return (point) => add(anchor, times(sub(point, anchor), bounded));
}

function transformFigure(transform) {
  for (const name of Object.keys(joints)) put(joints, name, transform(at(joints, name)));
}

function endGesture(isCancelled = false) {
  const { before, moved } = gesture;
  gesture = null;
  if (isCancelled) restore(before);
  if (waiting) {
    load(waiting.given);
    waiting = null;
  } else if (moved && isCancelled) {
    unsent = true;
    settled();
  } else if (moved) committed(before);
  draw();
}

// -- keyboard --------------------------------------------------------------------------------

function select(name) {
  selected = name;
  if (name) handles[name].focus({ preventScroll: true });
  else if (root.contains(document.activeElement)) document.activeElement.blur();
  draw();
}

handleGroup.addEventListener("focusin", (event) => {
  const name = event.target.dataset.joint;
  if (gesture || !name || name === selected) return;
  selected = name;
  draw();
});

root.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const isCommand = event.ctrlKey || event.metaKey;
  if (isCommand && !event.altKey && (key === "z" || key === "y")) {
    (key === "y" || event.shiftKey ? redo : undo)();
  } else if (event.key === "Escape") {
    if (gesture) endGesture(true);
    select(null);
  } else if (svg.contains(event.target) && !isCommand && size && !gesture) {
    if (ARROWS[event.key]) nudge(event.target, ARROWS[event.key], event.shiftKey ? 10 : 1);
    else if (selected && ["Delete", "Backspace"].includes(event.key)) toggleHidden();
    else return;
  } else return;
  event.preventDefault();
});

/** Arrow keys: a joint or the figure by pixels, its turn by degrees, its size by percents. */
function nudge(target, direction, amount) {
  const name = target.dataset.joint;
  const step = times(direction, amount);
  const forward = (direction[0] || -direction[1]) * amount;
  const centre = frame && middle(frame[0], frame[2]);
  nudging ??= snapshot();
  if (name && joints[name]) {
    const [x0, y0, x1, y1] = bounds();
    const [x, y] = add(at(joints, name), step);
    moveJoint(joints, name, [clamp(x, x0, x1), clamp(y, y0, y1)], keepBox.checked);
    joints[name][2] = 1;
  } else if (target === whole) transformFigure(shifting(step, centre));
  else if (target === rotator) transformFigure(rotating((forward * Math.PI) / 180, centre));
  else if (corners.includes(target)) {
    const diagonal = length(sub(frame[0], frame[2]));
    transformFigure(scaling(1 + forward / 100, centre, diagonal));
  }
  changed();
}

/** However long an arrow key was held, it is one step of the history. */
function endNudge() {
  if (!nudging) return;
  const before = nudging;
  nudging = null;
  committed(before);
}

root.addEventListener("keyup", (event) => ARROWS[event.key] && endNudge());
root.addEventListener("focusout", endNudge);

// -- start -----------------------------------------------------------------------------------

new ResizeObserver(() => draw()).observe(svg);
watch("value", received);
load(props.value || null);
