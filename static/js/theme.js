/* Loaded before the page is painted: the theme chosen in this browser, else the system's. */
(() => {
  const root = document.documentElement;
  const read = () => {
    try { return localStorage.getItem("volbal.theme") || "system"; } catch { return "system"; }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    document.querySelectorAll("[data-theme-choice]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === theme));
    });
    document.dispatchEvent(new CustomEvent("volbal:theme"));
  };
  show(read());
  document.addEventListener("DOMContentLoaded", () => {
    show(read());
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-theme-choice]");
      if (!button) return;
      try { localStorage.setItem("volbal.theme", button.dataset.themeChoice); } catch { /* private window: this page only */ }
      show(button.dataset.themeChoice);
    });
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show(read()));
})();
