// A slice on which a rectangle can be drawn; its edges are in pixels of the slice.
function render({ model, el }) {
  el.classList.add("rounds-slice");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.style.cssText =
    "width:min(100%,28rem);background:#000;border-radius:6px;cursor:crosshair;touch-action:none";
  const image = new Image();
  let start = null;
  el.append(canvas);

  // The picture may be drawn larger than the slice is: pixels of one for the other.
  const steps = () => {
    const [columns, rows] = model.get("size");
    return [(columns || canvas.width) / canvas.width, (rows || canvas.height) / canvas.height];
  };
  const draw = () => {
    canvas.width = image.naturalWidth || 1;
    canvas.height = image.naturalHeight || 1;
    canvas.setAttribute("aria-label", model.get("words"));
    canvas.setAttribute("role", "img");
    const pen = canvas.getContext("2d");
    if (image.naturalWidth) pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    const region = model.get("region");
    if (region.length !== 4) return;
    const [across, down] = steps();
    const [left, top, right, bottom] = [
      region[0] / across, region[1] / down, region[2] / across, region[3] / down,
    ];
    pen.lineWidth = Math.max(1, canvas.width / 200);
    pen.strokeStyle = "#ffd33d";
    pen.strokeRect(left, top, right - left, bottom - top);
  };
  const load = () => {
    const bytes = model.get("png");
    URL.revokeObjectURL(image.src);
    if (bytes.byteLength) {
      image.src = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    }
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    const within = (share) => Math.min(1, Math.max(0, share));
    const [across, down] = steps();
    return [
      within((event.clientX - box.left) / box.width) * canvas.width * across,
      within((event.clientY - box.top) / box.height) * canvas.height * down,
    ];
  };
  const set = (region) => {
    model.set("region", region);
    draw();
  };
  const between = ([x, y], [u, v]) => [
    Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v),
  ];

  canvas.addEventListener("pointerdown", (event) => {
    start = place(event);
    canvas.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (start) set(between(start, place(event)));
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!start) return;
    const drawn = between(start, place(event));
    start = null;
    // A click is no region: it takes the one that was drawn away.
    set(drawn[2] - drawn[0] < 8 || drawn[3] - drawn[1] < 8 ? [] : drawn);
    model.save_changes();
  });
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    set([]);
    model.save_changes();
  });
  image.addEventListener("load", draw);
  model.on("change:png", load);
  model.on("change:region", draw);
  load();
  draw();
  return () => URL.revokeObjectURL(image.src);
}
export default { render };
