"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const place = `protloc-labels-${page.study}-${page.set}`;
const names = page.answers.map((answer) => answer.name);
const $ = (id) => document.getElementById(id);
const channels = ["nucleus", "protein"];
const look = { field: false, outline: true };
let state = stored() || fresh();

/** What a page knows that nobody has used yet: labels that came with it count as exported. */
function fresh() {
  const labels = {};
  for (const cell of page.cells) if (cell.label) labels[cell.id] = cell.label;
  return { labels, at: first(labels), history: [], exported: csv(labels) };
}

function stored() {
  try {
    return JSON.parse(localStorage.getItem(place));
  } catch (error) {
    return null;
  }
}

/** Keep the state at once; where a browser keeps nothing, say so. */
function keep() {
  try {
    localStorage.setItem(place, JSON.stringify(state));
  } catch (error) {
    say("This browser keeps no labels: export them before you close the page.", true);
  }
}

/** The number of the first cell without a label, or of the last cell. */
function first(labels) {
  const open = page.cells.findIndex((cell) => !labels[cell.id]);
  return open < 0 ? page.cells.length - 1 : open;
}

/** Every cell of the page, labelled or not, and where it lies, so that a mix-up of segmentations is noticed. */
function csv(labels) {
  const lines = page.cells.map((cell) => [cell.id, labels[cell.id] || "", cell.y_um, cell.x_um].join(","));
  return ["cell_id,label,y_um,x_um", ...lines.sort()].join("\n") + "\n";
}

const unexported = () => csv(state.labels) !== state.exported;

function say(text, warning = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("warning", warning);
}

/** Give labels as one step that can be undone: pairs of cell id and label. */
function give(pairs) {
  state.history.push({ at: state.at, before: pairs.map(([id]) => [id, state.labels[id] || ""]) });
  put(pairs);
}

function put(pairs) {
  for (const [id, label] of pairs) {
    if (label) state.labels[id] = label;
    else delete state.labels[id];
  }
}

function answer(name) {
  give([[page.cells[state.at].id, name]]);
  say("");
  if (state.at < page.cells.length - 1) state.at += 1;
  else say(left() ? `This was the last cell; ${left()} have no label yet.` : "All cells have a label. Export them.");
  update();
}

function undo() {
  const step = state.history.pop();
  if (!step) return say("Nothing to undo.");
  put(step.before);
  state.at = step.at;
  say("Undone.");
  update();
}

function go(to) {
  state.at = Math.min(Math.max(to, 0), page.cells.length - 1);
  say("");
  update();
}

const left = () => page.cells.filter((cell) => !state.labels[cell.id]).length;

function update() {
  keep();
  render();
}

// Files

function save() {
  const text = csv(state.labels);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `protloc-labels-${page.study}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  state.exported = text;
  say(`Exported as ${link.download}.`);
  update();
}

/** The values of a line of CSV, quotes taken off. */
function values(line) {
  const found = line.match(/("([^"]|"")*"|[^,]*)(,|$)/g).slice(0, line.endsWith(",") ? undefined : -1);
  return found.map((value) => value.replace(/,$/, "").replace(/^"(.*)"$/, "$1").replaceAll('""', '"').trim());
}

/** Take labels of an earlier file for cells that have none here; count all others. */
function take(text) {
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/).filter(Boolean).map(values);
  const [id, label] = ["cell_id", "label"].map((column) => (lines[0] || []).indexOf(column));
  if (id < 0 || label < 0) return say("Not imported: the file has no columns cell_id and label.", true);
  const rows = lines.slice(1).filter((row) => row[label]);
  const wrong = rows.find((row) => !names.includes(row[label]));
  if (wrong) return say(`Not imported: ${wrong[label]} is no class of this study.`, true);
  const here = new Set(page.cells.map((cell) => cell.id));
  const ours = rows.filter((row) => here.has(row[id]));
  const open = ours.filter((row) => !state.labels[row[id]]);
  const differ = ours.filter((row) => state.labels[row[id]] && state.labels[row[id]] !== row[label]).length;
  if (open.length) give(open.map((row) => [row[id], row[label]]));
  state.at = first(state.labels);
  const words = [`${open.length} labels imported`];
  if (differ) words.push(`${differ} differ from those here, which stay`);
  if (rows.length > ours.length) words.push(`${rows.length - ours.length} are of cells that this page lacks`);
  say(words.join("; ") + ".", differ > 0 || rows.length > ours.length);
  update();
}

// What is seen

function render() {
  const cell = page.cells[state.at];
  const given = Object.values(state.labels);
  const unsure = given.filter((label) => label === "unsure").length;
  $("bar").max = page.cells.length;
  $("bar").value = given.length;
  $("count").textContent = `${given.length} of ${page.cells.length} labelled` + (unsure ? `, ${unsure} unsure` : "");
  $("where").textContent = `Cell ${state.at + 1} of ${page.cells.length}`;
  $("back").disabled = state.at === 0;
  $("next").disabled = state.at === page.cells.length - 1;
  $("undo").disabled = !state.history.length;
  $("outline").src = cell.outline;
  $("outline").hidden = !look.outline;
  $("contrast").setAttribute("aria-pressed", look.field);
  $("outlined").setAttribute("aria-pressed", look.outline);
  channels.forEach((channel, number) => show(channel, cell[channel], look.field ? cell.field[number] : [1, 0]));
  for (const button of $("answers").children)
    button.setAttribute("aria-pressed", state.labels[cell.id] === button.dataset.name);
  page.cells.forEach((other, number) => mark($("strip").children[number], state.labels[other.id], number));
}

/** Put a channel into its pictures, its brightness times `slope` plus `shift`. */
function show(channel, source, [slope, shift]) {
  for (const image of document.querySelectorAll(`[data-channel=${channel}]`)) image.src = source;
  for (const part of document.querySelectorAll(`#grey-${channel} feComponentTransfer > *`)) {
    part.setAttribute("slope", slope);
    part.setAttribute("intercept", shift);
  }
}

function mark(button, label, number) {
  button.className = label === "unsure" ? "unsure" : label ? "labelled" : "";
  button.ariaLabel = button.title = `Cell ${number + 1}: ${label || "no label"}`;
  if (number === state.at) button.setAttribute("aria-current", "true");
  else button.removeAttribute("aria-current");
}

function build() {
  channels.forEach((channel, number) => {
    const rows = page.tints[number].map((part) => `${part} 0 0 0 0`);
    document.querySelector(`#tint-${channel} feColorMatrix`).setAttribute("values", [...rows, "0 0 0 1 0"].join(" "));
  });
  $("scale").firstElementChild.style.width = `${100 * page.bar.share}%`;
  $("scale").prepend(`${page.bar.um} µm`);
  for (const { name, key } of page.answers) {
    const button = document.createElement("button");
    const cap = document.createElement("kbd");
    cap.textContent = key;
    button.type = "button";
    button.dataset.name = name;
    button.append(cap, name.replaceAll("_", " "));
    button.addEventListener("click", () => answer(name));
    $("answers").append(button);
  }
  page.cells.forEach((_, number) => {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1; // the arrow keys lead to every cell
    button.addEventListener("click", () => go(number));
    $("strip").append(button);
  });
}

// What is pressed

const keys = {
  ArrowLeft: () => go(state.at - 1),
  ArrowRight: () => go(state.at + 1),
  Backspace: () => go(state.at - 1),
  z: undo,
  c: () => toggle("field"),
  o: () => toggle("outline"),
};
for (const { name, key } of page.answers) keys[key] = () => answer(name);

function toggle(what) {
  look[what] = !look[what];
  render();
}

document.addEventListener("keydown", (event) => {
  const undoing = (event.ctrlKey || event.metaKey) && event.key === "z";
  const held = event.repeat && !event.key.startsWith("Arrow"); // one press, one label
  if (held || event.altKey || ((event.ctrlKey || event.metaKey) && !undoing)) return;
  // A digit is its place on the keyboard, since some layouts have it under Shift; a letter is what is printed on it.
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  const act = keys[digit ? digit[1] : event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
for (const [id, act] of [
  ["undo", undo],
  ["export", save],
  ["back", keys.ArrowLeft],
  ["next", keys.ArrowRight],
  ["contrast", keys.c],
  ["outlined", keys.o],
])
  $(id).addEventListener("click", act);
$("import").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  if (file) take(await file.text());
  event.target.value = "";
});
addEventListener("beforeunload", (event) => {
  if (unexported()) event.preventDefault();
});
addEventListener("storage", (event) => {
  if (event.key !== place || !event.newValue) return; // the same page in another tab: its labels are ours
  state = JSON.parse(event.newValue);
  render();
});

build();
render();
