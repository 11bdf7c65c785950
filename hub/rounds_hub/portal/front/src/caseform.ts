/** The form of a case: rows of codes, order of series, and text that is never lost. */

export function watchCaseForm(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-case-form]");
  if (form === null) return;
  form.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button[data-do]");
    if (button === null || !act(form, button)) return;
    event.preventDefault();
    form.dispatchEvent(new Event("input"));
  });
  guard(form);
}

function act(form: HTMLFormElement, button: HTMLButtonElement): boolean {
  const row = button.closest<HTMLElement>("[data-row]");
  switch (button.dataset["do"]) {
    case "add-code": {
      const blank = form.querySelector<HTMLTemplateElement>("#blank-code");
      const list = form.querySelector("#codes");
      if (blank === null || list === null) return false;
      list.append(blank.content.cloneNode(true));
      list.lastElementChild?.querySelector<HTMLElement>("input, select")?.focus();
      return true;
    }
    case "remove":
      row?.remove();
      return true;
    case "up": {
      const before = row?.previousElementSibling;
      if (row !== null && before) before.before(row);
      button.focus();
      return true;
    }
    case "down": {
      const after = row?.nextElementSibling;
      if (row !== null && after) after.after(row);
      button.focus();
      return true;
    }
    default:
      return false;
  }
}

/** Ask before a page with unsaved text is left. */
function guard(form: HTMLFormElement): void {
  let unsaved = form.dataset["unsaved"] === "yes";
  const mark = (): void => {
    unsaved = true;
    form.querySelector("[data-unsaved-note]")?.removeAttribute("hidden");
  };
  form.addEventListener("input", mark);
  form.addEventListener("submit", () => (unsaved = false));
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit(form.querySelector<HTMLButtonElement>("button[name=save]"));
    }
  });
}
