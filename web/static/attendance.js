/* The list of a gathering on a phone whose connection comes and goes.

   Without this file the list is a form that is saved as a whole. With it, each tick is sent by
   itself, as that form with one row. It is kept on the phone until the server has said yes, and
   sent again when the network is back or the page is opened again. Every tick has an id, so that
   it counts once however often it is sent, and says when it was made, so that of two phones the
   later tick stands. That is reckoned by the server's clock, from what it was when this page came:
   how long a tick is under way changes nothing. */

"use strict";

(() => {
  const form = document.getElementById("roll");
  const sync = document.getElementById("sync");
  const count = document.getElementById("count");
  const adding = document.getElementById("add");
  if (!form || !window.fetch || !window.localStorage) return;

  const say = form.dataset;
  const whole = Number(say.whole);
  const key = `ticks ${location.pathname}`;
  const ahead = Date.parse(say.now) - Date.now(); // of our server's clock
  let since = say.now, busy = false, wait = 2000, timer = 0, trouble = "";

  // ── What is kept on the phone ────────────────────────────────────────────────────────────────

  function kept() {
    try { return JSON.parse(localStorage.getItem(key)) || []; } catch { return []; }
  }

  function keep(all) {
    if (all.length) localStorage.setItem(key, JSON.stringify(all));
    else localStorage.removeItem(key);
  }

  function change(id, how) { // another tab may have changed the rest meanwhile
    keep(kept().map((one) => (one.id === id ? how(one) : one)).filter(Boolean));
  }

  function madeNow() { // never before an earlier tick of this phone
    const latest = Math.max(0, ...kept().map((one) => one.made));
    return Math.max(Date.now() + ahead, latest + 1);
  }

  function newId() { // randomUUID is not there on a page without TLS
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  // ── What stands on the page ──────────────────────────────────────────────────────────────────

  const rows = () => [...form.querySelectorAll("li[data-seat]")];
  const rowOf = (seat) => form.querySelector(`li[data-seat="${CSS.escape(seat)}"]`);
  const box = (row) => row.querySelector("input[type=checkbox]");
  const time = (row) => row.querySelector(".time input");
  const shown = (minutes) => `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;

  function read(text) { // 1:30, 90 min, 1h 30m; null for what the server has to judge
    const clock = /^(\d{1,2}):([0-5]\d)$/.exec(text.trim());
    if (clock) return Number(clock[1]) * 60 + Number(clock[2]);
    const plain = /^(\d{1,4}) ?(?:m|min)$/.exec(text.trim());
    return plain ? Number(plain[1]) : null;
  }

  function present(row) { // minutes there; 0 for not ticked
    if (!box(row).checked) return 0;
    return time(row).value.trim() ? read(time(row).value) : whole;
  }

  function show(row) {
    const minutes = present(row);
    row.querySelector("[data-shown]").textContent = shown(minutes || whole);
  }

  function put(row, minutes) { // what the server says stands
    box(row).checked = Boolean(minutes);
    time(row).value = minutes && minutes !== whole ? shown(minutes) : "";
    show(row);
  }

  function tell() {
    const waiting = kept().filter((one) => !one.late);
    const late = kept().filter((one) => one.late);
    const here = rows().filter((row) => box(row).checked).length;
    count.textContent = here === 0 ? count.dataset.none
      : (here === 1 ? count.dataset.one : count.dataset.many).replace("{n}", here);
    for (const row of rows()) row.classList.toggle("waits", waiting.some((one) => one.seat === row.dataset.seat));
    sync.replaceChildren();
    if (late.length) {
      const names = [...new Set(late.map((one) => one.name))].join(", ");
      const forget = document.createElement("button");
      Object.assign(forget, { type: "button", className: "plain", textContent: say.forget });
      forget.addEventListener("click", () => { keep(kept().filter((one) => !one.late)); tell(); });
      sync.append(say.late.replace("{names}", names), " ", forget);
    } else if (trouble) {
      sync.append(trouble);
      if (trouble === say.signedOut) sync.append(" ", link(say.signIn));
      if (trouble === say.anew || trouble === say.unsure) sync.append(" ", link(location.pathname));
    } else if (waiting.length) {
      sync.append((waiting.length === 1 ? say.waitingOne : say.waitingMany).replace("{n}", waiting.length));
    } else {
      sync.append(say.saved);
    }
    sync.classList.toggle("waits", Boolean(waiting.length || late.length || trouble));
  }

  function link(address) {
    const found = document.createElement("a");
    Object.assign(found, { href: address, textContent: "→" });
    found.setAttribute("aria-label", sync.textContent.trim());
    return found;
  }

  // ── Ticking ──────────────────────────────────────────────────────────────────────────────────

  function tick(row) {
    show(row);
    keep([...kept(), {
      id: newId(), seat: row.dataset.seat, name: row.dataset.name, came: box(row).checked,
      minutes: time(row).value.trim(), made: madeNow(),
    }]);
    send();
  }

  form.addEventListener("change", (event) => {
    const row = event.target.closest("li[data-seat]");
    if (!row) return;
    if (event.target === time(row) && event.target.value.trim()) box(row).checked = true;
    if (event.target === box(row) && !box(row).checked) time(row).value = "";
    tick(row);
  });

  form.addEventListener("submit", (event) => { // Enter in a field: it is on its way already
    event.preventDefault();
    if (document.activeElement && document.activeElement.blur) document.activeElement.blur();
    send();
  });

  function quarters(row) { // taps instead of typing
    const part = row.querySelector(".part");
    if (!part || part.querySelector("button")) return;
    const taps = document.createElement("div");
    taps.className = "taps";
    for (const [words, sign, step] of [[say.less, "−15", -15], [say.more, "+15", 15], [say.all, say.all, 0]]) {
      const tap = document.createElement("button");
      Object.assign(tap, { type: "button", className: "second small", textContent: sign });
      tap.setAttribute("aria-label", `${row.dataset.name}: ${words}`);
      tap.addEventListener("click", () => {
        const stands = box(row).checked ? present(row) ?? whole : whole;
        const next = step ? Math.min(Math.max(stands + step, 0), 24 * 60) : whole;
        box(row).checked = next > 0;
        time(row).value = next > 0 && next !== whole ? shown(next) : "";
        tick(row);
      });
      taps.append(tap);
    }
    part.append(taps);
  }

  // ── Somebody walked in ───────────────────────────────────────────────────────────────────────

  function standIn(one) { // a row for a name that is not on the list yet
    if (rowOf(one.seat)) return;
    const row = document.getElementById("row").content.firstElementChild.cloneNode(true);
    const field = `minutes-${one.seat}`;
    Object.assign(row.dataset, { seat: one.seat, name: one.name });
    row.querySelector("strong").textContent = one.name;
    row.querySelector(".who").textContent = say.notSent;
    Object.assign(time(row), { id: field, name: field });
    row.querySelector(".part label").setAttribute("for", field);
    row.querySelector("summary").setAttribute("aria-label", one.name);
    let list = form.querySelector("ul.roll");
    if (!list) {
      list = Object.assign(document.createElement("ul"), { className: "rows roll" });
      form.querySelector(".note")?.replaceWith(list);
    }
    list.append(row);
    quarters(row);
  }

  if (adding) {
    adding.addEventListener("submit", (event) => {
      const name = adding.elements.name.value.trim();
      if (!name) return; // the server says what is missing
      event.preventDefault();
      const one = { id: newId(), seat: newId(), name, add: true, made: madeNow() };
      keep([...kept(), one]);
      standIn(one);
      adding.elements.name.value = "";
      adding.elements.name.focus();
      tell();
      send();
    });
  }

  // ── Sending ──────────────────────────────────────────────────────────────────────────────────

  function body(one) {
    const fields = new FormData();
    if (one.add) {
      fields.append("name", one.name);
      fields.append("seat", one.seat);
      return fields;
    }
    if (one.came) fields.append("came", one.seat);
    fields.append(`minutes-${one.seat}`, one.minutes);
    fields.append(`was-${one.seat}`, one.came ? "" : "1"); // always a change: the tick itself decides
    fields.append(`tick-${one.seat}`, one.id);
    fields.append(`made-${one.seat}`, String(Math.round(one.made)));
    return fields;
  }

  async function ask(one) {
    const address = one.add ? adding.action : `${form.action}?since=${encodeURIComponent(since)}`;
    const stop = new AbortController();
    const limit = setTimeout(() => stop.abort(), 10000);
    try {
      return await fetch(address, {
        method: "POST", body: body(one), headers: { Accept: "application/json" },
        signal: stop.signal, redirect: "error",
      });
    } finally { clearTimeout(limit); }
  }

  async function send() {
    clearTimeout(timer);
    tell();
    if (busy) return;
    busy = true;
    try {
      for (let one = first(); one; one = first()) {
        const answer = await ask(one);
        if (answer.status === 401) { trouble = say.signedOut; break; }
        if (answer.status >= 500 || answer.status === 429) throw new Error("again later");
        hear(one, answer.status, await answer.json().catch(() => ({})));
        wait = 2000;
        tell();
      }
    } catch { // no network, or a server that is busy: it stays on the phone
      timer = setTimeout(send, wait);
      wait = Math.min(wait * 2, 30000);
    } finally {
      busy = false;
      tell();
    }
  }

  const first = () => kept().find((one) => !one.late);

  function hear(one, status, said) {
    if (status >= 400) { // not to be had: say why, and do not ask for ever
      trouble = (said.mistakes || []).join(" ") || trouble;
      change(one.id, () => null);
      if (status === 403 || status === 404) change(one.id, () => ({ ...one, late: true }));
      return;
    }
    trouble = "";
    if (one.add) {
      change(one.id, () => null);
      settle(one, said);
      return;
    }
    const became = (said.ticks || {})[one.id];
    change(one.id, (kept) => (became === "closed" ? { ...kept, late: true } : null));
    since = said.now || since;
    for (const [seat, minutes] of Object.entries(said.rows || {})) {
      const row = rowOf(seat);
      const touched = kept().some((other) => other.seat === seat);
      if (row && !touched && document.activeElement !== time(row)) put(row, minutes);
    }
    if (said.people > rows().length) trouble = say.anew;
  }

  function settle(one, said) { // the name may be that of somebody who has a place
    const row = rowOf(one.seat);
    const there = said.seat !== one.seat && rowOf(said.seat);
    keep(kept().map((other) => (other.seat === one.seat ? { ...other, seat: said.seat } : other)));
    if (there) {
      row?.remove();
      put(there, whole);
    } else if (row) {
      row.dataset.seat = said.seat;
      row.dataset.name = said.name;
      box(row).value = said.seat;
      row.querySelector("strong").textContent = said.name;
      row.querySelector(".who").textContent = "";
    }
    if (said.unsure) trouble = say.unsure;
  }

  // ── Beginning ────────────────────────────────────────────────────────────────────────────────

  document.getElementById("save").hidden = true;
  sync.hidden = false;
  rows().forEach(quarters);
  for (const one of kept()) { // what was ticked before the page went away
    if (one.add) standIn(one);
    const row = rowOf(one.seat);
    if (row && !one.add && !one.late) {
      box(row).checked = one.came;
      time(row).value = one.minutes;
      show(row);
    }
  }
  addEventListener("online", () => { wait = 2000; send(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) send(); });
  send();
})();
