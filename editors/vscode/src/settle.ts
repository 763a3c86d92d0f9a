// Waiting until something has settled.

/** Calls `action` once, `delay` milliseconds after the last of several calls. */
export class Settled {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly delay: number,
    private readonly action: () => void,
  ) {}

  touch(): void {
    this.dispose();
    this.timer = setTimeout(this.action, this.delay);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}
