// Photos that were found: a list of buttons, one for each photo.
//
// `props.value` is {matches: [{rank, name, score, mirrored, picture}, ...]}, set by Python alone.
// `select` is triggered, with the name, when one is chosen, if `props.choosable`.

const list = element.querySelector(".matches");
let chosen = null; // a name

function card(match) {
  const item = document.createElement("li");
  const box = document.createElement(props.choosable ? "button" : "div");
  if (props.choosable) {
    box.type = "button";
    box.setAttribute("aria-pressed", String(match.name === chosen));
    box.addEventListener("click", () => choose(box, match.name));
  }
  box.title = match.name;
  const frame = document.createElement("span");
  frame.className = "match-frame";
  const picture = document.createElement("img");
  picture.alt = "";
  picture.src = match.picture;
  frame.append(picture);
  const words = document.createElement("span");
  words.className = "match-words";
  const name = document.createElement("span");
  name.className = "match-name";
  name.textContent = `${match.rank}. ${match.name}`;
  const score = document.createElement("span");
  score.className = "match-score";
  score.textContent = match.score.toFixed(2) + (match.mirrored ? ", mirrored" : "");
  words.append(name, score);
  box.append(frame, words);
  item.append(box);
  return item;
}

function choose(box, name) {
  chosen = name;
  for (const other of list.querySelectorAll("button"))
    other.setAttribute("aria-pressed", String(other === box));
  trigger("select", { name });
}

function show() {
  list.replaceChildren(...(props.value?.matches ?? []).map(card));
}

watch("value", show);
show();
