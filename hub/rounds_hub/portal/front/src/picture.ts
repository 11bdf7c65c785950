/**
 * Search by a picture: chosen, dropped or pasted, drawn on, and asked again with every
 * change of words and filters. What was sent is kept by nobody but this tab.
 */

import htmx from "htmx.org";

import { Region, fromPixels, inPixels, inWords } from "./region";

interface Configured {
  formData: FormData;
  parameters: FormData;
  path: string;
  useUrlParams: boolean;
  verb: string;
}

const KEPT = "rounds-asked";
const LARGEST_KEPT = 2_500_000;
const EXAMPLE = ["like", "series", "slice", "region"];

export function watchPictureSearch(): void {
  const place = document.querySelector<HTMLElement>("[data-search]");
  const input = document.querySelector<HTMLInputElement>("#picture");
  if (place !== null && input !== null) new PictureSearch(place, input);
}

class PictureSearch {
  private files: File[] = [];
  private url = "";
  /** Where the focus goes when what has it now gives way: the count, or a new hit. */
  private next = -1;

  constructor(
    private readonly place: HTMLElement,
    private readonly input: HTMLInputElement,
  ) {
    input.addEventListener("change", () => this.take([...(input.files ?? [])]));
    document.addEventListener("click", (event) => {
      if ((event.target as Element).closest("[data-pick]") !== null) input.click();
    });
    // The name of a search to keep is nothing to search by.
    place.addEventListener("change", (event) => {
      if ((event.target as Element).closest(".save-sheet") !== null) event.stopPropagation();
    }, true);
    this.listenToDrops();
    document.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.take(files);
    });
    document.body.addEventListener("htmx:configRequest", (event) => this.configure((event as CustomEvent<Configured>).detail));
    document.body.addEventListener("htmx:historyRestore", () => this.drawn());
    place.addEventListener("htmx:beforeSwap", (event) => this.leave(event));
    place.addEventListener("htmx:afterSettle", () => this.drawn());
    // htmx knows the forms of the page once it is there whole.
    document.addEventListener("DOMContentLoaded", () => this.drawn());
  }

  private listenToDrops(): void {
    const veil = document.querySelector<HTMLElement>("[data-drop-veil]");
    const show = (on: boolean): void => {
      if (veil !== null) veil.hidden = !on;
    };
    document.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files") !== true) return;
      event.preventDefault();
      show(true);
    });
    document.addEventListener("dragleave", (event) => {
      if (event.relatedTarget === null) show(false);
    });
    document.addEventListener("drop", (event) => {
      show(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.take(files);
    });
  }

  private take(files: File[]): void {
    this.input.value = "";
    if (files.length === 0) return;
    this.hold(files);
    this.keep(files);
    this.ask({ picture: nameOf(files) });
  }

  private hold(files: File[]): void {
    URL.revokeObjectURL(this.url);
    this.files = files;
    const only = files.length === 1 ? files[0] : undefined;
    this.url = only !== undefined && /^image\/(png|jpeg)$/.test(only.type) ? URL.createObjectURL(only) : "";
  }

  /** Keep a small picture for this tab, so that it is there after a reload. */
  private keep(files: File[]): void {
    const only = files[0];
    sessionStorage.removeItem(KEPT);
    if (files.length !== 1 || only === undefined || only.size > LARGEST_KEPT) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      try {
        sessionStorage.setItem(KEPT, JSON.stringify({ who: this.who, name: only.name, data: reader.result }));
      } catch {
        // The tab keeps no more; after a reload the page says that the picture is gone.
      }
    });
    reader.readAsDataURL(only);
  }

  /** Search anew with an example in place of the one before. */
  private ask(example: Record<string, string>): void {
    const form = this.form;
    for (const name of [...EXAMPLE, "picture"]) form.querySelector(`input[type=hidden][name=${name}]`)?.remove();
    for (const [name, value] of Object.entries(example)) {
      const made = document.createElement("input");
      Object.assign(made, { type: "hidden", name, value });
      form.append(made);
    }
    htmx.trigger(form, "submit");
  }

  /** What is asked beside a picture that was sent goes with it, as a form. */
  private configure(detail: Configured): void {
    const [path = "", query = ""] = detail.path.split("?");
    if (path !== this.place.dataset["search"]) return;
    const said = new FormData();
    new URLSearchParams(query).forEach((value, name) => said.append(name, value));
    for (const [name, value] of detail.formData) said.append(name, value);
    if (!said.has("picture") || this.files.length === 0) return;
    if (said.get("picture") !== nameOf(this.files)) return;
    for (const file of this.files) said.append("files", file, file.name);
    detail.path = this.place.dataset["byPicture"] ?? "";
    detail.verb = "post";
    detail.useUrlParams = false;
    detail.parameters = said;
  }

  /** After each answer: the picture, what is drawn on it, and what is said of it. */
  private drawn(): void {
    this.tell();
    const lost = this.place.querySelector("[data-lost-picture]");
    if (lost !== null) this.bring();
    const asked = this.place.querySelector<HTMLElement>("[data-asked]");
    if (asked === null || asked.dataset["started"] === "yes") return;
    asked.dataset["started"] = "yes";
    const image = asked.querySelector<HTMLImageElement>("[data-asked-picture]");
    if (image === null) return;
    if (this.pictured !== "" && this.url !== "") {
      image.src = this.url;
      image.hidden = false;
      for (const like of this.place.querySelectorAll<HTMLImageElement>("[data-like-this]")) {
        if (like.src.startsWith("data:")) like.src = this.url;
      }
    }
    this.drawable(asked, image);
  }

  private drawable(asked: HTMLElement, image: HTMLImageElement): void {
    const pad = asked.querySelector<HTMLElement>("[data-region-pad]");
    if (pad === null) return;
    const said = asked.querySelector<HTMLElement>("[data-region-said]");
    const size = (): [number, number] => [
      Number(asked.dataset["columns"]) || image.naturalWidth,
      Number(asked.dataset["rows"]) || image.naturalHeight,
    ];
    const region = new Region(pad, image, (box, how) => {
      if (said !== null) said.textContent = inWords(box);
      if (how !== "changed") this.ask({ ...this.example(), region: inPixels(box, ...size()) });
    });
    const before = asked.dataset["region"] ?? "";
    const show = (): void => region.set(fromPixels(before, ...size()));
    if (before === "") return;
    if (image.complete && image.naturalWidth > 0) show();
    else image.addEventListener("load", show, { once: true });
  }

  private example(): Record<string, string> {
    const said: Record<string, string> = {};
    for (const name of ["picture", ...EXAMPLE]) {
      const value = this.form.querySelector<HTMLInputElement>(`input[type=hidden][name=${name}]`)?.value;
      if (value !== undefined) said[name] = value;
    }
    return said;
  }

  /** A page that came back asks again with the picture, where the tab still has it. */
  private bring(): void {
    if (this.files.length === 0) {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null") as { who: string; name: string; data: string } | null;
      if (kept === null || kept.who !== this.who) return;
      this.hold([fileOf(kept.name, kept.data)]);
    }
    if (this.pictured === nameOf(this.files)) htmx.trigger(this.form, "submit");
  }

  private tell(): void {
    const count = this.place.querySelector("#count")?.textContent ?? "";
    const said = document.querySelector("#said");
    if (said !== null && said.textContent !== count) said.textContent = count;
    if (document.activeElement === document.body && this.next >= 0) {
      const hit = this.next > 0 ? this.hits[this.next] : undefined;
      (hit ?? this.place.querySelector<HTMLElement>("#count"))?.focus({ preventScroll: true });
    }
    this.next = -1;
  }

  private leave(event: Event): void {
    const more = (event.target as Element).id === "next-hits";
    this.next = !this.place.contains(document.activeElement) ? -1 : more ? this.hits.length : 0;
  }

  private get hits(): NodeListOf<HTMLElement> {
    return this.place.querySelectorAll<HTMLElement>("a.hit");
  }

  private get pictured(): string {
    return this.form.querySelector<HTMLInputElement>("input[type=hidden][name=picture]")?.value ?? "";
  }

  /** Who is signed in: what one person sent is not brought for another. */
  private get who(): string {
    return this.place.dataset["who"] ?? "";
  }

  private get form(): HTMLFormElement {
    return this.place.querySelector<HTMLFormElement>("#facets") as HTMLFormElement;
  }
}

function nameOf(files: File[]): string {
  const [first] = files;
  return files.length > 1 ? `${first?.name ?? ""} +${files.length - 1}` : (first?.name ?? "").slice(0, 120);
}

/** The file that a data URL holds; the page's policy lets nothing fetch one. */
function fileOf(name: string, data: string): File {
  const [head = "", body = ""] = data.split(",");
  const bytes = Uint8Array.from(atob(body), (one) => one.charCodeAt(0));
  return new File([bytes], name, { type: /^data:([^;]*)/.exec(head)?.[1] ?? "" });
}
