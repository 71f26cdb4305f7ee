// The scribble pad: strokes of a pencil or an eraser on white paper.
//
// `props.value` is {size: [height, width], strokes: [{width, rub, points: [[x, y], ...]}]} and is
// written here alone. Python answers with `props.lines`, [x0, y0, x1, y1, colour] each: the figure
// that it understood, laid over the strokes. `release` is triggered when a stroke ends.

const canvas = element.querySelector("canvas");
const paper = canvas.getContext("2d");
const [height, width] = props.value.size;
canvas.width = width;
canvas.height = height;

let strokes = props.value.strokes ?? [];
let undone = [];
let lines = [];
let stroke = null;
let rub = false;

function trace(one) {
  paper.globalCompositeOperation = one.rub ? "destination-out" : "source-over";
  paper.strokeStyle = paper.fillStyle = "#1d2430";
  paper.lineWidth = one.width;
  paper.lineCap = paper.lineJoin = "round";
  paper.beginPath();
  const [first, ...rest] = one.points;
  paper.moveTo(...first);
  // a lone point is a dot
  for (const point of rest.length ? rest : [[first[0] + 0.01, first[1]]]) paper.lineTo(...point);
  paper.stroke();
  paper.globalCompositeOperation = "source-over";
}

function redraw() {
  paper.clearRect(0, 0, width, height);
  paper.globalAlpha = lines.length ? 0.35 : 1;
  strokes.forEach(trace);
  if (stroke) trace(stroke);
  paper.globalAlpha = 1;
  paper.lineCap = "round";
  for (const [pen, shade] of [[9, "#ffffff"], [5, null]]) {
    for (const [x0, y0, x1, y1, colour] of lines) {
      paper.lineWidth = pen;
      paper.strokeStyle = shade ?? colour;
      paper.beginPath();
      paper.moveTo(x0, y0);
      paper.lineTo(x1, y1);
      paper.stroke();
    }
  }
  element.querySelector(".pad-hint").hidden = strokes.length > 0 || stroke !== null;
  element.querySelector("[data-do=undo]").disabled = !strokes.length;
  element.querySelector("[data-do=redo]").disabled = !undone.length;
  element.querySelector("[data-do=clear]").disabled = !strokes.length;
}

function changed() {
  lines = [];
  props.lines = [];
  props.value = { size: [height, width], strokes };
  redraw();
  trigger("release");
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [
    Math.round(((event.clientX - box.left) / box.width) * width * 10) / 10,
    Math.round(((event.clientY - box.top) / box.height) * height * 10) / 10,
  ];
}

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  const pen = Number(element.querySelector("input[type=range]").value);
  stroke = { width: rub ? 4 * pen : pen, rub, points: [place(event)] };
  redraw();
});

canvas.addEventListener("pointermove", (event) => {
  if (!stroke) return;
  const all = event.getCoalescedEvents?.() ?? [];
  for (const one of all.length ? all : [event]) stroke.points.push(place(one));
  redraw();
});

function finish() {
  if (!stroke) return;
  strokes = [...strokes, stroke];
  undone = [];
  stroke = null;
  changed();
}
canvas.addEventListener("pointerup", finish);
canvas.addEventListener("pointercancel", finish);

const deeds = {
  pencil: () => choose(false),
  eraser: () => choose(true),
  undo: () => {
    if (!strokes.length) return;
    undone.push(strokes.at(-1));
    strokes = strokes.slice(0, -1);
    changed();
  },
  redo: () => {
    if (!undone.length) return;
    strokes = [...strokes, undone.pop()];
    changed();
  },
  clear: () => {
    if (!strokes.length) return;
    undone = [];
    strokes = [];
    changed();
  },
};

function choose(eraser) {
  rub = eraser;
  for (const [name, on] of [["pencil", !rub], ["eraser", rub]]) {
    element.querySelector(`[data-do=${name}]`).setAttribute("aria-pressed", String(on));
  }
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) deeds[button.dataset.do]();
});

element.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key === "z" || key === "y") {
    event.preventDefault();
    deeds[key === "y" || event.shiftKey ? "redo" : "undo"]();
  }
});

watch("lines", () => {
  if (stroke) return;
  lines = props.lines ?? [];
  redraw();
});

redraw();
