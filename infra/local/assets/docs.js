// Tells Swagger UI where the document is and where to draw itself.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  displayRequestDuration: true,
  persistAuthorization: true,
  tagsSorter: "alpha",
  validatorUrl: null,
});
