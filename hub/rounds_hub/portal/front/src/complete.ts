/** The field of words completes what is typed: a combobox as ARIA describes it. */

const PAUSE = 140;
const LEAST = 2;
const WIDE = /[\u2e80-\u9fff\uf900-\ufaff]/;

export function watchCompletion(): void {
  for (const field of document.querySelectorAll<HTMLInputElement>("input[data-complete]")) {
    const list = document.getElementById(field.getAttribute("aria-controls") ?? "");
    if (list !== null) new Completion(field, list);
  }
}

class Completion {
  private words: string[] = [];
  private chosen = -1;
  private asked = 0;
  private timer = 0;

  constructor(
    private readonly field: HTMLInputElement,
    private readonly list: HTMLElement,
  ) {
    field.addEventListener("input", (event) => {
      // While a Chinese word is being composed, what stands there is no word yet.
      if (!(event as InputEvent).isComposing) this.soon();
    });
    field.addEventListener("compositionend", () => this.soon());
    field.addEventListener("keydown", (event) => this.key(event));
    field.addEventListener("blur", () => this.close());
    field.form?.addEventListener("submit", () => this.close());
    list.addEventListener("mousedown", (event) => {
      const item = (event.target as Element).closest<HTMLElement>("[data-at]");
      event.preventDefault();
      if (item !== null) this.take(Number(item.dataset["at"]), true);
    });
  }

  private soon(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.ask(), PAUSE);
  }

  private async ask(): Promise<void> {
    const typed = this.field.value.trim();
    const asked = ++this.asked;
    const enough = typed.length >= LEAST || WIDE.test(typed);
    const words = enough ? await this.fetch(typed) : [];
    if (asked !== this.asked || document.activeElement !== this.field) return;
    this.words = words.filter((one) => one.toLowerCase() !== typed.toLowerCase());
    if (this.words.length === 0) this.close();
    else this.show();
  }

  private async fetch(typed: string): Promise<string[]> {
    const address = `${this.field.dataset["complete"] ?? ""}?q=${encodeURIComponent(typed)}`;
    try {
      const answer = await fetch(address, { headers: { accept: "application/json" } });
      return answer.ok ? ((await answer.json()) as string[]) : [];
    } catch {
      // Without an answer there is nothing to offer; what is typed can still be asked.
      return [];
    }
  }

  private show(): void {
    this.chosen = -1;
    this.list.replaceChildren(...this.words.map((word, at) => item(word, at, this.field.value.trim())));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.mark();
  }

  private close(): void {
    this.asked += 1;
    window.clearTimeout(this.timer);
    this.words = [];
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  private mark(): void {
    this.field.removeAttribute("aria-activedescendant");
    this.list.querySelectorAll("[data-at]").forEach((one, at) => {
      one.setAttribute("aria-selected", String(at === this.chosen));
      if (at === this.chosen) this.field.setAttribute("aria-activedescendant", one.id);
    });
  }

  private key(event: KeyboardEvent): void {
    if (this.words.length === 0 || event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined) {
      // One place more than there are words: the last is what was typed.
      const places = this.words.length + 1;
      this.chosen = ((this.chosen + 1 + step + places) % places) - 1;
      this.mark();
    } else if (event.key === "Enter" && this.chosen >= 0) this.take(this.chosen, true);
    else if (event.key === "Tab" && this.chosen >= 0) this.take(this.chosen, false);
    else if (event.key === "Escape") this.close();
    else return;
    event.preventDefault();
  }

  private take(at: number, send: boolean): void {
    const word = this.words[at];
    if (word === undefined) return;
    this.field.value = word;
    this.close();
    this.field.focus();
    if (send) this.field.form?.requestSubmit();
  }
}

/** One offer; what is typed already is plain, what comes to it is strong. */
function item(word: string, at: number, typed: string): HTMLLIElement {
  const made = document.createElement("li");
  made.id = `completion-${at}`;
  made.dataset["at"] = String(at);
  made.setAttribute("role", "option");
  const same = word.toLowerCase().startsWith(typed.toLowerCase()) ? typed.length : 0;
  const more = document.createElement("b");
  more.textContent = word.slice(same);
  made.append(word.slice(0, same), more);
  return made;
}
