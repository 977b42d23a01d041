// A task that runs tells how far it is; when it is over the page shows what came of it.
"use strict";

const job = document.querySelector("[data-job]");

if (job) {
  const events = new EventSource(job.dataset.job);
  const bar = job.querySelector("[data-bar]");
  events.addEventListener("progress", (event) => {
    const now = JSON.parse(event.data);
    job.querySelector("[data-said]").textContent = now.said;
    job.querySelector("[data-task]").textContent = now.task + (now.total ? ` ${now.done} / ${now.total}` : "");
    if (now.total) { bar.max = now.total; bar.value = now.done; } else { bar.removeAttribute("value"); }
  });
  events.addEventListener("end", () => { events.close(); location.reload(); });
}
