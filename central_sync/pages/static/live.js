// Renews the parts of a page that are marked with data-live, without moving the reader:
// the same address is fetched again and only what changed is put in place.
"use strict";

(() => {
  const INTERVAL_MS = 10_000;
  const LIMIT_MS = 8_000;

  function renewed(page) {
    for (const fresh of page.querySelectorAll("[data-live]")) {
      const shown = document.querySelector(`[data-live="${fresh.dataset.live}"]`);
      if (!shown || shown.innerHTML === fresh.innerHTML) continue;
      const held = shown.contains(document.activeElement) ? document.activeElement : null;
      const place = held && held.getAttribute("href");
      shown.replaceChildren(...fresh.childNodes);
      if (place) shown.querySelector(`[href="${CSS.escape(place)}"]`)?.focus();
    }
  }

  async function renew() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(LIMIT_MS) });
      if (!answer.ok) throw new Error(String(answer.status));
      renewed(new DOMParser().parseFromString(await answer.text(), "text/html"));
      document.body.classList.remove("is-stale");
    } catch {
      // Old figures must not look like new ones.
      document.body.classList.add("is-stale");
    }
  }

  setInterval(renew, INTERVAL_MS);
  document.addEventListener("visibilitychange", renew);
})();
