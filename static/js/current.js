/* Rows of links that scroll sideways on a small screen show where one is. */
const show = () => document.querySelectorAll(".tabs [aria-current], .topbar nav [aria-current]").forEach((link) => {
  const row = link.parentElement;
  const [here, whole] = [link.getBoundingClientRect(), row.getBoundingClientRect()];
  if (here.left < whole.left || here.right > whole.right) {
    row.scrollLeft += here.left - whole.left - (whole.width - here.width) / 2;
  }
});

document.addEventListener("htmx:load", show);
show();
