/** Parts of a page that the server wrote, brought up to date without reading the page again. */

/** How long after a change they are read again. */
const AFTER_MS = 700;

/** What the server wrote on this page besides (points with their marks, the table, what can be
    measured): it is asked for again after a mark, so that none of it tells of the state before. */
export class Written {
  private timer = 0;

  later(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.read().catch(() => undefined), AFTER_MS);
  }

  private async read(): Promise<void> {
    const answer = await fetch(location.pathname + location.search, { headers: { Accept: "text/html" } });
    if (!answer.ok) return; // the next mark asks again; a session that ended is told by the next mark
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of document.querySelectorAll<HTMLElement>("[data-written]")) {
      const fresh = page.querySelector(`[data-written="${old.dataset["written"] ?? ""}"]`);
      if (fresh === null || old.innerHTML === fresh.innerHTML) continue;
      if (old.contains(document.activeElement)) this.later();
      else old.replaceChildren(...fresh.childNodes);
    }
  }
}
