// ReDoc over the document named in the page.
"use strict";

const page = document.getElementById("redoc");

Redoc.init(page.dataset.url, { hideDownloadButton: false, scrollYOffset: "nav" }, page);
