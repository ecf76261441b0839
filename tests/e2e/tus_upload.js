"use strict";
// Uploads a file with tus-js-client as an app would, and prints the upload's address.
//   node tus_upload.js <endpoint> <file> <chunk size> <bytes after which to stop and go on, as after a cut>
// The access token comes in TOKEN; NODE_PATH says where tus-js-client is.
const fs = require("fs");
const tus = require("tus-js-client");

const [endpoint, path, chunkSize, stopAfter] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };

function run(url, onProgress) {
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(fs.createReadStream(path), {
      endpoint,
      uploadUrl: url,
      headers,
      chunkSize: Number(chunkSize),
      uploadSize: fs.statSync(path).size,
      retryDelays: [0, 200, 1000],
      metadata: { filename: "Lesson Ü.mp4", filetype: "video/mp4" },
      onProgress: (sent) => onProgress(sent, upload, resolve),
      onError: reject,
      onSuccess: () => resolve(upload.url),
    });
    upload.start();
  });
}

async function main() {
  const begun = await run(null, (sent, upload, resolve) => {
    if (sent > Number(stopAfter) && upload.url) upload.abort().then(() => resolve(upload.url));
  });
  process.stdout.write(await run(begun, () => {}));
}

main().catch((error) => {
  process.stderr.write(`${error}\n`);
  process.exit(1);
});
