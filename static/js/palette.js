/* Ctrl-K finds every page and action: typing narrows the list, arrows move in it, Enter opens. */
const shown = (list) => [...list.querySelectorAll("li:not([hidden]) a")];

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    const button = document.querySelector("[data-palette]");
    if (!button || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    button.click();
    return;
  }
  const list = document.getElementById("palette-list");
  const input = document.querySelector("[data-filter]");
  if (!list || !input || !["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
  const links = shown(list);
  if (event.key === "Enter") {
    if (event.target !== input || !links.length) return;
    event.preventDefault();
    links[0].click();
    return;
  }
  event.preventDefault();
  const places = [input, ...links];
  const next = places.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
  places[Math.min(Math.max(next, 0), places.length - 1)].focus();
});

document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-filter]")) return;
  const words = event.target.value.toLowerCase().split(/\s+/);
  document.getElementById(event.target.dataset.filter).querySelectorAll("li").forEach((item) => {
    const text = item.textContent.toLowerCase();
    item.hidden = !words.every((word) => text.includes(word));
  });
});
