/** Set the theme before anything is drawn; runs from the head, first of all. */

const chosen = document.documentElement.dataset["theme"] ?? "auto";
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  const now = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
  document.documentElement.dataset["bsTheme"] = now;
}

apply();
dark.addEventListener("change", apply);
