// What looks like a page of the console, and no file, is for the console to show.
function handler(event) {
  const request = event.request;
  const last = request.uri.substring(request.uri.lastIndexOf("/") + 1);
  if (!last.includes(".")) {
    request.uri = "/index.html";
  }
  return request;
}
