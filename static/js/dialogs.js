/* Links and forms that open over the page; without script the same addresses are pages of their own. */
const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");
let opener = null;
let typed = false;

const open = async (link) => {
  opener = link;
  try {
    await window.htmx.ajax("GET", link.href, { target: body, swap: "innerHTML" });
  } catch {
    location.assign(link.href);
    return;
  }
  if (!body.childElementCount) return;
  typed = false;
  dialog.showModal();
  body.querySelector("[autofocus], input:not([type=hidden]), select, button")?.focus();
};

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    link.closest("details")?.removeAttribute("open");
    open(link);
    return;
  }
  if (event.target.closest("[data-close]") && dialog.contains(event.target)) {
    event.preventDefault();
    dialog.close();
  }
  if (event.target === dialog && !typed) dialog.close();
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.removeAttribute("open");
  });
  event.target.closest("[data-dismiss]")?.closest(".toast")?.remove();
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.menu[open]").forEach((menu) => {
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
  });
});

/* A click beside a form that somebody filled in, or a selection that ends there, loses nothing: × and Escape close it. */
body?.addEventListener("input", (event) => {
  typed ||= event.target.closest("form[method=post]") !== null;
});

dialog?.addEventListener("close", () => {
  body.replaceChildren();
  opener?.focus();
});

/* A refused form comes back as 422 with what was typed; it is shown where it was. */
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 422) {
    event.detail.shouldSwap = true;
    event.detail.isError = false;
  }
});

/* A live part is not redrawn under a reader's hands. */
document.addEventListener("htmx:beforeRequest", (event) => {
  const part = event.detail.elt;
  if (!part.hasAttribute("data-refresh")) return;
  const selection = document.getSelection();
  const reading = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  if (document.hidden || reading || part.contains(document.activeElement)) event.preventDefault();
});
