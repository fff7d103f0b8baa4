/* The page on which statements are being made: it looks how far they are, and opens them at the end. */

"use strict";

(() => {
  const ready = document.querySelector("[data-open]");
  if (ready) {
    if (performance.getEntriesByType("navigation")[0]?.type === "navigate") location.assign(ready.href);
    return;
  }
  const making = document.querySelector("[data-making]");
  const bar = making.querySelector("progress");
  const done = making.querySelector("[data-done]");
  const look = async () => {
    try {
      const answer = await fetch(`${making.dataset.making}&as=json`, { credentials: "same-origin" });
      const said = await answer.json();
      if (said.stage !== "making") return location.replace(making.dataset.making);
      bar.value = said.done;
      done.textContent = said.done;
    } catch { /* the line is down: look again */ }
    return setTimeout(look, 1000);
  };
  setTimeout(look, 1000);
})();
