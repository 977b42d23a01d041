// What the pages do beyond plain HTML. Everything works without it.
"use strict";

// A picker (month, book, carrier …) loads the page anew when it changes.
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-submit-on-change]");
  if (form) form.requestSubmit();
});

// On a phone the menu starts closed.
const menu = document.querySelector(".menu > details");
if (menu && window.matchMedia("(max-width: 48rem)").matches) menu.open = false;

// A table that is wider than its place can be scrolled from the keyboard.
const wide = new ResizeObserver((seen) => {
  for (const { target } of seen) {
    if (target.scrollWidth > target.clientWidth) target.tabIndex = 0; else target.removeAttribute("tabindex");
  }
});
const watchTables = (root) => root.querySelectorAll(".table-wrap").forEach((found) => wide.observe(found));
watchTables(document);
document.addEventListener("htmx:load", (event) => watchTables(event.target));

// Forms that take long say so and cannot be sent twice.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target.method === "post" && button && !event.defaultPrevented) {
    setTimeout(() => { button.disabled = true; }, 0);
    setTimeout(() => { button.disabled = false; }, 10000);
  }
});

// HTMX shows our own error pages' parts instead of dropping them.
document.addEventListener("htmx:beforeSwap", (event) => {
  const status = event.detail.xhr.status;
  if ([409, 413, 422, 429].includes(status)) { event.detail.shouldSwap = true; event.detail.isError = false; }
});

// The CSRF token of the page goes with every HTMX request that writes.
document.addEventListener("htmx:configRequest", (event) => {
  const field = document.querySelector('input[name="csrf"]');
  if (field) event.detail.headers["X-CSRF-Token"] = field.value;
});
