/**
 * A rectangle drawn on a picture, by mouse, finger or keys. It is kept in parts of the
 * picture, so that it stays where it is when the picture grows or moves.
 */

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** What became of the box: it changes still, it was drawn, it was confirmed by Enter. */
export type How = "changed" | "drawn" | "entered";

const SMALLEST = 0.03;
const STEP = 0.02;
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

export class Region {
  box: Box | null = null;
  private readonly frame = document.createElement("div");
  private readonly watch = new ResizeObserver(() => this.place());

  /** *pad* lies over *image* and takes what is drawn; *done* hears of each change. */
  constructor(
    private readonly pad: HTMLElement,
    private readonly image: HTMLImageElement,
    private readonly done: (box: Box, how: How) => void,
  ) {
    this.frame.className = "region-box";
    this.frame.hidden = true;
    pad.append(this.frame);
    pad.addEventListener("pointerdown", (event) => this.draw(event));
    pad.addEventListener("keydown", (event) => this.key(event));
    image.addEventListener("load", () => this.place());
    this.watch.observe(pad);
  }

  set(box: Box | null): void {
    this.box = box;
    this.place();
  }

  /** Put the frame where the box is on the screen now. */
  place(): void {
    this.frame.hidden = this.box === null;
    if (this.box === null) return;
    const shown = contentOf(this.image);
    const pad = this.pad.getBoundingClientRect();
    const { left, top, right, bottom } = this.box;
    this.frame.style.left = `${shown.left - pad.left + left * shown.width}px`;
    this.frame.style.top = `${shown.top - pad.top + top * shown.height}px`;
    this.frame.style.width = `${(right - left) * shown.width}px`;
    this.frame.style.height = `${(bottom - top) * shown.height}px`;
  }

  private draw(start: PointerEvent): void {
    if (start.button !== 0) return;
    start.stopPropagation();
    start.preventDefault();
    this.pad.focus({ preventScroll: true });
    const before = this.box;
    const from = this.part(start);
    const held = before !== null && inside(before, from);
    this.pad.setPointerCapture(start.pointerId);
    const move = (event: PointerEvent): void => {
      const to = this.part(event);
      const box = held && before !== null ? moved(before, to.x - from.x, to.y - from.y) : between(from, to);
      this.set(box);
      this.done(box, "changed");
    };
    const end = (event: PointerEvent): void => {
      this.pad.removeEventListener("pointermove", move);
      this.pad.removeEventListener("pointerup", end);
      this.pad.removeEventListener("pointercancel", end);
      const drawn = this.box;
      if (event.type === "pointercancel" || drawn === null || tooSmall(drawn)) {
        this.set(before);
        return;
      }
      if (drawn !== before) this.done(drawn, "drawn");
    };
    this.pad.addEventListener("pointermove", move);
    this.pad.addEventListener("pointerup", end);
    this.pad.addEventListener("pointercancel", end);
  }

  /** Arrows move the rectangle, with Shift they move its lower right corner. */
  private key(event: KeyboardEvent): void {
    const arrow = ARROWS[event.key];
    if (arrow !== undefined && !event.ctrlKey && !event.altKey && !event.metaKey) {
      const box = this.box ?? { left: 0.3, top: 0.3, right: 0.7, bottom: 0.7 };
      const changed = this.box === null ? box : event.shiftKey ? sized(box, ...arrow) : moved(box, ...arrow);
      this.set(changed);
      this.done(changed, "changed");
    } else if (event.key === "Enter" && this.box !== null) this.done(this.box, "entered");
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private part(event: PointerEvent): { x: number; y: number } {
    const shown = contentOf(this.image);
    return {
      x: within((event.clientX - shown.left) / shown.width),
      y: within((event.clientY - shown.top) / shown.height),
    };
  }
}

/** Where on the screen the picture itself is, without what surrounds it. */
function contentOf(image: HTMLImageElement): DOMRect {
  const box = image.getBoundingClientRect();
  const { naturalWidth: width, naturalHeight: height } = image;
  if (width === 0 || height === 0 || box.width === 0) return box;
  const scale = Math.min(box.width / width, box.height / height);
  const [wide, high] = [width * scale, height * scale];
  return new DOMRect(box.left + (box.width - wide) / 2, box.top + (box.height - high) / 2, wide, high);
}

function within(part: number): number {
  return Math.max(0, Math.min(1, part));
}

function inside(box: Box, at: { x: number; y: number }): boolean {
  return at.x > box.left && at.x < box.right && at.y > box.top && at.y < box.bottom;
}

function tooSmall(box: Box): boolean {
  return box.right - box.left < SMALLEST || box.bottom - box.top < SMALLEST;
}

function between(one: { x: number; y: number }, other: { x: number; y: number }): Box {
  return {
    left: Math.min(one.x, other.x),
    top: Math.min(one.y, other.y),
    right: Math.max(one.x, other.x),
    bottom: Math.max(one.y, other.y),
  };
}

function moved(box: Box, x: number, y: number): Box {
  const right = Math.max(-box.left, Math.min(1 - box.right, x));
  const down = Math.max(-box.top, Math.min(1 - box.bottom, y));
  return { left: box.left + right, right: box.right + right, top: box.top + down, bottom: box.bottom + down };
}

function sized(box: Box, x: number, y: number): Box {
  const right = Math.max(box.left + SMALLEST, within(box.right + x));
  const bottom = Math.max(box.top + SMALLEST, within(box.bottom + y));
  return { ...box, right, bottom };
}

/** The box in whole pixels of a picture of so many columns and rows, as an address has it. */
export function inPixels(box: Box, columns: number, rows: number): string {
  const edges = [box.left * columns, box.top * rows, box.right * columns, box.bottom * rows];
  return edges.map((one) => Math.round(one)).join(",");
}

/** The box of ``left,top,right,bottom`` in pixels, or null where there is none. */
export function fromPixels(said: string, columns: number, rows: number): Box | null {
  const [left, top, right, bottom] = said.split(",").map(Number);
  if (left === undefined || top === undefined || right === undefined || bottom === undefined) return null;
  return { left: left / columns, top: top / rows, right: right / columns, bottom: bottom / rows };
}

/** What a screen reader hears of the box. */
export function inWords(box: Box): string {
  const parts = [box.left, box.top, box.right, box.bottom].map((one) => `${Math.round(one * 100)}\u202f%`);
  return `${parts[0]} – ${parts[2]}, ${parts[1]} – ${parts[3]}`;
}
