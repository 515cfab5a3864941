// What the pages do beyond links and forms: copying, picking, editing in place, keys.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const main = () => $("#main");

  const say = (button, words) => {
    const before = button.dataset.before ?? button.textContent;
    button.dataset.before = before;
    button.textContent = words;
    setTimeout(() => { button.textContent = before; }, 1600);
  };
  const copy = async (text, button) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without a secure context there is no clipboard; the old way still works.
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
    say(button, "Copied");
  };

  // The navigation of narrow windows.
  const shut = () => {
    document.body.classList.remove("nav-open");
    $('[data-toggles="nav-open"]')?.setAttribute("aria-expanded", "false");
  };
  document.addEventListener("click", async (event) => {
    const target = event.target.closest("[data-copy],[data-token],[data-toggles],[data-pick],[data-value],[data-asks],[data-insert]");
    $$("details.drop[open]").forEach((drop) => { if (!drop.contains(event.target)) drop.open = false; });
    if (!event.target.closest("#side,[data-toggles]")) shut();
    if (!target) return;
    if (target.dataset.copy) copy($(target.dataset.copy).textContent, target);
    if (target.dataset.token) {
      const answer = await fetch(target.dataset.token, { headers: { accept: "application/json" } });
      if (answer.ok && !answer.redirected) copy((await answer.json()).access_token, target);
      else say(target, "Reload the page");
    }
    if (target.dataset.toggles) {
      const on = document.body.classList.toggle(target.dataset.toggles);
      target.setAttribute("aria-expanded", String(on));
    }
    if (target.dataset.pick) pick(target);
    if (target.dataset.value !== undefined && target.closest("#picker")) picked(target.dataset.value);
    if (target.dataset.asks && !confirm(target.dataset.asks)) event.preventDefault();
  });

  // The picker of a foreign key.
  let into = null, from = "";
  const offer = (words) => htmx.ajax("GET", `${from}&q=${encodeURIComponent(words)}`, { target: "#picked", swap: "innerHTML", select: "unset" });
  const pick = (button) => {
    into = document.getElementById(button.dataset.into);
    from = button.dataset.pick;
    $("#picker-title").textContent = `Pick from ${button.dataset.title}`;
    $("#picker-words").value = "";
    $("#picked").textContent = "";
    $("#picker").showModal();
    offer("");
  };
  const picked = (value) => {
    into.value = value;
    into.dispatchEvent(new Event("input", { bubbles: true }));
    $("#picker").close();
    into.focus();
  };
  let waits;
  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.id === "picker-words") {
      clearTimeout(waits);
      waits = setTimeout(() => offer(field.value), 200);
    }
    if (field.dataset.narrows) {
      const words = field.value.toLowerCase();
      $$(field.dataset.narrows).forEach((item) => { item.hidden = !item.textContent.toLowerCase().includes(words); });
    }
    // Whoever types a text does not want null.
    const nothing = field.name?.startsWith("v.") && field.form?.elements[`null.${field.name.slice(2)}`];
    if (nothing) nothing.checked = false;
    if (field.form?.matches("[data-guards]")) field.form.dataset.changed = "1";
  });

  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.dataset.all) $$(`input[name="${field.dataset.all}"]`, field.form).forEach((box) => { box.checked = field.checked; });
    if (field.dataset.all || field.name === "key") ticked();
    if (field.dataset.reads) read(field);
  });
  const ticked = () => {
    const bar = $(".ticked");
    if (!bar) return;
    const number = $$('input[name="key"]:checked').length;
    bar.hidden = number === 0;
    $("[data-ticked]").textContent = number;
  };
  const read = async (field) => {
    const file = field.files[0];
    if (!file) return;
    $(field.dataset.reads).value = await file.text();
    fits(field.form);
  };

  // CSV goes as it is, so that a file may be as large as the API takes.
  const size = (bytes) => `${Math.ceil(bytes / 1024).toLocaleString("en")} KB`;
  const fits = (form) => {
    const bytes = new Blob([form.elements.csv.value]).size, most = Number(form.dataset.most ?? Infinity), place = $("[data-fault]", form);
    if (place) {
      place.hidden = bytes <= most;
      place.textContent = bytes <= most ? "" : `It has ${size(bytes)}; ${size(most)} are taken at once. Split it into parts, each with the line of names.`;
    }
    return bytes <= most;
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("form[data-csv]")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!fits(form)) return;
    const button = $("button.button", form), busy = $("#busy");
    button.disabled = true;
    busy.classList.add("htmx-request");
    trouble("");
    try {
      const answer = await fetch(form.action, {
        method: "POST", body: form.elements.csv.value, redirect: "manual",
        headers: { "content-type": "text/csv; charset=utf-8", "x-csrf-token": form.elements._csrf.value },
      });
      if (answer.type === "opaqueredirect") { location.assign(form.dataset.to ?? location.href); return; }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const middle = $("#main", page), into = !middle && $(form.dataset.into);
      if (into) into.replaceChildren(...page.body.childNodes);
      else if (middle) main().replaceChildren(...middle.childNodes);
      else trouble(`The server answered ${answer.status}.`);
    } catch {
      trouble("The server can't be reached. Nothing was lost; try it again.");
    } finally {
      button.disabled = false;
      busy.classList.remove("htmx-request");
    }
  }, true);

  // Values changed where they stand; what stood there, by the address that gives it anew.
  const shown = new Map();
  const edit = (cell) => {
    const row = cell?.closest("tr[data-row]");
    if (!row || !cell.dataset.col || !cell.closest("[data-edits]")) return;
    const address = `${row.dataset.row}/cell/${encodeURIComponent(cell.dataset.col)}`;
    shown.set(`${address}?back`, cell);
    htmx.ajax("GET", address, { target: cell, swap: "outerHTML", select: "unset" });
  };
  // As it was, with its links.
  const leave = (form) => {
    const cell = shown.get(form.dataset.back);
    if (!cell) return back(form);
    form.closest("td").replaceWith(cell);
    cell.focus();
  };
  const back = (form) => htmx.ajax("GET", form.dataset.back, { target: form.closest("td"), swap: "outerHTML", select: "unset" });
  document.addEventListener("dblclick", (event) => edit(event.target.closest("td[data-col]")));

  // One cell of a grid is reached by Tab, the others from there.
  const reach = () => $("[data-edits] td[data-col]", main() ?? document)?.setAttribute("tabindex", "0");
  const step = (cell, down, right) => {
    const row = cell.parentElement;
    let to = right ? cell : null;
    if (right) to = right > 0 ? cell.nextElementSibling : cell.previousElementSibling;
    if (down) to = (down > 0 ? row.nextElementSibling : row.previousElementSibling)?.children[cell.cellIndex];
    if (to?.matches("td:not(.tick)")) { to.focus(); return true; }
    return false;
  };
  document.addEventListener("keydown", (event) => {
    const field = event.target;
    const form = field.closest?.("td.editing form");
    if (form) {
      if (event.key === "Escape") { event.preventDefault(); leave(form); }
      if (event.key === "Enter" && !event.shiftKey && (field.tagName !== "TEXTAREA" || event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        form.requestSubmit();
      }
      return;
    }
    if (event.key === "Escape" && document.body.classList.contains("nav-open")) { shut(); $('[data-toggles="nav-open"]').focus(); }
    if (event.key === "Escape") $$("details.drop[open]").forEach((drop) => { drop.open = false; $("summary", drop).focus(); });
    if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && field.form?.matches("[data-runs]")) {
      event.preventDefault();
      field.form.requestSubmit();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (field.matches?.(".grid td")) {
      const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (moves && step(field, ...moves)) event.preventDefault();
      if (event.key === "Enter" || event.key === "F2") { event.preventDefault(); if (field.dataset.col) edit(field); else $("a", field)?.click(); }
      return;
    }
    if (field.matches?.("input,select,textarea,[contenteditable]")) return;
    const named = $(`[data-key="${CSS.escape(event.key)}"]`, main());
    if (named) {
      event.preventDefault();
      if (named.matches("input")) named.focus(); else named.click();
    }
  });

  // A form that was changed and not sent is not left by mistake.
  const changed = () => $("form[data-changed]", main());
  addEventListener("beforeunload", (event) => { if (changed()) event.preventDefault(); });
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = changed();
    if (!form || event.detail.target.id !== "main" || form.contains(event.detail.elt)) return;
    if (confirm("Leave what you have typed?")) delete form.dataset.changed;
    else event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    delete event.target.dataset.changed;
    const words = event.target.dataset.waits;
    if (words) { const button = $("button.button", event.target); button.textContent = words; button.disabled = true; }
    // Files come as a page of their own, which htmx would put into this one.
    if (event.submitter?.matches("[data-whole]") && !event.target.dataset.whole) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const form = event.target.cloneNode(true);
      const what = document.createElement("input");
      what.type = "hidden"; what.name = event.submitter.name; what.value = event.submitter.value;
      form.append(what);
      form.hidden = true;
      document.body.append(form);
      HTMLFormElement.prototype.submit.call(form);
      setTimeout(() => form.remove(), 5000);
    }
  }, true);

  // What is kept in this browser is for whoever it was kept for: the page to log in, and the pages of
  // somebody else, begin without it.
  const who = $("[data-who]")?.dataset.who;
  try {
    if (who !== undefined && localStorage.getItem("sandlot:who") !== who) {
      Object.keys(localStorage).filter((key) => key.startsWith("sandlot:")).forEach((key) => localStorage.removeItem(key));
      localStorage.setItem("sandlot:who", who);
    }
  } catch { /* Nothing is kept here. */ }

  // Statements that ran.
  const past = (key) => { try { return JSON.parse(localStorage.getItem(key)) ?? []; } catch { return []; } };
  const list = () => {
    const form = $("form[data-history]"), place = $("[data-past]");
    if (!form || !place) return;
    place.replaceChildren(...past(form.dataset.history).map((text) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text.replace(/\s+/g, " ").slice(0, 120), title: text });
      button.addEventListener("click", () => { $("#query").value = text; $("#query").focus(); });
      const item = document.createElement("li");
      item.append(button);
      return item;
    }));
  };
  document.addEventListener("submit", (event) => {
    const key = event.target.dataset.history;
    if (!key) return;
    const text = event.target.elements.query.value.trim();
    const kept = [text, ...past(key).filter((other) => other !== text)].slice(0, 50);
    try { localStorage.setItem(key, JSON.stringify(kept)); } catch { /* No room: no history. */ }
    list();
  });
  document.addEventListener("click", (event) => {
    if (!event.target.matches("[data-forgets]")) return;
    localStorage.removeItem($("form[data-history]").dataset.history);
    list();
  });
  document.addEventListener("change", (event) => { if (event.target.matches("[data-sends]")) event.target.form.requestSubmit(); });
  document.addEventListener("input", (event) => {
    const slug = event.target.dataset.slugs && $(event.target.dataset.slugs);
    if (slug) slug.value = event.target.value.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
  });

  // A request on the front page.
  document.addEventListener("change", (event) => {
    if (event.target.id === "try-which") { event.target.form.elements.target.value = event.target.value; event.target.form.requestSubmit(); }
  });
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-demo]")) return;
    event.preventDefault();
    const place = $(".answer"), began = performance.now();
    try {
      const answer = await fetch(form.elements.target.value, { headers: { authorization: `Bearer ${form.elements.token.value}`, accept: "application/json" } });
      const text = await answer.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* Not JSON: as it came. */ }
      place.textContent = `${answer.status} ${answer.statusText} · ${Math.round(performance.now() - began)} ms\n\n${shown}`;
    } catch (error) {
      place.textContent = String(error);
    }
  });

  // A server that does not answer is said, and the page stays as it is.
  const trouble = (words) => { const place = $("#trouble"); if (place) { place.textContent = words; place.hidden = !words; } };
  document.addEventListener("htmx:sendError", () => trouble("The server can't be reached. Nothing was lost; try it again."));
  document.addEventListener("htmx:beforeRequest", () => trouble(""));
  // Refused with the page left as it is. Who has logged in anew since gets the forms' new token.
  const renew = async () => {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) return false;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    if (page.dataset.who !== document.body.dataset.who) return false;
    document.body.setAttribute("hx-headers", page.getAttribute("hx-headers"));
    const token = JSON.parse(page.getAttribute("hx-headers"))["X-CSRF-Token"];
    const old = $$('input[name="_csrf"]').filter((field) => field.value !== token);
    old.forEach((field) => { field.value = token; });
    return old.length > 0;
  };
  document.addEventListener("htmx:afterRequest", async (event) => {
    const { xhr, elt } = event.detail;
    if (xhr.getResponseHeader("hx-reswap") !== "none") return;
    if (elt.matches("form[data-guards]")) elt.dataset.changed = "1";
    trouble(xhr.responseText);
    if (xhr.status === 403 && await renew()) trouble("You have logged in anew since. Send it again: what is typed here stays.");
  });

  // What stays when the page's middle is exchanged.
  const nav = () => {
    const links = $$("a[data-nav]");
    const fits = (link) => location.pathname === link.pathname || location.pathname.startsWith(`${link.pathname}/`);
    const best = (list) => list.filter(fits).sort((a, b) => b.pathname.length - a.pathname.length)[0];
    const current = [best($$(".sections a[data-nav]")), best($$(".tables a[data-nav]"))];
    links.forEach((link) => { if (current.includes(link)) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current"); });
  };
  let counts = {};
  const show = () => $$("[data-count]").forEach((place) => { place.textContent = counts[place.dataset.count] ?? ""; });
  const count = async () => {
    const from = $("[data-counts]")?.dataset.counts;
    if (!from) return;
    const answer = await fetch(from, { headers: { accept: "application/json" } });
    // Whoever is signed out by now is led to the log-in, which counts nothing.
    if (answer.ok && !answer.redirected) { counts = await answer.json(); show(); }
  };
  // The tables beside the page, as the server lists them by now.
  let listed = "";
  const tables = (html) => {
    const nav = $(".tables ul"), from = html.indexOf("<ul data-listed>"), to = html.indexOf("</ul>", from);
    if (!nav || from < 0 || to < 0 || html.slice(from, to) === listed) return;
    listed = html.slice(from, to);
    nav.replaceChildren(...$("ul", new DOMParser().parseFromString(listed, "text/html")).childNodes);
    $(".tables input").dispatchEvent(new Event("input", { bubbles: true }));
    show();
  };
  const relist = async () => {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.ok && !answer.redirected) { tables(await answer.text()); nav(); }
  };
  document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) tables(event.detail.xhr.responseText); });
  document.addEventListener("htmx:afterSettle", (event) => {
    const cell = event.target;
    if (cell.matches?.("td.editing")) { const field = $("input,select,textarea", cell); field?.focus(); field?.select?.(); }
    else if (cell.matches?.("td[data-col]")) cell.focus();
    if (event.target.id === "result" && $("[data-altered]", event.target)) relist();
    if (event.target.id === "result" && $("[data-changed],[data-altered]", event.target)) count();
    if (event.target.id !== "main") return;
    reach();
    nav();
    show();
    list();
    shut();
    if ($("[data-changed]:not(form)", main())) count();
    const first = $("[autofocus], .bad input:not([type=hidden]), .bad select, .bad textarea", main());
    (first ?? main()).focus({ preventScroll: !first });
  });
  addEventListener("pageshow", () => { nav(); ticked(); list(); reach(); });
  count();
})();
