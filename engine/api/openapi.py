"""The OpenAPI 3.1 document, made from the route table and the structs on the wire.

Owns nothing that is written by hand: what is not in the table is not served, and what is in it is here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from engine.acts import VERBS
from engine.api.acts import CommandBody
from engine.api.context import Api
from engine.api.routes import PUBLIC, Route
from engine.api.wire import ProblemDocument, Reply, Request, json_reply

_PARAMETER = re.compile(r"{(\w+)}")


async def document(api: Api, request: Request) -> Reply:
    return json_reply(build_document(api.routes.table, api.version))


def build_document(table: tuple[Route, ...], version: str) -> dict[str, Any]:
    """OpenAPI 3.1 as plain data."""
    wanted: list[Any] = [ProblemDocument]
    for route in table:
        wanted += [part for part in (route.body, route.out, route.query) if part is not None]
    schemas, components = msgspec.json.schema_components(wanted, ref_template="#/components/schemas/{name}")
    found = iter(schemas)
    problem = next(found)
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        parts = {name: next(found) for name in ("body", "out", "query") if getattr(route, name) is not None}
        if route.method != "WEBSOCKET":
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, parts, problem, components)
    return {
        "openapi": "3.1.0",
        "info": {"title": "NOC console", "version": version, "license": {"name": "Apache-2.0"}},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "noc_…"}},
        },
    }


def _operation(
    route: Route, parts: dict[str, Any], problem: dict[str, Any], components: dict[str, Any]
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.words,
        "x-capability": route.capability,
        **({"x-capability-also": route.also} if route.also else {}),
        "parameters": [
            *_path_parameters(route),
            *_query_parameters(parts.get("query"), components),
            *_step_up_parameter(route),
        ],
        "responses": {str(route.status): _response(route, parts.get("out"))},
    }
    if route.capability == PUBLIC:
        operation["security"] = []
    if not route.face:
        operation["responses"]["default"] = {
            "description": "What was wrong, and what to do.",
            "content": {"application/problem+json": {"schema": problem}},
        }
    if "body" in parts:
        required = bool(getattr(msgspec.inspect.type_info(route.body), "fields", ())) and _needs_body(route.body)
        operation["requestBody"] = {"required": required, "content": {"application/json": {"schema": parts["body"]}}}
    elif route.raw:
        operation["requestBody"] = {"required": True, "content": {"*/*": {}}}
    return operation


def _needs_body(body: Any) -> bool:
    info = msgspec.inspect.type_info(body)
    return any(field.required for field in getattr(info, "fields", ()))


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]


def _step_up_parameter(route: Route) -> list[dict[str, Any]]:
    """Of the acts that take a PIN, and of the route that any act may go by."""
    verb = VERBS.get(route.verb)
    if not (verb is not None and verb.step_up) and route.body is not CommandBody:
        return []
    words = "The proof of a step-up (POST /api/v1/step-up), where the token has a PIN."
    return [{"name": "Step-Up", "in": "header", "required": False, "description": words, "schema": {"type": "string"}}]


def _query_parameters(schema: dict[str, Any] | None, components: dict[str, Any]) -> list[dict[str, Any]]:
    if schema is None:
        return []
    shape = components[schema["$ref"].rpartition("/")[2]]
    return [
        {"name": name, "in": "query", "required": False, "schema": field} for name, field in shape["properties"].items()
    ]


def _response(route: Route, schema: dict[str, Any] | None) -> dict[str, Any]:
    if schema is None:
        return {"description": route.words}
    return {"description": route.words, "content": {"application/json": {"schema": schema}}}
