// Keeps the page up to date, filters the failures while the reader types, and shows the answers to the demo's calls. Without it
// the page is complete but shows one moment.
"use strict";
{
  const interval = 4000; // ms
  const byId = (id) => document.getElementById(id);
  const live = byId("live"), announcement = byId("announcement"), filter = byId("filter"), found = byId("found");
  let timer = 0, running = false, state = byId("verdict").dataset.state;

  // read fetches the page as it is now. Scripts of a document that is fetched in this way do not run.
  const read = () => new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open("GET", "/");
    r.setRequestHeader("Accept", "text/html");
    r.responseType = "document";
    r.timeout = 15000;
    r.onload = () => (r.status === 200 && r.response ? resolve(r.response) : reject(new Error(String(r.status))));
    r.onerror = r.ontimeout = () => reject(new Error("no answer"));
    r.send();
  });

  // patch makes old equal to now with as few changes as possible: focus and selection stay.
  const patch = (old, now) => {
    if (old.nodeType !== now.nodeType || old.nodeName !== now.nodeName) {
      old.replaceWith(document.importNode(now, true));
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== now.data) old.data = now.data;
      return;
    }
    for (const a of [...old.attributes]) {
      if (!now.hasAttribute(a.name) && !["hidden", "open", "title"].includes(a.name)) old.removeAttribute(a.name);
    }
    for (const a of now.attributes) {
      if (old.getAttribute(a.name) === a.value) continue;
      if (a.name === "datetime") old.removeAttribute("title");
      old.setAttribute(a.name, a.value);
    }
    const keyed = new Map();
    for (const c of old.children) if (c.dataset.key) keyed.set(c.dataset.key, c);
    let at = old.firstChild;
    for (const next of now.childNodes) {
      const same = next.dataset?.key && keyed.get(next.dataset.key);
      if (same && same !== at) old.insertBefore(same, at);
      else if (!same && (!at || next.dataset?.key || at.dataset?.key)) {
        old.insertBefore(document.importNode(next, true), at);
        continue;
      }
      const here = same || at;
      at = here.nextSibling;
      patch(here, next);
    }
    while (at) {
      const extra = at;
      at = at.nextSibling;
      extra.remove();
    }
  };

  const ownTimes = () => {
    for (const t of document.querySelectorAll("time:not([title])")) {
      t.title = new Date(t.dateTime).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
    }
  };

  const applyFilter = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0, all = 0;
    for (const table of document.querySelectorAll("#last table")) {
      const rows = [...table.querySelectorAll("tbody tr")], before = shown;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((w) => text.includes(w));
        if (!row.hidden) shown++;
      }
      table.hidden = shown === before;
      all += rows.length;
    }
    if (words.length) for (const d of document.querySelectorAll("#last details")) d.open = true;
    found.textContent = words.length ? `${shown} of ${all}` : "";
  };

  const refresh = async () => {
    const now = await read();
    for (const old of document.querySelectorAll("[data-live]")) {
      const next = now.getElementById(old.id);
      if (next) patch(old, next);
    }
    document.title = now.title;
    ownTimes();
    applyFilter();
    const verdict = byId("verdict");
    if (verdict.dataset.state !== state) {
      state = verdict.dataset.state;
      announcement.textContent = `${verdict.querySelector("h1").textContent} ${verdict.querySelector(".then")?.textContent ?? ""}`;
    }
  };

  const tick = async () => {
    clearTimeout(timer);
    if (!running || document.hidden) return;
    try {
      await refresh();
      live.classList.remove("lost");
      live.textContent = "Live";
    } catch {
      live.classList.add("lost");
      live.textContent = "No answer";
    }
    clearTimeout(timer);
    if (running) timer = setTimeout(tick, interval);
  };

  const run = (on) => {
    running = on;
    live.setAttribute("aria-pressed", String(on));
    live.classList.remove("lost");
    live.textContent = on ? "Live" : "Paused";
    if (on) tick();
  };
  live.addEventListener("click", () => run(!running));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  live.hidden = false;

  filter.addEventListener("input", applyFilter);
  filter.form.addEventListener("submit", (e) => { e.preventDefault(); applyFilter(); });

  const answer = byId("answer");
  byId("actions")?.addEventListener("submit", async (e) => {
    if (!e.submitter) return;
    e.preventDefault();
    const button = e.submitter;
    button.disabled = true;
    answer.textContent = "…";
    try {
      const r = await fetch("/demo/try", { method: "POST", headers: { Accept: "text/plain" }, body: new URLSearchParams({ try: button.value }) });
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
      answer.textContent = "";
      for (let part = await reader.read(); !part.done; part = await reader.read()) answer.append(part.value);
    } catch {
      answer.append("\n(the proxy does not answer)");
    }
    button.disabled = false;
    tick();
  });

  ownTimes();
  applyFilter();
  run(true);
}
