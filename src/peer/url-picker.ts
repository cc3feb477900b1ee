/** Which of a member's URLs is used: one that worked stays in use, one that did not is left. */
export class UrlPicker {
  #urls: readonly string[];
  #picked = 0;

  constructor(urls: readonly string[]) {
    this.#urls = urls;
  }

  /** undefined when the member has no URL. */
  pick(): string | undefined {
    return this.#urls[this.#picked];
  }

  all(): readonly string[] {
    return this.#urls;
  }

  /** Moves on, unless somebody else has done so. */
  unreachable(url: string): void {
    if (this.#urls[this.#picked] !== url) return;
    this.#picked = (this.#picked + 1) % this.#urls.length;
  }

  update(urls: readonly string[]): void {
    this.#urls = urls;
    this.#picked = 0;
  }
}
