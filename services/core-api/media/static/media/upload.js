"use strict";
// A lesson's video, uploaded from the admin site: by tus, so that a cut, a reload or a night's pause loses nothing.

const page = document.getElementById("video-upload");
const file = document.getElementById("video-file");
const send = document.getElementById("video-send");
const pause = document.getElementById("video-pause");
const bar = document.getElementById("video-progress");
const said = document.getElementById("video-said");

const ENDPOINT = "/stream/v1/uploads/";
const VIDEO = `/api/v1/lessons/${page.dataset.lesson}/video/`;
const CHUNK = 8 * 1024 * 1024; // bytes
const TOKEN_AGE = 8 * 60 * 1000; // ms; a token lives for ten minutes
const RETRY_AFTER = [0, 1000, 3000, 5000, 10000, 20000, 30000]; // ms; a gateway that restarts is back by then

let token = null;
let upload = null;
let arrived = null; // the file that is all there, and its upload's id: from then on it is handed over, and never sent again
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

async function freshToken() {
  if (!token || Date.now() - token.since > TOKEN_AGE) {
    const csrf = page.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch("/api/v1/auth/token/session/", { method: "POST", headers: { "X-CSRFToken": csrf } });
    if (!answer.ok) throw new Error("You are logged out here. Log in again in another tab, then press Upload.");
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

function failed(error) {
  working(false);
  const answer = error.originalResponse;
  let why = answer ? `The server answered ${answer.getStatus()}.` : error.message;
  try {
    why = JSON.parse(answer.getBody()).detail;
  } catch {
    if (error.originalRequest && !answer) why = "The connection was lost.";
  }
  if (answer && answer.getStatus() === 401) token = null;
  say(`${why} ${kept()}: press Upload to go on.`, true);
}

async function begin() {
  if (!file.files.length) return say("Choose a video file first.", true);
  if (!window.tus) return say("The library for uploads is missing on this server. Tell its operator: make setup.", true);
  const chosen = file.files[0];
  working(true);
  if (arrived && isSame(chosen, arrived.file)) return hand();
  say("Looking how far this file has come …");
  upload = new tus.Upload(chosen, {
    endpoint: ENDPOINT,
    chunkSize: CHUNK,
    retryDelays: RETRY_AFTER,
    removeFingerprintOnSuccess: false, // handing it over may fail; one that a lesson took is not found, and begun anew
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
      arrived = { file: chosen, number: upload.url.split("/").pop() };
      hand().catch(failed);
    },
  });
  const [before] = await upload.findPreviousUploads();
  if (before) upload.resumeFromPreviousUpload(before);
  upload.start();
}

function isSame(one, other) {
  return one.name === other.name && one.size === other.size && one.lastModified === other.lastModified;
}

async function hand() {
  pause.hidden = true;
  const headers = { Authorization: await freshToken(), "Content-Type": "application/json" };
  const answer = await fetch(VIDEO, { method: "POST", headers, body: JSON.stringify({ upload: arrived.number }) });
  if (answer.status === 404 || answer.status === 409) arrived = null; // it expired, or is another lesson's
  if (!answer.ok) throw new Error(await explained(answer));
  await follow();
}

async function follow() {
  const answer = await fetch(VIDEO, { headers: { Authorization: await freshToken() } });
  if (!answer.ok) throw new Error(await explained(answer));
  const video = await answer.json();
  bar.hidden = false;
  bar.value = video.progress / 100;
  if (video.status === "queued" || video.status === "processing") {
    say(`All of it is here. Packaging: ${video.status}, ${video.progress} %. You may leave this page.`);
    setTimeout(() => follow().catch(failed), 2000);
    return;
  }
  working(false);
  arrived = null;
  if (video.status === "failed") say(video.error, true);
  else say("The video is ready to be watched.");
}

send.addEventListener("click", () => begin().catch(failed));
pause.addEventListener("click", () => {
  upload.abort();
  working(false);
  say(`Paused. ${kept()}: press Upload to go on, also after closing this page, with the same file.`);
});
