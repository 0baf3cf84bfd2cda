// Filters of the matrix of several runs.
(() => {
  "use strict";
  const byId = (id) => document.getElementById(id);
  const rows = [...document.querySelectorAll("[data-row]")];
  const find = byId("find");
  const only = byId("only");

  const apply = () => {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      const fits = (!only.checked || row.dataset.differs === "yes") && words.every((word) => text.includes(word));
      row.hidden = !fits;
      shown += fits;
    }
    byId("shown").textContent = `${shown} of ${rows.length}`;
    byId("nothing").hidden = shown > 0;
  };

  byId("filters").addEventListener("input", apply);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
