"""The routers of our services: what holds for each of their routes, said once.

Apps take the routes themselves. What is included in an app, the framework makes anew
for it, and asks anew at each request where it is.
"""

from collections.abc import Sequence

from fastapi import APIRouter, Depends, params

from chassis.parameters import only_known


class HttpRouter(APIRouter):
    """Its routes refuse parameters that they do not know, and have plain names."""

    def __init__(
        self,
        prefix: str = "",
        *,
        tags: Sequence[str] = (),
        dependencies: Sequence[params.Depends] = (),
    ) -> None:
        super().__init__(
            prefix=prefix,
            tags=list(tags),
            dependencies=[Depends(only_known), *dependencies],
            generate_unique_id_function=lambda route: route.name,
        )
