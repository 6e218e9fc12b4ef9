/** What the server wrote into the page for its islands. */

/** The page's data block with that id; islands read it once, at start. */
export function pageData<T>(id: string): T {
  const block = document.getElementById(id);
  if (block === null || block.textContent === null) throw new Error(`no data block ${id}`);
  return JSON.parse(block.textContent) as T;
}

/** The element with that id; a page that lacks it is a fault of the template. */
export function byId<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found as T;
}

/** The text with its {names} replaced; translated texts come from the server. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** A colon after a word, with the space that French puts before it. */
export function colon(): string {
  return document.documentElement.lang === "fr" ? "\u00a0:" : ":";
}

/** A new element with attributes and children; text is never read as HTML. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>> = {},
  ...children: (Node | string)[]
): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
