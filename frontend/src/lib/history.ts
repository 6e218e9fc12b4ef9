/** States that can be undone and redone without end; a state is never changed in place. */

export class History<T> {
  private readonly past: T[] = [];
  private future: T[] = [];

  constructor(private now: T) {}

  get present(): T {
    return this.now;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }

  /** The next state; what had been undone is gone. */
  push(next: T): void {
    this.past.push(this.now);
    this.now = next;
    this.future = [];
  }

  /** One state back; false when there is none. */
  undo(): boolean {
    const before = this.past.pop();
    if (before === undefined) return false;
    this.future.push(this.now);
    this.now = before;
    return true;
  }

  /** One state forth again; false when there is none. */
  redo(): boolean {
    const after = this.future.pop();
    if (after === undefined) return false;
    this.past.push(this.now);
    this.now = after;
    return true;
  }
}
