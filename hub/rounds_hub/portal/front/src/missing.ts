/** A picture that does not come gives way to the words that stand for none. */

export function watchMissing(): void {
  const giveWay = (image: HTMLImageElement): void => {
    if (image.closest("[data-viewer] .screen") !== null) return;
    const place = document.createElement("div");
    place.className = "no-picture";
    place.textContent = "–";
    image.replaceWith(place);
  };
  document.addEventListener(
    "error",
    (event) => {
      if (event.target instanceof HTMLImageElement) giveWay(event.target);
    },
    true,
  );
  for (const image of document.images) {
    if (image.complete && image.naturalWidth === 0 && image.currentSrc !== "") giveWay(image);
  }
}
