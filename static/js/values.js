/* Writes a message's values into the nodes that ask for them, once in each animation frame. */
import { ageOf, direction, format, moment, unbroken } from "./format.js";

const values = new Map();
const fresh = new Set();
let frame = 0;

const flatten = (prefix, object) => {
  for (const [name, value] of Object.entries(object)) {
    const key = `${prefix}.${name}`;
    if (value !== null && typeof value === "object") {
      if (!Array.isArray(value)) flatten(key, value);
    } else if (values.get(key) !== value) {
      values.set(key, value);
      fresh.add(key);
    }
  }
};

const text = (node, value) => {
  if (node.textContent === value) return;
  node.textContent = value;
  node.classList.remove("flash");
  void node.offsetWidth; // starts the animation again
  node.classList.add("flash");
};

const WRITERS = {
  change: (node, value) => {
    const way = value === null ? "" : direction(Number(value));
    node.classList.toggle("up", way === "up");
    node.classList.toggle("down", way === "down");
    text(node, { up: "▲ ", down: "▼ ", "": "" }[way] + format(value, "signed-percent"));
  },
  badge: (node, value) => {
    if (!value) return;
    const word = value.replaceAll("_", " ");
    node.className = `badge badge-${value.replaceAll("_", "-").toLowerCase()}`;
    text(node, { BUY: "▲ BUY", SELL: "▼ SELL" }[value] || (value === value.toUpperCase() ? value : word[0].toUpperCase() + word.slice(1)));
  },
  gauge: (node, value) => {
    const share = value === null ? null : Number(value);
    const at = Math.min(Math.max(share ?? 0, 0), 1) * 100;
    const mark = node.querySelector("circle");
    mark.toggleAttribute("hidden", share === null);
    mark.setAttribute("cx", `${at.toFixed(2)}%`);
    node.setAttribute("aria-valuenow", at.toFixed(2));
    node.classList.toggle("gauge-out", at < Number(node.dataset.low) - 1e-4 || at > Number(node.dataset.high) + 1e-4);
    node.querySelector(".number").textContent = format(value, "percent");
  },
  moment: (node, value) => {
    if (!value) return;
    const there = moment(value, node.dataset.zone, "seconds" in node.dataset);
    const own = moment(value, node.dataset.ownZone || node.dataset.zone);
    node.dateTime = value;
    node.textContent = `${there.day} ${there.clock} ${there.zone}${own.clock === there.clock ? "" : ` · ${own.clock} ${own.zone}`}`;
  },
  age: (node, value) => { node.dataset.since = value; node.textContent = ageOf(value); },
  progress: (node, value) => { node.value = Number(value); },
  words: (node, value) => { node.textContent = format(value, "words"); },
  sentence: (node, value) => { if (value) node.textContent = unbroken(value); },
  show: (node, value) => {
    node.hidden = "notEquals" in node.dataset ? String(value) === node.dataset.notEquals : String(value) !== node.dataset.equals;
  },
};

const write = (node) => {
  const value = values.get(node.dataset.live);
  if (value === undefined) return;
  const writer = WRITERS[node.dataset.format];
  if (writer) writer(node, value);
  else text(node, format(value, node.dataset.format));
};

const flush = () => {
  frame = 0;
  document.querySelectorAll("[data-live]").forEach((node) => {
    if (fresh.has(node.dataset.live)) write(node);
  });
  fresh.clear();
};

export const show = (message) => {
  const { cells = [], fills: _fills, ...portfolio } = message;
  flatten(`portfolio.${message.portfolio_id}`, portfolio);
  for (const cell of cells) flatten(`cell.${cell.id}`, cell);
  if (!frame) frame = requestAnimationFrame(flush);
};

setInterval(() => {
  document.querySelectorAll('[data-format="age"][data-since]').forEach((node) => {
    node.textContent = ageOf(node.dataset.since);
  });
}, 1000);
