/**
 * Thumbnails that scroll through their slices: a mouse moves over them, a finger drags,
 * the arrow keys step while the hit has the focus, and a slider says where one is.
 */

import { Frames } from "./frames";

const SIZE = 320;
const STEPS: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1 };
const DRAGGED = 6;
const AHEAD = 3;

const frames = new Frames();
const started = new WeakMap<HTMLElement, Thumbnail>();

export function watchGallery(): void {
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "mouse") of(event.target)?.enter();
  });
  document.addEventListener("pointermove", (event) => of(event.target)?.move(event));
  document.addEventListener("pointerdown", (event) => of(event.target)?.press(event));
  document.addEventListener("click", (event) => of(event.target)?.click(event), true);
  document.addEventListener("keydown", key);
  document.addEventListener("input", (event) => {
    const slider = event.target as HTMLInputElement;
    if (slider.matches(".hit-slices")) of(slider)?.show(Number(slider.value) - 1);
  });
  document.addEventListener("focusin", (event) => of(event.target)?.enter());
  window.addEventListener("pagehide", () => frames.close());
}

function key(event: KeyboardEvent): void {
  const link = (event.target as Element).closest<HTMLElement>("a.hit");
  const step = STEPS[event.key];
  if (link === null || step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  const thumbnail = of(link);
  if (thumbnail === undefined) return;
  thumbnail.step(step);
  event.preventDefault();
}

function of(target: EventTarget | null): Thumbnail | undefined {
  const box = target instanceof Element ? target.closest<HTMLElement>("[data-slices]") : null;
  if (box === null) return undefined;
  let found = started.get(box);
  if (found === undefined) {
    found = new Thumbnail(box);
    started.set(box, found);
  }
  return found;
}

class Thumbnail {
  private readonly screen: HTMLElement | null;
  private readonly place: HTMLElement | null;
  private readonly slider: HTMLInputElement | null;
  private readonly count: number;
  private readonly first: number;
  private now: number;
  private shown = "";
  private dragged = false;

  constructor(private readonly box: HTMLElement) {
    this.screen = box.querySelector(".screen");
    this.place = box.querySelector("[data-place]");
    this.slider = box.querySelector(".hit-slices");
    this.count = Number(box.dataset["count"] ?? "1");
    this.first = Number(box.dataset["first"] ?? "0");
    this.now = this.first;
    box.addEventListener("pointerleave", (event) => {
      // Back to where it was found, but not under a finger or a slider that is held.
      if (event.pointerType === "mouse" && !box.contains(document.activeElement)) this.show(this.first);
    });
  }

  /** Fetch what comes next, once somebody looks at it. */
  enter(): void {
    this.soon();
  }

  move(event: PointerEvent): void {
    const over = this.screen !== null && this.screen.contains(event.target as Node);
    if (over && event.pointerType === "mouse") this.show(this.at(event.clientX));
  }

  /** A finger that moves sideways scrolls the slices; upwards it scrolls the page. */
  press(start: PointerEvent): void {
    this.dragged = false;
    if (start.pointerType === "mouse" || this.screen?.contains(start.target as Node) !== true) return;
    const begun = this.now;
    const width = this.screen.clientWidth;
    const move = (event: PointerEvent): void => {
      const away = event.clientX - start.clientX;
      if (Math.abs(away) > DRAGGED) this.dragged = true;
      if (this.dragged) this.show(begun + Math.round((away / width) * this.count));
    };
    const end = (): void => {
      document.removeEventListener("pointermove", move);
      document.removeEventListener("pointerup", end);
      document.removeEventListener("pointercancel", end);
    };
    document.addEventListener("pointermove", move);
    document.addEventListener("pointerup", end);
    document.addEventListener("pointercancel", end);
  }

  /** A drag is no click on the link below it. */
  click(event: Event): void {
    if (!this.dragged) return;
    this.dragged = false;
    event.preventDefault();
    event.stopPropagation();
  }

  step(by: number): void {
    this.show(this.now + by);
  }

  show(wanted: number): void {
    const slice = Math.max(0, Math.min(this.count - 1, wanted));
    if (slice === this.now && this.shown !== "") return;
    this.now = slice;
    if (this.place !== null) this.place.textContent = `${slice + 1}/${this.count}`;
    if (this.slider !== null) {
      this.slider.value = String(slice + 1);
      this.slider.setAttribute("aria-valuetext", `${slice + 1}/${this.count}`);
    }
    const address = this.address(slice);
    this.shown = address;
    void frames.get(address).then(
      (url) => this.draw(address, url),
      () => undefined,
    );
    this.soon();
  }

  private draw(address: string, url: string): void {
    const image = this.screen?.querySelector("img");
    if (address === this.shown && image) image.src = url;
  }

  private soon(): void {
    const near: number[] = [];
    const leap = Math.max(1, Math.round(this.count / 24));
    for (let away = 1; away <= AHEAD; away += 1) near.push(this.now + away * leap, this.now - away * leap);
    frames.soon(near.filter((one) => one >= 0 && one < this.count).map((one) => this.address(one)));
  }

  private at(clientX: number): number {
    const box = (this.screen as HTMLElement).getBoundingClientRect();
    return Math.floor(((clientX - box.left) / box.width) * this.count);
  }

  private address(slice: number): string {
    return `${this.box.dataset["slices"] ?? ""}${slice}.png?size=${SIZE}`;
  }
}
