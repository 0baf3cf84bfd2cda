// What every page does with scripts: say that they run, and copy what is there to be copied.
(() => {
  "use strict";
  document.documentElement.classList.add("js");

  const DONE_MS = 1500; // how long a button says that it has copied

  const textOf = (element) => {
    if (!(element instanceof HTMLTableElement)) return element.textContent;
    const cell = (each) => each.innerText.replace(/\s+/g, " ").trim();
    return [...element.rows].map((row) => [...row.cells].map(cell).join("\t")).join("\n");
  };

  const select = (element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };

  const tell = (button, text) => {
    const before = button.dataset.label ?? button.textContent;
    button.dataset.label = before;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, DONE_MS);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy]") : null;
    const element = button && document.getElementById(button.dataset.copy);
    if (!element) return;
    try {
      await navigator.clipboard.writeText(textOf(element));
      tell(button, "copied");
    } catch {
      select(element); // no clipboard here: leave it marked, for the reader's own keys
      tell(button, "marked");
    }
  });

  // On paper nothing can be opened.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details[data-print]:not([open])")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
    opened = [];
  });
})();
