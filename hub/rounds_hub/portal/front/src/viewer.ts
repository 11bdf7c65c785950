/**
 * The viewer of a case or a study: scroll by wheel, arrows, slider or drag; window by
 * preset or right drag; planes; zoom. The server draws each frame, this shows it.
 */

import { Frames } from "./frames";
import { typing } from "./keys";

interface Letters {
  n: string;
  s: string;
  w: string;
  e: string;
}

interface Plane {
  axis: number;
  frames: number;
  letters: Letters | null;
  name: string;
  step: number | null;
}

interface Window {
  center: number | null;
  name: string;
  width: number | null;
}

interface Series {
  columns: number;
  label: string;
  remarks?: string[];
  planes: Plane[];
  rows: number;
  source: string;
  uid: string;
  windows: Window[];
}

interface Geometry {
  planes: Plane[];
  remarks: string[];
  window: { center: number; width: number } | null;
}

interface Words {
  frame: string;
  of: string;
  slice: string;
  zoom: string;
}

const AHEAD = 12;
const BEHIND = 4;
const SIZE = 768;

export function startViewers(root: ParentNode): void {
  for (const place of root.querySelectorAll<HTMLElement>("[data-viewer]")) new Viewer(place);
}

class Viewer {
  private readonly series: Series[];
  private readonly words: Words;
  private readonly frames = new Frames();
  private readonly at = new Map<string, number>();
  private readonly screen: HTMLElement;
  private readonly image: HTMLImageElement;
  private readonly slider: HTMLInputElement;
  private now = 0;
  private plane = 0;
  private preset = 0;
  private level: { center: number; width: number } | null = null;
  private direction = 1;
  private zoom = 1;
  private pan = { x: 0, y: 0 };
  private wheeled = 0;
  private shown = "";
  private readonly learnt = new Set<string>();

  constructor(private readonly place: HTMLElement) {
    this.series = JSON.parse(place.dataset["series"] ?? "[]") as Series[];
    this.words = JSON.parse(place.dataset["words"] ?? "{}") as Words;
    this.screen = this.part(".screen");
    this.image = this.part<HTMLImageElement>(".screen img");
    this.slider = this.part<HTMLInputElement>("input[type=range]");
    this.part("[data-controls]").hidden = false;
    this.image.draggable = false;
    this.listen();
    this.choose(0);
  }

  private listen(): void {
    this.screen.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.screen.addEventListener("contextmenu", (event) => event.preventDefault());
    this.screen.addEventListener("dblclick", () => this.reset());
    this.screen.addEventListener("pointerdown", (event) => this.drag(event));
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    this.part("[data-windows]").addEventListener("change", (event) => {
      this.window(Number((event.target as HTMLSelectElement).value));
    });
    document.addEventListener("keydown", (event) => this.key(event));
    this.place.addEventListener("click", (event) => this.click(event));
    window.addEventListener("pagehide", () => this.frames.close());
  }

  private click(event: Event): void {
    const link = (event.target as Element).closest<HTMLElement>("[data-choose], [data-plane], [data-do]");
    if (link === null) return;
    event.preventDefault();
    if (link.dataset["choose"] !== undefined) this.choose(Number(link.dataset["choose"]));
    else if (link.dataset["plane"] !== undefined) this.turn(Number(link.dataset["plane"]));
    else if (link.dataset["do"] === "full") this.full();
    else if (link.dataset["do"] === "reset") this.reset();
  }

  private key(event: KeyboardEvent): void {
    if (typing(event) || document.querySelector("dialog[open]") !== null) return;
    const inside = this.place.contains(document.activeElement) || document.activeElement === document.body;
    const onSlider = event.target === this.slider;
    const steps: Record<string, number> = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    const step = steps[event.key];
    if (inside && !onSlider && step !== undefined) this.show(this.slice + step);
    else if (inside && !onSlider && event.key === "Home") this.show(0);
    else if (inside && !onSlider && event.key === "End") this.show(this.current.frames - 1);
    else if (event.key === "w") this.window((this.preset + 1) % this.chosen.windows.length);
    else if (event.key === "p" && this.chosen.planes.length > 1) this.turn((this.plane + 1) % this.chosen.planes.length);
    else if (event.key === "s" && this.series.length > 1) this.choose((this.now + 1) % this.series.length);
    else if (event.key === "f") this.full();
    else if (event.key === "+" || event.key === "=") this.magnify(1.25);
    else if (event.key === "-") this.magnify(0.8);
    else if (event.key === "0") this.reset();
    else return;
    event.preventDefault();
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey) {
      this.magnify(event.deltaY < 0 ? 1.1 : 1 / 1.1, event);
      return;
    }
    this.wheeled += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY / 40 : event.deltaY;
    const whole = Math.trunc(this.wheeled);
    if (whole === 0) return;
    this.wheeled -= whole;
    this.show(this.slice + Math.max(-3, Math.min(3, whole)));
  }

  /** Left drag scrolls, or moves a magnified picture; right drag sets the window. */
  private drag(start: PointerEvent): void {
    if (start.button === 1) return;
    const windowing = start.button === 2;
    const begun = { slice: this.slice, pan: { ...this.pan }, level: this.levelNow() };
    if (windowing && begun.level === null) return;
    this.screen.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent): void => {
      const x = event.clientX - start.clientX;
      const y = event.clientY - start.clientY;
      if (windowing && begun.level !== null) {
        const { center, width } = begun.level;
        this.level = { center: Math.round(center + (y * width) / 400), width: Math.max(1, Math.round(width * Math.exp(x / 250))) };
        this.show(this.slice);
      } else if (this.zoom > 1) {
        this.pan = { x: begun.pan.x + x, y: begun.pan.y + y };
        this.position();
      } else {
        this.show(begun.slice + Math.round(y / 8));
      }
    };
    this.screen.addEventListener("pointermove", move);
    const end = (): void => this.screen.removeEventListener("pointermove", move);
    this.screen.addEventListener("pointerup", end, { once: true });
    this.screen.addEventListener("pointercancel", end, { once: true });
  }

  private choose(number: number): void {
    this.now = number;
    this.plane = 0;
    this.preset = 0;
    this.level = null;
    this.reset();
    for (const link of this.place.querySelectorAll<HTMLElement>("[data-choose]")) {
      const on = Number(link.dataset["choose"]) === number;
      link.setAttribute("aria-current", String(on));
    }
    const select = this.part<HTMLSelectElement>("[data-windows]");
    select.replaceChildren(...this.chosen.windows.map(({ name }, index) => new Option(name, String(index))));
    this.part("[data-window-label]").hidden = this.chosen.windows.length < 2;
    this.planes();
    this.turn(0);
  }

  private planes(): void {
    const planes = this.part("[data-planes]");
    planes.replaceChildren(...this.chosen.planes.map(({ name }, index) => planeButton(name, index)));
    planes.hidden = this.chosen.planes.length < 2;
  }

  /** Ask what the volume of a series says, once its first frame is on the screen. */
  private async learn(series: Series): Promise<void> {
    if (this.learnt.has(series.uid)) return;
    this.learnt.add(series.uid);
    const answer = await fetch(`${this.place.dataset["planesOf"] ?? ""}${series.uid}`);
    if (!answer.ok) {
      await answer.body?.cancel();
      return;
    }
    const { planes, remarks, window: first } = (await answer.json()) as Geometry;
    series.planes = planes;
    series.remarks = remarks;
    const own = series.windows[0];
    if (own !== undefined && first !== null) series.windows[0] = { ...own, ...first };
    if (first === null) series.windows.length = 1;
    if (series !== this.chosen) return;
    this.planes();
    this.turn(Math.min(this.plane, planes.length - 1));
  }

  private turn(plane: number): void {
    this.plane = plane;
    const { frames, letters } = this.current;
    for (const button of this.place.querySelectorAll<HTMLElement>("[data-plane]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset["plane"]) === plane));
    }
    for (const side of ["n", "s", "w", "e"] as const) {
      this.part(`.letter.${side}`).textContent = letters?.[side] ?? "";
    }
    this.slider.max = String(frames - 1);
    this.part("[data-slices]").hidden = frames < 2;
    this.show(this.at.get(this.whereKey()) ?? Math.floor(frames / 2));
  }

  private window(number: number): void {
    this.preset = number;
    this.level = null;
    this.part<HTMLSelectElement>("[data-windows]").value = String(number);
    this.show(this.slice);
  }

  private show(wanted: number): void {
    const slice = Math.max(0, Math.min(this.current.frames - 1, wanted));
    if (slice !== this.slice) this.direction = slice > this.slice ? 1 : -1;
    this.at.set(this.whereKey(), slice);
    this.slider.value = String(slice);
    this.caption(slice);
    const address = this.address(slice);
    this.shown = address;
    this.screen.classList.toggle("wait", !this.frames.has(address));
    void this.frames.get(address).then(
      (url) => this.draw(address, url),
      () => this.failed(address),
    );
  }

  private draw(address: string, url: string): void {
    if (address !== this.shown) return;
    this.image.src = url;
    this.screen.classList.remove("wait");
    this.part(".broken").hidden = true;
    this.image.hidden = false;
    this.ahead();
    void this.learn(this.chosen).catch(() => undefined);
  }

  private failed(address: string): void {
    if (address !== this.shown) return;
    this.screen.classList.remove("wait");
    this.part(".broken").hidden = false;
    this.image.hidden = true;
  }

  private ahead(): void {
    const near: number[] = [];
    for (let away = 1; away <= AHEAD; away += 1) {
      near.push(this.slice + away * this.direction);
      if (away <= BEHIND) near.push(this.slice - away * this.direction);
    }
    const inside = near.filter((one) => one >= 0 && one < this.current.frames);
    this.frames.soon(inside.map((one) => this.address(one)));
  }

  private caption(slice: number): void {
    const { frames, letters, name, step } = this.current;
    const language = document.documentElement.lang;
    const number = (value: number, digits = 0): string => value.toLocaleString(language, { maximumFractionDigits: digits, useGrouping: false });
    const thickness = step === null ? "" : ` · ${step.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 })}\u202fmm`;
    const noun = letters === null && this.learnt.has(this.chosen.uid) ? this.words.frame : this.words.slice;
    const where = `${noun} ${slice + 1} / ${frames}${thickness}`;
    this.part("[data-what]").textContent = name === "" ? this.chosen.label : `${this.chosen.label} · ${name}`;
    this.part("[data-remarks]").textContent = this.chosen.remarks?.join(" ") ?? "";
    this.part("[data-where]").textContent = frames > 1 ? where : "";
    const level = this.levelNow();
    this.part("[data-level]").textContent = level === null ? "" : `W ${number(level.width)} L ${number(level.center)}`;
    this.part("[data-zoom]").textContent = this.zoom === 1 ? "" : `${this.words.zoom} ${number(this.zoom, 1)}`;
    this.image.alt = `${this.chosen.label}, ${where}`;
    this.slider.setAttribute("aria-valuetext", `${slice + 1} ${this.words.of} ${frames}`);
    this.tell(slice);
  }

  /** Say which slice is on the screen, for what else is done with it. */
  private tell(slice: number): void {
    const { columns, rows, source: uid } = this.chosen;
    this.place.dataset["now"] = JSON.stringify({ axis: this.current.axis, columns, rows, slice, uid });
    this.place.dispatchEvent(new CustomEvent("rounds:shown"));
  }

  private magnify(factor: number, around?: MouseEvent): void {
    const box = this.screen.getBoundingClientRect();
    const zoom = Math.max(1, Math.min(8, this.zoom * factor));
    const x = around === undefined ? box.width / 2 : around.clientX - box.left;
    const y = around === undefined ? box.height / 2 : around.clientY - box.top;
    const ratio = zoom / this.zoom;
    this.pan = zoom === 1 ? { x: 0, y: 0 } : { x: x - (x - this.pan.x) * ratio, y: y - (y - this.pan.y) * ratio };
    this.zoom = zoom;
    this.position();
    this.caption(this.slice);
  }

  private reset(): void {
    this.zoom = 1;
    this.pan = { x: 0, y: 0 };
    this.position();
    this.caption(this.slice);
  }

  private position(): void {
    this.image.style.transform = this.zoom === 1 ? "" : `translate(${this.pan.x}px, ${this.pan.y}px) scale(${this.zoom})`;
    this.place.dispatchEvent(new CustomEvent("rounds:shown"));
  }

  private full(): void {
    if (document.fullscreenElement === null) void this.place.requestFullscreen();
    else void document.exitFullscreen();
  }

  private address(slice: number): string {
    const query = new URLSearchParams({ size: String(SIZE) });
    if (this.current.axis !== 0) query.set("axis", String(this.current.axis));
    const chosen = this.chosen.windows[this.preset];
    const level = this.level ?? (this.preset === 0 ? null : chosen);
    if (level?.center != null && level.width !== null) {
      query.set("center", String(level.center));
      query.set("width", String(level.width));
    }
    return `${this.place.dataset["frames"] ?? ""}${this.chosen.uid}/frames/${slice}.png?${query}`;
  }

  private levelNow(): { center: number; width: number } | null {
    if (this.level !== null) return this.level;
    const { center = null, width = null } = this.chosen.windows[this.preset] ?? {};
    return center === null || width === null ? null : { center, width };
  }

  private get chosen(): Series {
    const found = this.series[this.now];
    if (found === undefined) throw new Error(`The viewer has no series ${this.now}.`);
    return found;
  }

  private get current(): Plane {
    const found = this.chosen.planes[this.plane];
    if (found === undefined) throw new Error(`The series has no plane ${this.plane}.`);
    return found;
  }

  private get slice(): number {
    return this.at.get(this.whereKey()) ?? 0;
  }

  private whereKey(): string {
    return `${this.chosen.uid} ${this.current.axis}`;
  }

  private part<T extends HTMLElement = HTMLElement>(selector: string): T {
    const found = this.place.querySelector<T>(selector);
    if (found === null) throw new Error(`The viewer has no ${selector}.`);
    return found;
  }
}

function planeButton(name: string, index: number): HTMLButtonElement {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm btn-quiet";
  button.dataset["plane"] = String(index);
  button.textContent = name;
  return button;
}
