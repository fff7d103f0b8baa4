/* The sheet, typed without a mouse: cells one goes through as in a spreadsheet, rows that come by
   themselves, names and categories that complete. The page works without; it sends the same form. */

"use strict";

(() => {
  const form = document.querySelector("form.sheet");
  if (!form) { // the page that shows what was typed: one key posts it
    document.querySelector("button[value=post]").focus({ preventScroll: true });
    return;
  }
  const grid = form.querySelector(".grid");
  const most = Number(form.dataset.most);
  const shown = 8; // suggestions at a time
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();

  /* What can be written in a cell that completes itself. Names come once, categories with the page. */

  const known = {
    names: [],
    categories: [...document.querySelectorAll("#known-categories li")].map((one) => one.textContent),
  };
  fetch(form.dataset.names, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : { names: [] }))
    .then((found) => { known.names = found.names; catchUp("names"); })
    .catch(() => {}); // the server looks names up as well

  /* Those that begin so come before those in which a later word does. */
  const fitting = (list, typed) => {
    const begins = [], within = [];
    for (const one of list) {
      const name = fold(one);
      if (name.startsWith(typed)) begins.push(one);
      else if (name.includes(" " + typed)) within.push(one);
    }
    return [...begins, ...within].slice(0, shown);
  };

  /* The list of suggestions: one for the whole page, below the cell one is in. */

  const list = document.createElement("ul");
  list.id = "suggestions";
  list.className = "suggestions";
  list.setAttribute("role", "listbox");
  const open = { cell: null, at: -1 };

  const close = () => {
    if (!open.cell) return;
    open.cell.setAttribute("aria-expanded", "false");
    open.cell.removeAttribute("aria-activedescendant");
    list.remove();
    open.cell = null;
  };

  const point = (at) => {
    const options = [...list.children];
    open.at = (at + options.length) % options.length;
    options.forEach((one, n) => one.setAttribute("aria-selected", String(n === open.at)));
    open.cell.setAttribute("aria-activedescendant", options[open.at].id);
    options[open.at].scrollIntoView({ block: "nearest" });
  };

  const suggest = (cell) => {
    const typed = fold(cell.value);
    const found = typed ? fitting(known[cell.dataset.complete], typed) : [];
    close();
    if (!found.length || (found.length === 1 && found[0] === cell.value)) return;
    list.setAttribute("aria-label", cell.labels[0].textContent);
    list.replaceChildren(...found.map((words, n) => {
      const option = document.createElement("li");
      option.id = `suggestion-${n}`;
      option.setAttribute("role", "option");
      option.textContent = words;
      return option;
    }));
    cell.after(list);
    open.cell = cell;
    cell.setAttribute("aria-expanded", "true");
    point(0);
  };

  const take = () => {
    if (!open.cell) return;
    open.cell.value = list.children[open.at].textContent;
    close();
  };

  list.addEventListener("mousedown", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    event.preventDefault(); // the focus stays in the cell
    open.at = [...list.children].indexOf(option);
    take();
  });

  const completing = (cell) => {
    cell.removeAttribute("list");
    cell.setAttribute("role", "combobox");
    cell.setAttribute("aria-autocomplete", "list");
    cell.setAttribute("aria-expanded", "false");
    cell.setAttribute("aria-controls", "suggestions");
  };
  form.querySelectorAll("[data-complete]").forEach(completing);

  /* On a slow line somebody types before this file or the names are there: that completes as well.
     What stood in the cell from the beginning was not typed just now, and is left alone. */
  const catchUp = (what) => {
    const cell = document.activeElement;
    if (!form.contains(cell) || cell.dataset.complete !== what) return;
    if (cell.value !== cell.defaultValue) suggest(cell);
  };
  catchUp("categories");

  /* Rows and cells. */

  const lines = () => [...grid.querySelectorAll(".line")];
  const cells = (line) => [...line.querySelectorAll(".cell > input, .cell > select:not(.which-one)")];
  const blank = (line) => cells(line).every((cell) => !cell.value || /^(day|side)-/.test(cell.name));

  /* One more row, like the last one but empty. */
  const grow = () => {
    const all = lines();
    if (all.length >= most) return;
    const line = all[all.length - 1].cloneNode(true);
    const n = all.length;
    line.querySelectorAll(".mistake, .suggestions, .which-one, label[for$=-is]").forEach((one) => one.remove());
    const legend = line.querySelector("legend");
    legend.textContent = legend.textContent.replace(/\d+/, n + 1);
    line.querySelector(".n").textContent = n + 1;
    for (const cell of cells(line)) {
      cell.name = cell.id = cell.name.replace(/\d+$/, n);
      cell.closest(".cell").querySelector("label").htmlFor = cell.id;
      cell.removeAttribute("aria-invalid");
      cell.removeAttribute("aria-describedby");
      cell.removeAttribute("autofocus");
      if (cell.localName === "select") cell.selectedIndex = 0;
      else cell.value = "";
      if (cell.dataset.complete) completing(cell);
    }
    grid.append(line);
  };

  const place = (cell) => {
    const line = cell.closest(".line");
    return line ? { row: lines().indexOf(line), column: cells(line).indexOf(cell) } : null;
  };

  const go = (row, column) => {
    const line = lines()[row];
    const cell = line && cells(line)[column];
    if (!cell) return false;
    cell.focus();
    if (cell.select) cell.select();
    return true;
  };

  /* Enter goes on below the cell where this row was begun, as in a spreadsheet. */
  let begun = place(document.activeElement)?.column ?? 0;
  let tabbed = false;

  const check = () => form.querySelector(".bar button[value=check]");

  const ditto = (cell) => {
    const at = place(cell);
    if (cell.value !== '"' || !at) return;
    for (let row = at.row - 1; row >= 0; row -= 1) {
      const above = cells(lines()[row])[at.column].value;
      if (above) { cell.value = above; break; }
    }
  };

  grid.addEventListener("focusin", (event) => {
    const at = place(event.target);
    if (!at) return;
    if (!tabbed) begun = at.column;
    tabbed = false;
    if (at.row === lines().length - 1) grow();
  });

  form.addEventListener("focusout", (event) => {
    if (event.target === open.cell) close();
    if (event.target.matches(".cell > input")) ditto(event.target);
  });

  form.addEventListener("input", (event) => {
    if (event.target.dataset.complete) suggest(event.target);
  });

  const inList = (event) => {
    if (event.key === "ArrowDown") point(open.at + 1);
    else if (event.key === "ArrowUp") point(open.at - 1);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter") take();
    else return false;
    event.preventDefault();
    return true;
  };

  const inGrid = (event, at) => {
    const line = lines()[at.row];
    if (event.key === "Enter") {
      event.preventDefault();
      if (blank(line) && at.row > 0) check().focus();
      else if (!go(at.row + 1, begun)) check().focus();
    } else if (event.target.localName === "select") {
      return; // the arrows choose
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      begun = at.column;
      go(at.row + (event.key === "ArrowDown" ? 1 : -1), at.column);
    }
  };

  form.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      take();
      check().click();
      return;
    }
    if (event.key === "Tab") {
      tabbed = true;
      if (!event.shiftKey) take();
      return;
    }
    if (open.cell === event.target && !event.altKey && !event.ctrlKey && inList(event)) return;
    const at = place(event.target);
    if (at && !event.altKey && !event.ctrlKey && !event.metaKey && !event.shiftKey) inGrid(event, at);
    else if (!at && event.key === "Enter" && event.target.localName === "input") {
      event.preventDefault(); // in the head of the sheet: on to the first row
      go(0, 0);
    }
  });

  form.querySelector(".bar .more")?.remove(); // rows come by themselves
})();
