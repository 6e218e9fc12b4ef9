/** Places taken from a file without leaving the page, so that they are an edit like any other. */

export type Fields = Readonly<Record<string, string>>;

/** What a file changed in the form's fields, to be written back when it is undone. */
export interface Imported {
  readonly before: Fields;
  readonly after: Fields;
}

export interface Answer {
  readonly imported: Imported;
  /** What the server said against the file, or to it; empty where nothing. */
  readonly said: string;
}

/** Never what the file changed: the page's own token, and what it has seen of other missions. */
const OWN = new Set(["csrf_token", "known", "replaces"]);

/** The fields whose value differs, with both values; one that either side lacks stays as it is. */
export function differences(before: Fields, after: Fields): Imported {
  const names = Object.keys(after).filter(
    (name) => !OWN.has(name) && name in before && before[name] !== after[name],
  );
  const chosen = (all: Fields): Fields => Object.fromEntries(names.map((name) => [name, all[name] ?? ""]));
  return { before: chosen(before), after: chosen(after) };
}

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

/** What a page's form holds; a box that is not ticked holds "". */
function fieldsOf(form: HTMLFormElement): Fields {
  const fields = [...form.querySelectorAll<Field>("input[name]:not([type=file]), select[name], textarea[name]")];
  return Object.fromEntries(fields.map((field) => [field.name, isBox(field) && !field.checked ? "" : field.value]));
}

function isBox(field: Field): field is HTMLInputElement {
  return field instanceof HTMLInputElement && field.type === "checkbox";
}

/** Sends the form with its file; null where the answer is no such form, as when the session ended. */
export async function fromFile(form: HTMLFormElement, url: string): Promise<Answer | null> {
  const answer = await fetch(url, { method: "POST", body: new FormData(form) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const other = page.getElementById(form.id);
  if (!(other instanceof HTMLFormElement)) return null;
  const words = [...page.querySelectorAll(".notice.note"), ...other.querySelectorAll(".problem")];
  const problems = words.map((one) => one.textContent?.trim() ?? "");
  const imported = answer.ok ? differences(fieldsOf(form), fieldsOf(other)) : { before: {}, after: {} };
  return { imported, said: problems.join(" ") };
}

/** Writes values into the form's fields. */
export function write(form: HTMLFormElement, fields: Fields): void {
  for (const [name, value] of Object.entries(fields)) {
    const field = form.querySelector<Field>(`[name="${CSS.escape(name)}"]`);
    if (field === null) continue;
    if (isBox(field)) field.checked = value !== "";
    else field.value = value;
  }
}
