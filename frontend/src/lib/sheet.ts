/** A panel beside the map that is a sheet from below where the screen is narrow. */

const NARROW = "(max-width: 60rem)";

export class Sheet {
  private readonly narrow = window.matchMedia(NARROW);

  constructor(
    stage: HTMLElement,
    private readonly panel: HTMLElement,
    private readonly button: HTMLButtonElement,
    private readonly closer: HTMLButtonElement,
  ) {
    stage.classList.add("js");
    button.addEventListener("click", () => this.show(!this.open));
    closer.addEventListener("click", () => this.show(false));
    panel.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.narrow.matches) this.show(false);
    });
    this.narrow.addEventListener("change", () => this.lay());
    this.lay();
  }

  private get open(): boolean {
    return this.panel.classList.contains("open");
  }

  private lay(): void {
    this.button.hidden = this.closer.hidden = !this.narrow.matches;
    this.set(false);
  }

  private show(open: boolean): void {
    this.set(open);
    (open ? this.panel : this.button).focus();
  }

  private set(open: boolean): void {
    this.panel.classList.toggle("open", open);
    this.button.setAttribute("aria-expanded", String(open));
  }
}
