/** «Find like this» in the viewer: the slice, a region drawn on it, or the series. */

import { Region, inPixels, inWords } from "./region";

interface Now {
  axis: number;
  columns: number;
  rows: number;
  slice: number;
  uid: string;
}

export function watchLike(): void {
  for (const place of document.querySelectorAll<HTMLElement>("[data-viewer]")) {
    if (place.querySelector("[data-like]") !== null) new Like(place);
  }
}

class Like {
  private readonly pad: HTMLElement;
  private readonly bar: HTMLElement;
  private readonly said: HTMLElement;
  private readonly region: Region;

  constructor(private readonly place: HTMLElement) {
    this.pad = this.part("[data-region-pad]");
    this.bar = this.part("[data-region-bar]");
    this.said = this.part("[data-region-said]");
    this.region = new Region(this.pad, this.part<HTMLImageElement>(".screen img"), (box, how) => {
      this.part<HTMLButtonElement>("[data-like-do=find]").disabled = false;
      this.said.textContent = inWords(box);
      if (how === "entered") this.find();
    });
    place.addEventListener("click", (event) => this.click(event));
    // Before the viewer hears of it: Escape ends the drawing.
    this.pad.addEventListener("keydown", (event) => this.key(event), true);
    place.addEventListener("rounds:shown", () => this.shown());
    this.shown();
  }

  private click(event: Event): void {
    const button = (event.target as Element).closest<HTMLButtonElement>("[data-like-do]");
    if (button === null) return;
    const doing = button.dataset["likeDo"];
    const menu = button.closest<HTMLDetailsElement>("details");
    if (menu !== null) menu.open = false;
    const { slice, uid } = this.now;
    if (doing === "series") this.go({ series: uid });
    else if (doing === "slice") this.go({ series: uid, slice: String(slice) });
    else if (doing === "region") this.begin();
    else if (doing === "find") this.find();
    else this.end();
  }

  private key(event: KeyboardEvent): void {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this.end();
  }

  private begin(): void {
    this.region.set(null);
    this.pad.hidden = false;
    this.bar.hidden = false;
    this.said.textContent = "";
    this.part<HTMLButtonElement>("[data-like-do=find]").disabled = true;
    this.pad.focus();
  }

  private end(): void {
    this.pad.hidden = true;
    this.bar.hidden = true;
    this.part<HTMLElement>("[data-like] summary").focus();
  }

  private find(): void {
    const { columns, rows, slice, uid } = this.now;
    if (this.region.box === null) return;
    this.go({ series: uid, slice: String(slice), region: inPixels(this.region.box, columns, rows) });
  }

  private go(asked: Record<string, string>): void {
    window.location.assign(`${this.place.dataset["likeAt"] ?? ""}?${new URLSearchParams(asked)}`);
  }

  /** A slice is one of those that were taken: other planes are cut, and cannot be asked with. */
  private shown(): void {
    const cut = this.now.axis !== 0;
    for (const name of ["slice", "region"]) {
      this.part<HTMLButtonElement>(`[data-like-do=${name}]`).disabled = cut;
    }
    this.part("[data-like-cut]").hidden = !cut;
    if (cut && !this.pad.hidden) this.end();
    this.region.place();
  }

  private get now(): Now {
    return JSON.parse(this.place.dataset["now"] ?? "{}") as Now;
  }

  private part<T extends HTMLElement = HTMLElement>(selector: string): T {
    const found = this.place.querySelector<T>(selector);
    if (found === null) throw new Error(`The viewer has no ${selector}.`);
    return found;
  }
}
