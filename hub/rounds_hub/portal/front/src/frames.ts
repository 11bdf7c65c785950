/** Frames of the series as object URLs: the one wanted first, its neighbours after it. */

const MOST = 600;
const AT_ONCE = 4;

export class Frames {
  private readonly got = new Map<string, string>();
  private readonly asked = new Map<string, Promise<string>>();
  private queue: string[] = [];
  private running = 0;

  /** The frame at *address*, from memory where it was fetched before. */
  get(address: string): Promise<string> {
    const there = this.got.get(address);
    if (there !== undefined) {
      this.got.delete(address);
      this.got.set(address, there);
      return Promise.resolve(there);
    }
    const running = this.asked.get(address);
    if (running !== undefined) return running;
    const asked = this.fetch(address).finally(() => this.asked.delete(address));
    this.asked.set(address, asked);
    return asked;
  }

  has(address: string): boolean {
    return this.got.has(address);
  }

  /** Fetch *addresses* when there is time, forgetting what was to be fetched before. */
  soon(addresses: string[]): void {
    this.queue = addresses.filter((one) => !this.got.has(one) && !this.asked.has(one));
    this.next();
  }

  close(): void {
    this.queue = [];
    for (const url of this.got.values()) URL.revokeObjectURL(url);
    this.got.clear();
  }

  private next(): void {
    while (this.running < AT_ONCE) {
      const address = this.queue.shift();
      if (address === undefined) return;
      this.running += 1;
      void this.get(address)
        .catch(() => "")
        .finally(() => {
          this.running -= 1;
          this.next();
        });
    }
  }

  private async fetch(address: string): Promise<string> {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new Error(String(answer.status));
    }
    const url = URL.createObjectURL(await answer.blob());
    this.got.set(address, url);
    const oldest = this.got.keys().next();
    if (this.got.size > MOST && oldest.done !== true) {
      URL.revokeObjectURL(this.got.get(oldest.value) ?? "");
      this.got.delete(oldest.value);
    }
    return url;
  }
}
