// A certificate that is dropped anywhere on the page is checked at once.
"use strict";

const form = document.querySelector("form[data-drop]");
const input = form && form.querySelector("input[name=certificate]");
let inside = 0;

function over(on) {
  if (on) form.dataset.over = ""; else delete form.dataset.over;
}

if (form) {
  // The browser's own button speaks the browser's language; ours speaks the page's.
  form.dataset.ready = "";
  form.querySelector(".pick").addEventListener("click", () => input.click());
  const more = form.querySelector("details");
  input.addEventListener("change", () => { if (input.files.length && !more.open) form.requestSubmit(); });
  addEventListener("dragenter", (event) => { event.preventDefault(); inside += 1; over(true); });
  addEventListener("dragleave", () => { inside -= 1; if (inside <= 0) over(false); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    over(false);
    if (!event.dataTransfer || !event.dataTransfer.files.length) return;
    input.files = event.dataTransfer.files;
    if (!more.open) form.requestSubmit();
  });
}
