"""The OpenAPI document: made from the declared routes and the types of their rows, so that it says just what is."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from console.refused import PROBLEMS
from console.routing import API, Declared, Kind, api
from console.state import state_of
from console.tables import Asked
from dkumonitor.views import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

_PARAMETER = re.compile(r"\{(\w+)(?::(\w+))?\}")
_REF = "#/components/schemas/{name}"
_PROBLEM_NAME = "ProblemDetails"
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"enum": [f"/problems/{slug}" for slug in PROBLEMS]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}


def show_document(request: Request) -> dict[str, Any]:
    """The document."""
    state = state_of(request)
    return document(state.routes, state.installation.version)


def document(routes: Iterable[Declared], version: str) -> dict[str, Any]:
    """An OpenAPI 3.1 document of the routes below ``/api/v1/``.

    Source: https://spec.openapis.org/oas/v3.1.0
    """
    wanted = [one for one in routes if one.kind is Kind.API]
    schemas = _Schemas(wanted)
    paths: dict[str, dict[str, Any]] = {}
    for one in wanted:
        path = _PARAMETER.sub(r"{\1}", one.path.removeprefix(API))
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "dkumonitor", "version": version},
        "servers": [{"url": API}],
        "security": [{"token": []}, {"session": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {**schemas.components, _PROBLEM_NAME: _PROBLEM},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "dkm_session"},
            },
        },
    }


class _Schemas:
    """The JSON schemas of every type that the routes name, each once."""

    def __init__(self, routes: Iterable[Declared]) -> None:
        named = ((one.body, one.query, _row_type(one.answer), _parameters_type(one.answer)) for one in routes)
        types = [kind for kinds in named for kind in kinds if kind is not None]
        found, self.components = msgspec.json.schema_components([*types, Asked], ref_template=_REF)
        self._of = list(zip([*types, Asked], found, strict=True))

    def parameters(self, wanted: Any) -> Mapping[str, Mapping[str, Any]]:
        """The schema of each field of a struct."""
        name = self.of(wanted)["$ref"].rpartition("/")[2]
        fields: Mapping[str, Mapping[str, Any]] = self.components[name]["properties"]
        return fields

    def of(self, wanted: Any) -> Mapping[str, Any]:
        """The schema of one of these types."""
        return next(schema for kind, schema in self._of if kind is wanted or kind == wanted)


def _row_type(answer: Any) -> Any:
    return answer.row_type if isinstance(answer, Listing) else answer


def _parameters_type(answer: Any) -> Any:
    return answer.parameters if isinstance(answer, Listing) else None


def _operation(one: Declared, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": one.summary,
        "description": f"For the role {one.role}.",
        "operationId": f"{one.method.lower()}{re.sub(r'[^a-z]+', '_', one.path.removeprefix(API))}".rstrip("_"),
        "parameters": _parameters(one, schemas),
        "responses": {
            **_answers(one, schemas),
            "default": {
                "description": "A problem, as RFC 9457 has it.",
                "content": {"application/problem+json": {"schema": {"$ref": _REF.format(name=_PROBLEM_NAME)}}},
            },
        },
    }
    if one.body is not None:
        content = {"application/json": {"schema": schemas.of(one.body)}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(one: Declared, schemas: _Schemas) -> list[dict[str, Any]]:
    kinds = {"number": "integer"}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": kinds.get(kind, "string")}}
        for name, kind in _PARAMETER.findall(one.path)
    ]
    if isinstance(one.answer, Listing):
        found += _queried(one.answer.parameters, schemas)
        found += _queried(Asked, schemas, {"sort": {"enum": ["", *one.answer.columns]}})
    elif one.query is not None:
        found += _queried(one.query, schemas)
    return found


def _queried(wanted: Any, schemas: _Schemas, more: Mapping[str, Mapping[str, Any]] = MappingProxyType({})) -> Any:
    """A struct's fields as parameters of an address; `more` is added to the schemas of some."""
    required = {field.encode_name for field in msgspec.structs.fields(wanted) if field.required}
    return [
        {"name": name, "in": "query", "required": name in required, "schema": {**schema, **more.get(name, {})}}
        for name, schema in schemas.parameters(wanted).items()
    ]


def _answers(one: Declared, schemas: _Schemas) -> dict[str, Any]:
    if one.answer is None:
        return {"204": {"description": "Done."}}
    media = "application/json"
    if one.answer is str:
        media = "text/csv" if one.path.endswith(".csv") else "text/plain"
    answer: dict[str, Any] = {"description": "The answer.", "content": {media: {"schema": _schema(one, schemas)}}}
    if isinstance(one.answer, Listing):
        answer["headers"] = {"Link": {"description": "The next and the previous rows.", "schema": {"type": "string"}}}
    return {"200": answer}


def _schema(one: Declared, schemas: _Schemas) -> Mapping[str, Any]:
    if not isinstance(one.answer, Listing):
        return schemas.of(one.answer)
    number = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["rows", "total", "offset", "limit"],
        "properties": {
            "rows": {"type": "array", "items": schemas.of(one.answer.row_type)},
            "total": number,
            "offset": number,
            "limit": number,
        },
    }


ROUTES = (api("/openapi.json", show_document, summary="This document.", answer=dict[str, Any]),)
