// GraphiQL for one copy: asks this host alone, as whoever is signed in.
import * as React from "react";
import { createRoot } from "react-dom/client";
import { GraphiQL } from "graphiql";

const place = document.getElementById("graphiql");
const { address, csrf, tenant, first, query, variables } = place.dataset;
place.replaceChildren();

// What is kept in the browser is kept for each copy apart.
const named = (key) => `sandlot:${tenant}:${key}`;
const storage = {
  getItem: (key) => localStorage.getItem(named(key)),
  setItem: (key, value) => localStorage.setItem(named(key), value),
  removeItem: (key) => localStorage.removeItem(named(key)),
  clear: () => Object.keys(localStorage).filter((key) => key.startsWith(named(""))).forEach((key) => localStorage.removeItem(key)),
  get length() { return Object.keys(localStorage).filter((key) => key.startsWith(named(""))).length; },
};

const fetcher = async ({ query, variables, operationName }) => {
  const answer = await fetch(address, {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json", accept: "application/json", "x-csrf-token": csrf },
    body: JSON.stringify({ query, variables, operationName }),
  });
  if (answer.redirected) return { errors: [{ message: "Your session is over. Reload the page and log in again." }] };
  const text = await answer.text();
  try { return JSON.parse(text); } catch { return { errors: [{ message: `${answer.status} ${answer.statusText}` }] }; }
};

// The address is the state, as on the other pages.
const state = { q: query ?? "", v: variables ?? "" };
let waits;
const remember = (name) => (text) => {
  state[name] = text ?? "";
  clearTimeout(waits);
  waits = setTimeout(() => {
    const asked = new URLSearchParams(Object.entries(state).filter(([, text]) => text.trim()));
    const to = `${location.pathname}?${asked}`;
    if (to.length < 3000) history.replaceState(history.state, "", to);
  }, 300);
};

createRoot(place).render(
  React.createElement(
    GraphiQL,
    {
      fetcher,
      storage,
      query,
      variables: variables || undefined,
      defaultQuery: first,
      isHeadersEditorEnabled: false,
      shouldPersistHeaders: false,
      onEditQuery: remember("q"),
      onEditVariables: remember("v"),
    },
    React.createElement(GraphiQL.Logo, null, "GraphQL"),
  ),
);

// Its editors are fields without names, and what scrolls in them can't be reached by keys.
const names = { "graphiql-query-editor": "Operation", "graphiql-editor-tool": "Variables", "result-window": "Answer" };
const name = () => {
  for (const field of place.querySelectorAll(".CodeMirror textarea:not([aria-label])")) {
    const part = Object.keys(names).find((part) => field.closest(`.${part}`));
    field.setAttribute("aria-label", names[part] ?? "Text");
  }
  for (const text of place.querySelectorAll('.CodeMirror-scroll[tabindex="-1"]')) text.tabIndex = 0;
};
new MutationObserver(name).observe(place, { childList: true, subtree: true });
