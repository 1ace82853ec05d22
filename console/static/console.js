// Small conveniences. Every page works without this file.
"use strict";

// After a table was redrawn in place, the keyboard stays where it was: on the same heading or link.
let focused = null;
document.addEventListener("htmx:before:swap", () => {
  const at = document.activeElement;
  const table = at?.closest(".listing");
  focused = table && { id: table.id, tag: at.tagName, text: at.textContent, field: at.id };
});
document.addEventListener("htmx:after:swap", () => {
  if (!focused) return;
  const table = document.getElementById(focused.id);
  const same = [...(table?.querySelectorAll(focused.tag) ?? [])].find(
    (one) => (focused.field ? one.id === focused.field : one.textContent === focused.text));
  (same ?? table?.querySelector("caption"))?.focus();
  focused = null;
});
