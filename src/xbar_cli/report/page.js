// Sorts and filters the tables of a page, draws its charts where their library is there, and opens what is folded for print.
// Every text stays a text: nothing here makes markup of a string.
(() => {
  "use strict";
  const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const MISSING = "–";

  // a number, or NaN; a number with its unit counts
  const number = (text) => (/^[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?(\s?%)?$/i.test(text) ? parseFloat(text) : NaN);

  // numbers first, then words, what is missing last whatever the direction
  function order(a, b, sign) {
    if ((a === MISSING || a === "") !== (b === MISSING || b === "")) return a === MISSING || a === "" ? 1 : -1;
    const x = number(a), y = number(b);
    if (!isNaN(x) && !isNaN(y)) return sign * (x - y);
    if (isNaN(x) !== isNaN(y)) return isNaN(x) ? 1 : -1;
    return sign * words.compare(a, b);
  }

  function sort(table, column) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    const up = heads[column].getAttribute("aria-sort") !== "ascending";
    heads.forEach((head) => head.setAttribute("aria-sort", "none"));
    heads[column].setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...body.rows].map((row) => [row.cells[column].textContent.trim(), row]);
    rows.sort((a, b) => order(a[0], b[0], up ? 1 : -1)); // sorting is stable: equal rows stay as they were
    body.append(...rows.map((pair) => pair[1]));
  }

  function sortable(table) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      if (head.textContent.trim() === "") button.setAttribute("aria-label", "sort by this column");
      button.addEventListener("click", () => sort(table, column));
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
    });
  }

  function filterable(table, box) {
    const rows = [...table.tBodies[0].rows];
    const bar = document.createElement("p"), input = document.createElement("input"), count = document.createElement("span");
    bar.className = "filter";
    input.type = "search";
    input.placeholder = "filter rows";
    input.setAttribute("aria-label", `filter the rows of ${box.getAttribute("aria-label")}`);
    count.setAttribute("role", "status");
    const show = () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const shown = rows.filter((row) => {
        const text = row.textContent.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
        return !row.hidden;
      });
      count.textContent = wanted.length ? `${shown.length} of ${rows.length} rows` : `${rows.length} rows`;
    };
    input.addEventListener("input", show);
    show();
    bar.append(input, count);
    box.before(bar);
  }

  for (const box of document.querySelectorAll(".wide")) {
    const table = box.querySelector("table"), count = table.tBodies[0].rows.length;
    if (table.tHead && count > 3) sortable(table);
    if (count >= 12) filterable(table, box);
  }

  // what a link leads to is opened
  const reveal = () => {
    const found = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (found && found.tagName === "DETAILS") found.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();

  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => closed.forEach((one) => { one.open = false; }));

  if (window.vegaEmbed) {
    const options = {
      actions: false, renderer: "svg", ast: true, defaultStyle: false, tooltip: { disableDefaultStyle: true },
    };
    for (const place of document.querySelectorAll("[data-chart]")) {
      window.vegaEmbed(place, JSON.parse(place.dataset.chart), options).catch((error) => {
        place.textContent = `this chart cannot be drawn: ${error.message}`;
      });
    }
  }
})();
