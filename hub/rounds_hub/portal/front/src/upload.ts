/** Send files, folders and zips with a progress bar, then go to the import's page. */

interface Chosen {
  file: File;
  path: string;
}

interface Problem {
  detail?: string;
}

export function watchUpload(): void {
  const form = document.querySelector<HTMLFormElement>("form[data-upload]");
  if (form === null) return;
  const upload = new Upload(form);
  for (const input of form.querySelectorAll<HTMLInputElement>("input[type=file]")) {
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      upload.add(files.map((file) => ({ file, path: file.webkitRelativePath || file.name })));
      input.value = "";
    });
  }
  const zone = form.querySelector<HTMLElement>(".drop");
  zone?.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over-it");
  });
  zone?.addEventListener("dragleave", () => zone.classList.remove("over-it"));
  zone?.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over-it");
    if (event.dataTransfer !== null) void dropped(event.dataTransfer).then((got) => upload.add(got));
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    upload.send();
  });
}

class Upload {
  private chosen: Chosen[] = [];
  private request: XMLHttpRequest | null = null;

  constructor(private readonly form: HTMLFormElement) {
    this.part("[data-clear]").addEventListener("click", () => this.clear());
    this.part("[data-stop]").addEventListener("click", () => this.request?.abort());
    this.show();
  }

  add(more: Chosen[]): void {
    this.chosen.push(...more);
    this.show();
    if (more.length > 0) this.part<HTMLButtonElement>("[data-send]").focus();
  }

  send(): void {
    if (this.chosen.length === 0 || this.request !== null) return;
    const body = new FormData();
    const modality = this.part<HTMLSelectElement>("[name=modality]").value;
    if (modality !== "") body.append("modality", modality);
    for (const { file, path } of this.chosen) body.append("files", file, path);
    const request = new XMLHttpRequest();
    this.request = request;
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => this.progress(event));
    request.addEventListener("loadend", () => this.finished(request));
    request.open("POST", this.form.dataset["upload"] ?? "");
    request.setRequestHeader("Accept", "application/json");
    this.part("[data-sending]").hidden = false;
    this.problem("");
    request.send(body);
  }

  private progress(event: ProgressEvent): void {
    const bar = this.part<HTMLProgressElement>("progress");
    if (event.lengthComputable) {
      bar.max = event.total;
      bar.value = event.loaded;
    }
    this.part("[data-sent]").textContent = `${size(event.loaded)} / ${size(event.total)}`;
  }

  private finished(request: XMLHttpRequest): void {
    this.request = null;
    this.part("[data-sending]").hidden = true;
    const answer = request.response as ({ id?: string } & Problem) | null;
    if (request.status === 202 && answer?.id !== undefined) {
      window.location.assign(`${this.form.dataset["then"] ?? ""}${answer.id}`);
    } else {
      this.problem(answer?.detail ?? this.form.dataset["broken"] ?? "");
    }
  }

  private problem(text: string): void {
    const place = this.part("[data-problem]");
    place.hidden = text === "";
    const words = place.querySelector("[data-words]");
    if (words !== null) words.textContent = text;
  }

  private clear(): void {
    this.chosen = [];
    this.show();
  }

  private show(): void {
    const bytes = this.chosen.reduce((sum, { file }) => sum + file.size, 0);
    const nothing = this.chosen.length === 0;
    this.part("[data-chosen]").hidden = nothing;
    this.part<HTMLButtonElement>("[data-send]").disabled = nothing;
    this.part("[data-count]").textContent = String(this.chosen.length);
    this.part("[data-bytes]").textContent = size(bytes);
    const names = this.chosen.slice(0, 5).map(({ path }) => path);
    if (this.chosen.length > names.length) names.push("…");
    this.part("[data-names]").textContent = names.join(" · ");
  }

  private part<T extends HTMLElement = HTMLElement>(selector: string): T {
    const found = this.form.querySelector<T>(selector);
    if (found === null) throw new Error(`The form has no ${selector}.`);
    return found;
  }
}

function size(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  const step = bytes === 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** step;
  return `${value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: step === 0 ? 0 : 1 })}\u202f${units[step]}`;
}

async function dropped(data: DataTransfer): Promise<Chosen[]> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry());
  const plain = [...data.files].map((file) => ({ file, path: file.name }));
  if (entries.every((entry) => entry === null)) return plain;
  const found = await Promise.all(entries.map((entry) => (entry === null ? [] : walk(entry))));
  return found.flat();
}

async function walk(entry: FileSystemEntry): Promise<Chosen[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((take, fail) => (entry as FileSystemFileEntry).file(take, fail));
    return [{ file, path: entry.fullPath.replace(/^\//, "") }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: Chosen[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((take, fail) => reader.readEntries(take, fail));
    if (some.length === 0) return found;
    for (const inner of some) found.push(...(await walk(inner)));
  }
}
