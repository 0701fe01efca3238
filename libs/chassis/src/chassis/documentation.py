"""The API's document to read and try in a browser, with nothing from elsewhere.

A script from another server could read whatever token somebody pastes in here.
"""

from collections.abc import Callable
from functools import cache
from importlib import resources

from fastapi import FastAPI, Request, Response

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = 'SwaggerUIBundle({url: "openapi.json", dom_id: "#swagger-ui"});\n'
# Swagger UI writes styles and images into its markup.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
_CAREFULLY = {"Content-Security-Policy": _POLICY, "Cache-Control": "max-age=3600"}

_SWAGGER = resources.files("fastapi_swagger").joinpath("resources")


def add_to(app: FastAPI, service: str) -> None:
    """Serve the page and what it loads, beside the document."""

    def serve(path: str, media_type: str, content: Callable[[], str]) -> None:
        async def answer(_: Request) -> Response:
            return Response(content(), media_type=media_type, headers=_CAREFULLY)

        page = f"/v1/{service}/docs"
        app.add_route(page + path, answer, include_in_schema=False)

    style, script = "swagger-ui.css", "swagger-ui-bundle.js"
    serve("", "text/html", lambda: _PAGE.format(title=app.title))
    serve("/start.js", "text/javascript", lambda: _START)
    serve(f"/{style}", "text/css", lambda: _part(style))
    serve(f"/{script}", "text/javascript", lambda: _part(script))


@cache
def _part(name: str) -> str:
    """Of Swagger UI, read when somebody first looks, as few tasks are ever asked."""
    return _SWAGGER.joinpath(name).read_text()
