// Stands in for react-style-singleton, which writes <style> elements: a constructed sheet does
// the same and a policy without 'unsafe-inline' lets it.
import * as React from "react";
const counts = new Map();
const add = (text) => {
  let kept = counts.get(text);
  if (!kept) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    counts.set(text, (kept = { sheet, used: 0 }));
  }
  kept.used += 1;
  return () => {
    kept.used -= 1;
    if (kept.used > 0) return;
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((sheet) => sheet !== kept.sheet);
    counts.delete(text);
  };
};
export const styleSingleton = () => ({ styles, dynamic }) => {
  React.useEffect(() => add(styles), [styles && dynamic]);
  return null;
};
