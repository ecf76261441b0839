// Swagger UI over the documents named in the page. An access token typed into "Authorize" stays in this tab.
"use strict";

const page = document.getElementById("swagger-ui");

SwaggerUIBundle({
  domNode: page,
  urls: JSON.parse(page.dataset.urls),
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: "StandaloneLayout",
  deepLinking: true,
  validatorUrl: null, // it would tell another host about ours
});
