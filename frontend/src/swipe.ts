/** Two dates over each other with a slider; without scripts the pictures stand one below the other. */

import { byId } from "./lib/page";

const holder = document.getElementById("swipe");
if (holder !== null) {
  const pictures = new Map<string, HTMLElement>();
  for (const one of holder.querySelectorAll<HTMLElement>("[data-picture]")) {
    pictures.set(one.dataset["picture"] ?? "", one);
  }
  const after = pictures.get("after");
  const difference = pictures.get("difference");
  const slider = byId<HTMLInputElement>("swipe-at");
  const box = document.getElementById("swipe-difference") as HTMLInputElement | null;

  const show = (): void => {
    after?.style.setProperty("clip-path", `inset(0 0 0 ${slider.value}%)`);
    if (difference !== undefined && box !== null) difference.hidden = !box.checked;
  };
  holder.classList.add("stacked");
  byId("swipe-tools").hidden = false;
  slider.addEventListener("input", show);
  box?.addEventListener("change", show);
  // A pointer over the pictures moves the edge too; the slider serves the keyboard.
  holder.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" && event.buttons === 0) return;
    const { left, width } = holder.getBoundingClientRect();
    slider.value = String(Math.round((100 * (event.clientX - left)) / width));
    show();
  });
  show();
}
