// The secret of a mailed link stands in the fragment: read it, take it out of the address bar, post it when asked to.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const status = document.querySelector("[role=status]");
for (const part of document.querySelectorAll("[data-needs]")) {
  part.hidden = part.dataset.needs !== (token ? "token" : "nothing");
}
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
const shown = document.querySelector("#shown");
shown?.addEventListener("change", () => {
  document.querySelector("#new_password").type = shown.checked ? "text" : "password";
});

async function send(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  status.hidden = true;
  const problem = await refusal(form);
  button.disabled = false;
  form.hidden = !problem;
  say(problem || form.dataset.done, Boolean(problem));
}

async function refusal(form) {
  const body = Object.fromEntries(new FormData(form));
  if (token) body.token = token;
  try {
    const answer = await fetch(form.dataset.url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      credentials: "omit",
      body: JSON.stringify(body),
    });
    if (answer.ok) return "";
    const problem = await answer.json();
    return Object.values(problem.errors ?? {}).flat().join(" ") || problem.detail;
  } catch {
    return "The server could not be reached. Try again in a moment.";
  }
}

function say(text, isProblem) {
  status.textContent = text;
  status.classList.toggle("problem", isProblem);
  status.hidden = false;
}
