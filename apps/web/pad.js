// The drawing pad: strokes of a brush, straight lines, an eraser and filled areas on white paper.
//
// `props.value` is {size: [height, width], strokes: [...]} and is written here alone; a stroke is
// {width, rub, colour, points: [[x, y], ...]} or, filled in, {colour, runs: [[y, x0, x1], ...]}.
// `release` is triggered when a stroke ends and whenever the drawing changes otherwise.
//
// From Python: `props.given`, {token, strokes}, becomes the drawing; `props.lines`, [x0, y0, x1, y1,
// colour] each, is laid over the strokes; `props.shadow` is a picture's address, laid under them as
// strongly as `props.strength` says and no part of the drawing; `props.starts` holds ready-made
// drawings by name; `props.painting` says whether there are colours.

const canvas = element.querySelector("canvas");
const view = canvas.getContext("2d");
const [height, width] = props.value.size;
canvas.width = width;
canvas.height = height;
const sheet = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
sheet.canvas.width = width;
sheet.canvas.height = height;

const INK = "#1d2430";
const ERASER = 4; // its width, in widths of the brush
const SAME = 60; // differences of colour up to which a fill goes on
const FRINGE = 190; // and up to which it takes the soft edge of a line
const GAP = 2; // gaps of twice so many pixels are taken as closed
const STEP = 12; // of an arrow key
const KEYS = { b: "brush", l: "line", e: "eraser", f: "fill" };

let strokes = props.value.strokes ?? [];
let past = [];
let future = [];
let lines = [];
let shadow = null; // a picture
let stroke = null;
let tool = "brush";
let colour = INK;
let cursor = null; // of the keyboard
const one = (selector) => element.querySelector(selector);
const all = (selector) => [...element.querySelectorAll(selector)];
const widths = all("[data-width]").map((button) => Number(button.dataset.width));
let pen = widths[1];

function trace(paper, given) {
  if (given.runs) {
    paper.fillStyle = given.colour;
    for (const [y, x0, x1] of given.runs) paper.fillRect(x0, y, x1 - x0, 1);
    return;
  }
  paper.strokeStyle = given.rub ? "#ffffff" : given.colour ?? INK;
  paper.lineWidth = given.width;
  paper.lineCap = paper.lineJoin = "round";
  paper.beginPath();
  const [first, ...rest] = given.points;
  paper.moveTo(...first);
  // a lone point is a dot
  for (const point of rest.length ? rest : [[first[0] + 0.01, first[1]]]) paper.lineTo(...point);
  paper.stroke();
}

function blank(paper) {
  paper.fillStyle = "#ffffff";
  paper.fillRect(0, 0, width, height);
}

function redraw() {
  blank(view);
  view.globalAlpha = lines.length ? 0.35 : 1;
  view.drawImage(sheet.canvas, 0, 0);
  if (stroke) trace(view, stroke);
  if (shadow) {
    view.globalCompositeOperation = "multiply"; // as if it lay under the strokes
    view.globalAlpha = props.strength ?? 1;
    view.drawImage(shadow, 0, 0, width, height);
    view.globalCompositeOperation = "source-over";
  }
  view.globalAlpha = 1;
  view.lineCap = "round";
  for (const [thick, shade] of [[9, "#ffffff"], [5, null]]) {
    for (const [x0, y0, x1, y1, own] of lines) {
      view.lineWidth = thick;
      view.strokeStyle = shade ?? own;
      view.beginPath();
      view.moveTo(x0, y0);
      view.lineTo(x1, y1);
      view.stroke();
    }
  }
  if (cursor && canvas.matches(":focus-visible")) crosshair();
  one(".pad-hint").hidden = strokes.length > 0 || stroke !== null;
  one("[data-do=undo]").disabled = !past.length;
  one("[data-do=redo]").disabled = !future.length;
  one("[data-do=clear]").disabled = !strokes.length;
}

function crosshair() {
  const [x, y] = cursor;
  for (const [thick, shade] of [[4, "#ffffff"], [2, "#0f766e"]]) {
    view.lineWidth = thick;
    view.strokeStyle = shade;
    view.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      view.moveTo(x + 4 * dx, y + 4 * dy);
      view.lineTo(x + 14 * dx, y + 14 * dy);
    }
    view.stroke();
  }
}

function retrace() {
  blank(sheet);
  for (const given of strokes) trace(sheet, given);
}

function changed() {
  lines = [];
  props.lines = [];
  props.value = { size: [height, width], strokes };
  redraw();
  trigger("release");
}

// The drawing becomes another one, which can be undone.
function become(next) {
  past.push(strokes);
  future = [];
  strokes = next;
  retrace();
  changed();
}

// -- filling ------------------------------------------------------------------------------------

function grown(inside, allowed) {
  const next = inside.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (inside[i] || !allowed(i)) continue;
      const near =
        (x > 0 && inside[i - 1]) || (x < width - 1 && inside[i + 1])
        || (y > 0 && inside[i - width]) || (y < height - 1 && inside[i + width]);
      if (near) next[i] = 1;
    }
  }
  return next;
}

function flooded(open, start) {
  const inside = new Uint8Array(width * height);
  const waiting = [start];
  inside[start] = 1;
  while (waiting.length) {
    const i = waiting.pop();
    const x = i % width;
    for (const [to, there] of [
      [i - 1, x > 0], [i + 1, x < width - 1], [i - width, i >= width],
      [i + width, i < (height - 1) * width],
    ]) {
      if (there && open[to] && !inside[to]) {
        inside[to] = 1;
        waiting.push(to);
      }
    }
  }
  return inside;
}

// Runs [y, x0, x1) of the area round a place that has its colour; null if it is filled already.
function area([px, py], wanted) {
  const x = Math.min(width - 1, Math.max(0, Math.floor(px)));
  const y = Math.min(height - 1, Math.max(0, Math.floor(py)));
  const start = y * width + x;
  const pixels = sheet.getImageData(0, 0, width, height).data;
  const [r, g, b] = pixels.subarray(4 * start, 4 * start + 3);
  const to = [1, 3, 5].map((k) => parseInt(wanted.slice(k, k + 2), 16));
  if (Math.max(Math.abs(r - to[0]), Math.abs(g - to[1]), Math.abs(b - to[2])) < 3) return null;
  const apart = new Uint8Array(width * height);
  const open = new Uint8Array(width * height);
  for (let i = 0; i < apart.length; i++) {
    apart[i] = Math.max(
      Math.abs(pixels[4 * i] - r), Math.abs(pixels[4 * i + 1] - g), Math.abs(pixels[4 * i + 2] - b),
    );
    open[i] = apart[i] <= SAME ? 1 : 0;
  }
  // a line that is not quite closed holds all the same
  let walls = open.map((value) => 1 - value);
  for (let k = 0; k < GAP; k++) walls = grown(walls, () => true);
  let inside;
  if (walls[start]) {
    inside = flooded(open, start);
  } else {
    inside = flooded(walls.map((value) => 1 - value), start);
    for (let k = 0; k < GAP; k++) inside = grown(inside, (i) => open[i]);
  }
  inside = grown(inside, (i) => apart[i] < FRINGE);
  const runs = [];
  for (let row = 0; row < height; row++) {
    for (let at = 0; at < width; at++) {
      if (!inside[row * width + at]) continue;
      const from = at;
      while (at < width && inside[row * width + at]) at++;
      runs.push([row, from, at]);
    }
  }
  return runs;
}

function fill(place) {
  const runs = area(place, colour);
  if (runs) become([...strokes, { colour, runs }]);
}

// -- strokes ------------------------------------------------------------------------------------

function begin(place) {
  const rub = tool === "eraser";
  stroke = { width: rub ? ERASER * pen : pen, rub, colour, points: [place] };
  redraw();
}

function go(places) {
  if (tool === "line") stroke.points = [stroke.points[0], places.at(-1)];
  else stroke.points.push(...places);
  redraw();
}

function finish() {
  if (!stroke) return;
  const done = stroke;
  stroke = null;
  become([...strokes, done]);
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [
    Math.round(((event.clientX - box.left) / box.width) * width * 10) / 10,
    Math.round(((event.clientY - box.top) / box.height) * height * 10) / 10,
  ];
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  cursor = null;
  if (tool === "fill") return fill(place(event));
  canvas.setPointerCapture(event.pointerId);
  begin(place(event));
});

canvas.addEventListener("pointermove", (event) => {
  if (!stroke || !event.isPrimary || !canvas.hasPointerCapture(event.pointerId)) return;
  const moves = event.getCoalescedEvents?.() ?? [];
  go((moves.length ? moves : [event]).map(place));
});
for (const name of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(name, (event) => event.isPrimary && finish());
}

// -- buttons and keys ---------------------------------------------------------------------------

const deeds = {
  undo: () => {
    if (!past.length) return;
    future.push(strokes);
    strokes = past.pop();
    retrace();
    changed();
  },
  redo: () => {
    if (!future.length) return;
    past.push(strokes);
    strokes = future.pop();
    retrace();
    changed();
  },
  clear: () => strokes.length && become([]),
};

function press(selector, chosen) {
  for (const button of all(selector)) button.setAttribute("aria-pressed", String(chosen(button)));
}

function choose(name) {
  if (!one(`[data-tool=${name}]`)) return;
  if (stroke) finish();
  tool = name;
  press("[data-tool]", (button) => button.dataset.tool === tool);
}

function thicken(to) {
  pen = to;
  press("[data-width]", (button) => Number(button.dataset.width) === pen);
}

function dip(into) {
  colour = into;
  press("[data-colour]", (button) => button.dataset.colour === colour);
  if (tool === "eraser") choose("brush");
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const { do: deed, tool: name, width: wide, colour: into, start } = button.dataset;
  if (deed) deeds[deed]();
  if (name) choose(name);
  if (wide) thicken(Number(wide));
  if (into) dip(into);
  if (start) become(props.starts[start]);
});

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function onPaper(event) {
  cursor ??= [width / 2, height / 2];
  if (event.key in ARROWS) {
    const step = event.shiftKey ? 2 : STEP;
    const limits = [width, height];
    cursor = cursor.map((at, k) =>
      Math.min(limits[k] - 1, Math.max(0, at + step * ARROWS[event.key][k])),
    );
    if (stroke) go([cursor]);
  } else if (tool === "fill") {
    fill(cursor);
  } else if (stroke) {
    finish();
  } else {
    begin(cursor);
  }
  redraw();
}

element.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return;
    deeds[key === "y" || event.shiftKey ? "redo" : "undo"]();
  } else if (event.altKey) {
    return;
  } else if (KEYS[key]) {
    choose(KEYS[key]);
  } else if (key === "[" || key === "]") {
    const at = widths.indexOf(pen) + (key === "]" ? 1 : -1);
    if (widths[at]) thicken(widths[at]);
  } else if (key === "escape" && stroke) {
    stroke = null;
    redraw();
  } else if (event.target === canvas && (event.key in ARROWS || key === " " || key === "enter")) {
    onPaper(event);
  } else {
    return;
  }
  event.preventDefault();
});
canvas.addEventListener("focus", () => {
  if (canvas.matches(":focus-visible")) cursor ??= [width / 2, height / 2];
  redraw();
});
canvas.addEventListener("blur", () => {
  finish();
  redraw();
});

function painting() {
  const palette = one(".pad-palette");
  palette.hidden = !props.painting;
  if (palette.hidden && colour !== INK) dip(INK);
}

function underlay() {
  const wanted = props.shadow;
  if (!wanted) {
    shadow = null;
    return redraw();
  }
  const picture = new Image();
  picture.onload = () => {
    if (props.shadow !== wanted) return; // another one by now
    shadow = picture;
    redraw();
  };
  picture.src = wanted;
}

watch("given", () => {
  if (!props.given) return;
  stroke = null;
  become(props.given.strokes);
});
watch("shadow", underlay);
watch("strength", redraw);
watch("lines", () => {
  if (stroke) return;
  lines = props.lines ?? [];
  redraw();
});
watch("painting", painting);

painting();
retrace();
redraw();
