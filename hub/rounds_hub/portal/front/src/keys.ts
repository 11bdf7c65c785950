/** The keys of a page: `/` search, `?` help, and one key for each [data-key]. */

export function typing(event: KeyboardEvent): boolean {
  const at = event.target;
  return (
    event.ctrlKey || event.metaKey || event.altKey ||
    (at instanceof HTMLElement && at.closest("input:not([type=range]):not([type=checkbox]), textarea, select, [contenteditable]") !== null)
  );
}

export function watchKeys(): void {
  const help = document.querySelector<HTMLDialogElement>("#keys");
  for (const button of document.querySelectorAll("[data-open-keys]")) {
    button.addEventListener("click", () => help?.showModal());
  }
  document.addEventListener("keydown", (event) => {
    if (typing(event) || help?.open === true) return;
    if (event.key === "?") {
      help?.showModal();
      event.preventDefault();
    } else if (event.key === "/") {
      document.querySelector<HTMLInputElement>("#find")?.focus();
      event.preventDefault();
    } else if (event.key === "h") {
      reveal();
    } else {
      press(event);
    }
  });
}

/** Show all that is hidden of a case; hide it where nothing is hidden any more. */
function reveal(): void {
  const all = [...document.querySelectorAll<HTMLDetailsElement>("details[data-reveal]")];
  const show = all.some((one) => !one.open);
  for (const one of all) one.open = show;
}

function press(event: KeyboardEvent): void {
  if (event.repeat || !/^[a-z]$/.test(event.key)) return;
  const thing = document.querySelector<HTMLElement>(`[data-key="${event.key}"]`);
  if (thing === null) return;
  event.preventDefault();
  if (thing instanceof HTMLDetailsElement) {
    thing.open = !thing.open;
    const first = thing.open ? thing.querySelector<HTMLElement>(".sheet a, .sheet button") : null;
    (first ?? thing.querySelector("summary"))?.focus();
  } else {
    thing.click();
  }
}
