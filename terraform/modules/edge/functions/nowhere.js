// As the services say it: what nobody has is a problem, and names itself.
function handler(event) {
  return {
    statusCode: 404,
    statusDescription: "Not Found",
    headers: { "content-type": { value: "application/problem+json" } },
    body: JSON.stringify({
      type: "urn:orderly:problem:not_found",
      title: "Not found",
      status: 404,
      detail: "No service has this path.",
      instance: event.request.uri,
      code: "not_found",
    }),
  };
}
