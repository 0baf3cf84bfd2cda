// Filters of the conformance page. Within a group any ticked choice fits, and every group with a tick must fit.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const form = byId("filters");
  const find = byId("find");
  const results = [...document.querySelectorAll("details.result")];
  const areas = [...document.querySelectorAll("section.area")];
  const tiles = new Map([...document.querySelectorAll("[data-of]")].map((tile) => [tile.hash.slice(1), tile]));
  const texts = new Map(); // filled at the first search: most readers never search

  const textOf = (result) => {
    if (!texts.has(result)) texts.set(result, result.textContent.toLowerCase());
    return texts.get(result);
  };

  const ticked = () => {
    const groups = new Map();
    for (const box of form.querySelectorAll("input:checked")) {
      if (!groups.has(box.name)) groups.set(box.name, new Set());
      groups.get(box.name).add(box.value);
    }
    return [...groups];
  };

  const apply = () => {
    const groups = ticked();
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const result of results) {
      const fits = groups.every(([name, values]) => values.has(result.dataset[name]))
        && words.every((word) => textOf(result).includes(word));
      result.hidden = !fits;
      tiles.get(result.id)?.classList.toggle("dim", !fits);
      shown += fits;
    }
    for (const area of areas) area.hidden = !area.querySelector("details.result:not([hidden])");
    byId("shown").textContent = `${shown} of ${results.length}`;
    byId("nothing").hidden = shown > 0;
  };

  const clear = () => { form.reset(); apply(); };

  // A link to a requirement shows it, whatever is filtered.
  const reveal = () => {
    const result = byId(location.hash.slice(1));
    if (!result?.matches("details.result")) return;
    if (result.hidden) clear();
    result.open = true;
    result.scrollIntoView();
    result.querySelector("summary").focus({ preventScroll: true });
  };

  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("clear").addEventListener("click", clear);
  byId("open-all").addEventListener("click", () => {
    for (const result of results) if (!result.hidden) result.open = true;
  });
  byId("close-all").addEventListener("click", () => { for (const result of results) result.open = false; });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.matches("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      find.focus();
    } else if (event.key === "Escape" && event.target === find) {
      find.value = "";
      apply();
    }
  });
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest('a[href^="#"]') : null;
    if (!link || link.hash !== location.hash) return;
    event.preventDefault(); // to the same place: no hashchange comes, and the browser would take the focus away
    reveal();
  });
  addEventListener("hashchange", reveal);
  apply();
  reveal();
})();
