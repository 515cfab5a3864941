// The documentation: languages as tabs, chosen once for all samples, and where in the page one is.
"use strict";
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const KEPT = "sandlot-language";
  const groups = $$("[data-languages]").map((group, at) => {
    const parts = $$(":scope > section", group);
    const tabs = document.createElement("div");
    tabs.setAttribute("role", "tablist");
    tabs.setAttribute("aria-label", "Language");
    parts.forEach((part, n) => {
      part.id = `language-${at}-${n}`;
      part.setAttribute("role", "tabpanel");
      const tab = document.createElement("button");
      tab.type = "button";
      tab.textContent = part.getAttribute("aria-label");
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", part.id);
      tab.addEventListener("click", () => choose(tab.textContent, tab));
      tabs.append(tab);
    });
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const all = $$("[role=tab]", tabs);
      const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
      choose(next.textContent, next);
      next.focus();
    });
    group.prepend(tabs);
    group.classList.add("on");
    return { tabs, parts };
  });
  const choose = (language, from) => {
    const before = from?.getBoundingClientRect().top;
    groups.forEach(({ tabs, parts }) => {
      const names = parts.map((part) => part.getAttribute("aria-label"));
      const wanted = names.includes(language) ? language : names.includes("cURL") ? "cURL" : names[names.length - 1];
      parts.forEach((part, n) => {
        const on = names[n] === wanted;
        part.hidden = !on;
        tabs.children[n].setAttribute("aria-selected", String(on));
        tabs.children[n].tabIndex = on ? 0 : -1;
      });
    });
    // Samples above may have become longer or shorter; what was clicked stays where it is.
    if (from) window.scrollBy(0, from.getBoundingClientRect().top - before);
    try { if (from) localStorage.setItem(KEPT, language); } catch { /* not kept then */ }
  };
  let kept = "cURL";
  try { kept = localStorage.getItem(KEPT) || kept; } catch { /* nothing is kept here */ }
  choose(kept);
  // The page has changed its length, so what the address names has moved.
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();

  const toc = document.querySelector(".toc");
  const button = toc.querySelector("button");
  button.addEventListener("click", () => {
    button.setAttribute("aria-expanded", String(toc.classList.toggle("open")));
  });
  toc.addEventListener("click", (event) => {
    if (!event.target.closest("a")) return;
    toc.classList.remove("open");
    button.setAttribute("aria-expanded", "false");
  });
  const links = new Map($$("a[href^='#']", toc).map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    const entry = entries.filter((one) => one.isIntersecting).pop();
    const link = entry && links.get(entry.target.id);
    if (!link) return;
    links.forEach((other) => other.removeAttribute("aria-current"));
    link.setAttribute("aria-current", "location");
  }, { rootMargin: "-10% 0px -75% 0px" });
  links.forEach((_, id) => { const part = document.getElementById(id); if (part) seen.observe(part); });
})();
