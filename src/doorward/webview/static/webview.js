// Comfort only: every form works without this file.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// ---- search: shows the lines that contain what was typed
for (const box of all("[data-filters]")) {
  const lines = all(`#${box.dataset.filters} > li`);
  const none = document.querySelector(`[data-none="${box.dataset.filters}"]`);
  const filter = () => {
    const text = box.value.toLowerCase().trim().replace(/\s+/g, " ");
    for (const line of lines) line.hidden = !line.dataset.text.includes(text);
    none.hidden = lines.some((line) => !line.hidden);
    document.dispatchEvent(new Event("chosen"));
  };
  box.addEventListener("input", filter);
  box.closest(".search").hidden = lines.length < 2;
}

// ---- choosing devices: select all, count, and a button that waits for the first one
for (const form of all("[data-needs-one]")) {
  const boxes = all('input[name="device"]', form);
  const button = form.querySelector(".primary");
  const count = form.querySelector("[data-count]");
  const everything = document.getElementById("select-all");
  const shown = () => boxes.filter((box) => !box.closest("li").hidden);
  const update = () => {
    const chosen = boxes.filter((box) => box.checked).length;
    button.disabled = chosen === 0;
    count.hidden = boxes.length < 2;
    count.textContent = chosen === 0 ? "No device chosen yet." : `${chosen} of ${boxes.length} chosen.`;
    if (everything) {
      const checked = shown().filter((box) => box.checked).length;
      everything.checked = checked > 0 && checked === shown().length;
      everything.indeterminate = checked > 0 && checked < shown().length;
      everything.closest("label").hidden = shown().length === 0;
    }
  };
  document.querySelector(".tools").hidden = boxes.length < 2;
  everything?.addEventListener("change", () => {
    for (const box of shown()) box.checked = everything.checked;
    update();
  });
  form.addEventListener("change", update);
  document.addEventListener("chosen", update);
  window.addEventListener("pageshow", update);
  update();
}

// ---- sending: once, and visibly
let isSent = false;
document.addEventListener("submit", (event) => {
  if (isSent) {
    event.preventDefault();
    return;
  }
  isSent = true;
  const button = event.submitter;
  const busy = button?.dataset.busy ?? event.target.dataset.busy;
  if (!button || !busy) return;
  button.classList.add("busy");
  button.setAttribute("aria-busy", "true");
  button.dataset.text = button.textContent;
  button.textContent = busy;
});
window.addEventListener("pageshow", () => {
  isSent = false;
  for (const button of all("button.busy")) {
    button.classList.remove("busy");
    button.removeAttribute("aria-busy");
    button.textContent = button.dataset.text;
  }
});

// ---- a caller's page that redirects once more is held back by the policy for forms: show the end state instead,
// whose link it does not hold back
document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective === "form-action") location.replace(location.href);
});

// ---- trouble is read out and reached, wherever there is no field to correct
if (!document.querySelector("[autofocus]")) document.getElementById("problem")?.focus();

// ---- the end, told to the page that embeds this one; it holds no secret
const end = document.querySelector("main[data-event]");
if (end && window.parent !== window) {
  window.parent.postMessage(
    {
      event: { event_type: end.dataset.event },
      connect_webview_id: end.dataset.connectWebviewId,
      connected_account_id: end.dataset.connectedAccountId ?? null,
    },
    "*",
  );
}
