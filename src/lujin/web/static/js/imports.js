// Files dropped anywhere on the page are sent one after the other, with progress. Without this the plain form does it.
"use strict";

const form = document.querySelector("form[data-drop-files]");

function part(name) { return form.querySelector(`[data-${name}]`); }

function fail(text) {
  const place = part("error");
  place.textContent = text;
  place.hidden = false;
  form.querySelector(".sending").hidden = true;
}

function send(file) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/imports/upload");
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("x-file-name", encodeURIComponent(file.name));
    const token = form.querySelector('input[name="csrf"]');
    if (token) request.setRequestHeader("x-csrf-token", token.value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) part("bar").value = event.loaded / event.total;
    });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch { /* no JSON: said below */ }
      if (request.status === 201) resolve(answer.location);
      else reject(new Error(answer.detail || form.dataset.failed));
    });
    request.addEventListener("error", () => reject(new Error(form.dataset.failed)));
    request.send(file);
  });
}

async function sendAll(files) {
  part("error").hidden = true;
  const places = [];
  for (const file of files) {
    if (file.size > Number(form.dataset.limit)) { fail(`${file.name}: ${form.dataset.toolarge}`); return; }
    form.querySelector(".sending").hidden = false;
    part("said").textContent = form.dataset.sending.replace("{file}", file.name);
    part("bar").value = 0;
    try { places.push(await send(file)); } catch (error) { fail(`${file.name}: ${error.message}`); return; }
  }
  location.assign(places.length === 1 ? places[0] : "/imports");
}

if (form) {
  const input = form.querySelector("input[name=file]");
  let inside = 0;
  const over = (on) => { if (on) form.dataset.over = ""; else delete form.dataset.over; };
  form.dataset.ready = "";
  form.querySelector(".pick").addEventListener("click", () => input.click());
  input.addEventListener("change", () => { if (input.files.length) sendAll([...input.files]); });
  addEventListener("dragenter", (event) => { event.preventDefault(); inside += 1; over(true); });
  addEventListener("dragleave", () => { inside -= 1; if (inside <= 0) over(false); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    inside = 0;
    over(false);
    if (event.dataTransfer && event.dataTransfer.files.length) sendAll([...event.dataTransfer.files]);
  });
}
