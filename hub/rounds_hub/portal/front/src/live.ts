/**
 * Pages that follow a run or an import: the server sends an event for each change, and
 * htmx then fetches the part of the page anew. Where the stream breaks, htmx polls.
 */

import htmx from "htmx.org";

export function watchLive(): void {
  const part = document.querySelector<HTMLElement>("[data-events]");
  const address = part?.dataset["events"];
  if (part === null || address === undefined) return;
  const stream = new EventSource(address);
  const changed = (): void => {
    const now = document.querySelector<HTMLElement>("[data-live]");
    if (now === null) stream.close();
    else htmx.trigger(now, "changed");
  };
  stream.addEventListener("message", changed);
  for (const kind of ["progress", "state", "run"]) stream.addEventListener(kind, changed);
  stream.addEventListener("end", () => stream.close());
  stream.addEventListener("error", changed);
  window.addEventListener("pagehide", () => stream.close());
}
