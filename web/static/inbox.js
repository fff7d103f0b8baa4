// The inbox by keyboard, with a button that says how much is chosen. Without this file every task is
// there all the same: it only ticks, follows links and presses buttons that stand on the page.
"use strict";

(() => {
  const desk = document.querySelector("form.desk");
  const help = document.getElementById("keys");
  if (!desk || !help) return;

  const rows = [...desk.querySelectorAll("ul.inbox > li")];
  const box = (row) => row.querySelector("input[name=thing]");
  const button = (act) => desk.querySelector(`button[data-act="${act}"]`);
  let last = -1; // the row that was ticked last, where a range begins

  // ── What is chosen ──

  const approve = button("approve");
  const plain = approve ? approve.textContent : "";
  const told = desk.querySelector("[data-chosen]");
  const fill = (words, facts) => words.replace(/%\((\w+)\)s/g, (_, name) => facts[name]);
  const shown = (minutes) => `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;

  function tell() {
    const chosen = rows.filter((row) => box(row).checked);
    const fine = chosen.filter((row) => row.hasAttribute("data-may-approve"));
    const total = shown(fine.reduce((sum, row) => sum + Number(row.dataset.minutes), 0));
    const facts = { count: fine.length, total };
    if (approve) {
      const words = fine.length === 1 ? approve.dataset.one : approve.dataset.many;
      approve.textContent = fine.length ? fill(words, facts) : plain;
    }
    const said = fill(told.dataset.some, { count: chosen.length, total });
    told.textContent = chosen.length ? said : told.dataset.none;
  }

  function tick(at, on, from = at) {
    const [first, end] = from < at ? [from, at] : [at, from];
    for (let place = first; place <= end; place += 1) box(rows[place]).checked = on;
    last = at;
    tell();
  }

  rows.forEach((row, at) => {
    box(row).addEventListener("click", (event) => {
      tick(at, box(row).checked, event.shiftKey && last >= 0 ? last : at);
    });
    const link = row.querySelector("a[data-opens]");
    link.addEventListener("click", () => opened(row.dataset.key));
  });

  const all = desk.querySelector("a[data-choose]");
  if (all) {
    all.addEventListener("click", (event) => {
      event.preventDefault();
      rows.forEach((row) => { box(row).checked = row.hasAttribute("data-may-approve"); });
      tell();
      if (approve) approve.focus();
    });
  }

  // Whoever opens a thing is on it for a while, and the others see that. It must not keep anybody
  // waiting, so nobody waits for the answer.
  function opened(key) {
    const take = button("take");
    if (!take) return;
    const facts = new FormData();
    facts.append("only", key);
    facts.append("opened", "1");
    navigator.sendBeacon(take.formAction, facts);
  }

  // ── Keys ──

  const KEPT = "timebank.inbox.keys";
  const wanted = document.getElementById("keys-on");
  const kept = () => { try { return localStorage.getItem(KEPT); } catch { return null; } };
  wanted.checked = kept() !== "off";
  wanted.addEventListener("change", () => {
    try { localStorage.setItem(KEPT, wanted.checked ? "on" : "off"); } catch { /* then not kept */ }
  });
  const show = document.getElementById("show-keys");
  show.hidden = false;
  show.addEventListener("click", () => help.showModal());

  const here = () => rows.findIndex((row) => row.contains(document.activeElement));

  function go(to) {
    const at = Math.min(Math.max(to, 0), rows.length - 1);
    box(rows[at]).focus({ preventScroll: true });
    rows[at].scrollIntoView({ block: "center" });
  }

  // Without anything chosen, what an act is done with is the row one is on.
  function press(act) {
    const found = button(act);
    if (!found) return;
    if (!rows.some((row) => box(row).checked)) {
      const at = here();
      if (at < 0) return;
      tick(at, true);
    }
    const fold = found.closest("details");
    if (fold) fold.open = true;
    desk.requestSubmit(found);
  }

  const keys = {
    j: () => go(here() + 1),
    k: () => go(here() < 0 ? 0 : here() - 1),
    x: (event) => {
      const at = here();
      if (at < 0) return;
      tick(at, !box(rows[at]).checked, event.shiftKey && last >= 0 ? last : at);
    },
    o: () => {
      const at = here();
      if (at >= 0) rows[at].querySelector("a[data-opens]").click();
    },
    a: () => press("approve"),
    r: () => press("return"),
    t: () => press("take"),
    p: () => press("aside"),
    "/": () => document.getElementById("q").focus(),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!wanted.checked) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!Object.hasOwn(keys, key)) return;
    event.preventDefault();
    keys[key](event);
  });

  tell();
})();
