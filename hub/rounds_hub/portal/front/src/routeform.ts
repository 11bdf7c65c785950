/** The form of a route: names offered while a condition is written, order of actions. */

interface Name {
  word: string;
  kind: string;
  meaning: string;
}

const LEAST = 2;
const WORD = /[A-Za-z_][A-Za-z0-9_]*$/;

export function watchRouteForm(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-route-form]");
  if (form === null) return;
  form.addEventListener("click", order);
  const field = form.querySelector<HTMLTextAreaElement>("textarea[data-names]");
  const list = form.querySelector<HTMLUListElement>("#names");
  if (field !== null && list !== null) new Suggestions(field, list);
}

/** Move an action up or down, or take it out. */
function order(event: Event): void {
  const button = (event.target as Element).closest<HTMLButtonElement>("button[data-do]");
  const row = button?.closest<HTMLElement>("[data-row]");
  if (!button || !row) return;
  const doing = button.dataset["do"];
  if (doing === "remove") row.remove();
  else if (doing === "up") row.previousElementSibling?.before(row);
  else if (doing === "down") row.nextElementSibling?.after(row);
  if (doing !== "remove") button.focus();
}

class Suggestions {
  private names: Name[] = [];
  private chosen = 0;
  private asked = 0;

  constructor(
    private readonly field: HTMLTextAreaElement,
    private readonly list: HTMLUListElement,
  ) {
    field.addEventListener("input", () => void this.ask());
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => this.close());
    list.addEventListener("mousedown", (event) => {
      const item = (event.target as Element).closest<HTMLElement>("[data-place]");
      event.preventDefault();
      if (item !== null) this.take(Number(item.dataset["place"]));
    });
  }

  /** The word before the cursor, nothing inside a text in quotes. */
  private word(): string {
    const before = this.field.value.slice(0, this.field.selectionStart);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    const open = line.replace(/"[^"]*"|'[^']*'/g, "");
    return /["']/.test(open) ? "" : (WORD.exec(before)?.[0] ?? "");
  }

  private async ask(): Promise<void> {
    const word = this.word();
    const asked = ++this.asked;
    if (word.length < LEAST) {
      this.close();
      return;
    }
    const address = `${this.field.dataset["names"] ?? ""}?start=${encodeURIComponent(word)}`;
    const answer = await fetch(address, { headers: { accept: "application/json" } });
    if (!answer.ok || asked !== this.asked) return;
    this.names = (await answer.json()) as Name[];
    const only = this.names[0];
    if (only === undefined || (this.names.length === 1 && only.word === word)) this.close();
    else this.show();
  }

  private show(): void {
    this.chosen = 0;
    this.list.replaceChildren(...this.names.map((name, place) => item(name, place)));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.mark();
  }

  private close(): void {
    this.names = [];
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  private mark(): void {
    this.list.querySelectorAll("[data-place]").forEach((one, place) => {
      one.setAttribute("aria-selected", String(place === this.chosen));
      if (place !== this.chosen) return;
      one.scrollIntoView({ block: "nearest" });
      this.field.setAttribute("aria-activedescendant", one.id);
    });
  }

  private key(event: KeyboardEvent): void {
    if (this.names.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      this.chosen = (this.chosen + step + this.names.length) % this.names.length;
      this.mark();
    } else if (event.key === "Enter" || event.key === "Tab") this.take(this.chosen);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }

  /** Put a name in the place of the word that was begun. */
  private take(place: number): void {
    const name = this.names[place];
    if (name === undefined) return;
    const end = this.field.selectionStart;
    this.field.setRangeText(name.word, end - this.word().length, end, "end");
    this.close();
    this.field.focus();
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
    this.asked++;
  }
}

function item(name: Name, place: number): HTMLLIElement {
  const made = document.createElement("li");
  made.id = `name-${place}`;
  made.dataset["place"] = String(place);
  made.setAttribute("role", "option");
  const word = document.createElement("b");
  word.textContent = name.word;
  const meaning = document.createElement("span");
  meaning.textContent = `${name.meaning} · ${name.kind}`;
  made.append(word, meaning);
  return made;
}
