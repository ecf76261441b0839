"use strict";
// A lesson's video, uploaded from the admin site: by tus, so that a cut, a reload or a night's pause loses nothing.

const page = document.getElementById("video-upload");
const file = document.getElementById("video-file");
const send = document.getElementById("video-send");
const pause = document.getElementById("video-pause");
const retry = document.getElementById("video-retry");
const bar = document.getElementById("video-progress");
const said = document.getElementById("video-said");

const ENDPOINT = "/stream/v1/uploads/";
const VIDEO = `/api/v1/lessons/${page.dataset.lesson}/video/`;
const CHUNK = 8 * 1024 * 1024; // bytes
const TOKEN_AGE = 8 * 60 * 1000; // ms; a token lives for ten minutes
const RETRY_AFTER = [0, 1000, 3000, 5000, 10000, 20000, 30000]; // ms; a gateway that restarts is back by then
const LOOK_AGAIN = 2000; // ms; how far packaging is

let token = null;
let upload = null;
let whole = null; // the file of which all has come, until the lesson has it
let looks = 0; // how often we looked how far packaging is; an answer to an older look is not told any more
let expires = null; // when the gateway gives it up, unless more comes

function say(text, bad = false) {
  said.textContent = text;
  said.className = bad ? "errornote" : "help";
}

async function explained(answer) {
  try {
    return (await answer.json()).detail;
  } catch {
    return `The server answered ${answer.status}.`;
  }
}

async function ask(address, options = {}) {
  const headers = { Authorization: await freshToken(), "Content-Type": "application/json" };
  const answer = await fetch(address, { ...options, headers });
  if (answer.status === 401) token = null;
  if (!answer.ok) throw Object.assign(new Error(await explained(answer)), { status: answer.status });
  return answer.json();
}

async function freshToken() {
  if (!token || Date.now() - token.since > TOKEN_AGE) {
    const csrf = page.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch("/api/v1/auth/token/session/", { method: "POST", headers: { "X-CSRFToken": csrf } });
    if (!answer.ok) throw new Error("You are logged out here. Log in again in another tab.");
    token = { access: (await answer.json()).access, since: Date.now() };
  }
  return `Bearer ${token.access}`;
}

function megabytes(bytes) {
  return (bytes / 1024 / 1024).toFixed(1);
}

function kept() {
  return expires ? `What has come is kept until ${expires.toLocaleString()}` : "What has come is kept";
}

function working(busy) {
  send.disabled = file.disabled = busy;
  pause.hidden = !busy;
}

function reason(error) {
  const answer = error.originalResponse;
  let why = answer ? `The server answered ${answer.getStatus()}.` : error.message;
  try {
    why = JSON.parse(answer.getBody()).detail;
  } catch {
    if ((error.originalRequest && !answer) || error instanceof TypeError) why = "The connection was lost.";
  }
  if (answer && answer.getStatus() === 401) token = null;
  return why;
}

function failed(error) {
  working(false);
  say(`${reason(error)} ${kept()}: press Upload to go on.`, true);
}

async function begin() {
  if (!file.files.length) return say("Choose a video file first.", true);
  if (!window.tus) return say("The library for uploads is missing on this server. Tell its operator: make setup.", true);
  const chosen = file.files[0];
  looks += 1;
  retry.hidden = true;
  working(true);
  if (whole === chosen) return hand();
  say("Looking how far this file has come …");
  upload = new tus.Upload(chosen, {
    endpoint: ENDPOINT,
    chunkSize: CHUNK,
    retryDelays: RETRY_AFTER,
    metadata: { filename: chosen.name, filetype: chosen.type },
    onBeforeRequest: async (request) => request.setHeader("Authorization", await freshToken()),
    onAfterResponse: (request, answer) => {
      const until = answer.getHeader("Upload-Expires");
      if (until) expires = new Date(until);
    },
    onProgress: (sent, all) => {
      bar.hidden = false;
      bar.value = all ? sent / all : 1;
      say(`${Math.floor(bar.value * 100)} %: ${megabytes(sent)} of ${megabytes(all)} MB`);
    },
    onError: failed,
    onSuccess: () => {
      whole = chosen;
      hand().catch(failed);
    },
  });
  const [before] = await upload.findPreviousUploads();
  if (before) upload.resumeFromPreviousUpload(before);
  upload.start();
}

async function hand() {
  pause.hidden = true;
  say("All of it is here.");
  try {
    await ask(VIDEO, { method: "POST", body: JSON.stringify({ upload: upload.url.split("/").pop() }) });
  } catch (error) {
    if (error.status === 404 || error.status === 409) await forget(); // it will never be taken: Upload begins anew
    throw error;
  }
  await forget();
  await look();
}

async function forget() {
  whole = null;
  for (const before of await upload.findPreviousUploads()) await upload.options.urlStorage.removeUpload(before.urlStorageKey);
}

// Until it is packaged or failed; a server that does not answer is asked again.
async function look() {
  const mine = ++looks;
  let video = null;
  let why = "";
  try {
    video = await ask(VIDEO);
  } catch (error) {
    why = reason(error);
  }
  if (mine !== looks) return; // something else is going on by now
  const packaging = video && (video.status === "queued" || video.status === "processing");
  if (!video || packaging) setTimeout(() => mine === looks && look(), LOOK_AGAIN);
  if (!video) return say(`${why} How far the video is, this page asks again and again; nothing is lost if you leave it.`, true);
  working(false);
  retry.hidden = video.status !== "failed";
  if (video.status === "none") return;
  bar.hidden = false;
  bar.value = video.progress / 100;
  if (packaging) say(`All of it is here. Packaging: ${video.status}, ${video.progress} %. You may leave this page.`);
  else if (video.status === "failed") say(video.error, true);
  else say("The video is ready to be watched.");
}

async function packageAgain() {
  retry.hidden = true;
  await ask(`${VIDEO}retry/`, { method: "POST" });
  await look();
}

send.addEventListener("click", () => begin().catch(failed));
pause.addEventListener("click", () => {
  upload.abort();
  working(false);
  say(`Paused. ${kept()}: press Upload to go on, also after closing this page, with the same file.`);
});
retry.addEventListener("click", () => packageAgain().catch((error) => say(reason(error), true)));
look();
