/** Menus are <details>: close them by Escape, by a click elsewhere, by leaving. */

/**
 * What narrows a search down is folded where it would fill the whole screen, until
 * somebody opens it; a new answer of the search leaves it as it was.
 */
function foldOnSmallScreens(): void {
  if (!window.matchMedia("(max-width: 47.99rem)").matches) return;
  let folded = document.querySelector("[data-fold] input:checked") === null;
  const apply = (): void => {
    const fold = document.querySelector<HTMLDetailsElement>("details[data-fold]");
    if (fold === null) return;
    fold.open = !folded;
    fold.addEventListener("toggle", () => (folded = !fold.open));
  };
  apply();
  document.addEventListener("htmx:afterSwap", apply);
}

function open(): HTMLDetailsElement[] {
  return [...document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")];
}

export function watchMenus(): void {
  foldOnSmallScreens();
  document.addEventListener("click", (event) => {
    for (const menu of open()) {
      if (!menu.contains(event.target as Node)) menu.open = false;
    }
  });
  document.addEventListener("focusin", (event) => {
    for (const menu of open()) {
      if (!menu.contains(event.target as Node)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-once]")) {
    form.addEventListener("submit", () => {
      for (const button of form.querySelectorAll<HTMLButtonElement>("button[type=submit]")) {
        window.setTimeout(() => (button.disabled = true));
      }
    });
  }
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const button of document.querySelectorAll<HTMLButtonElement>("form[data-once] button")) {
      button.disabled = false;
    }
  });
}
