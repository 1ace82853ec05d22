"""The API: the OpenAPI document says what is, and every answer is what it says."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console.discovery import find
from console.refused import PROBLEMS
from console.routing import API, Kind
from dkumonitor.accounts.roles import Role
from dkumonitor.accounts.tokens import Scope
from dkumonitor.views import Listing

if TYPE_CHECKING:
    from tests.console_app import RunningConsole

DOCUMENT = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
ROUTES = [one for one in find().routes if one.kind is Kind.API]
PLAIN = [one for one in ROUTES if one.method == "GET" and "{" not in one.path and one.answer is not str]
EXAMPLE = re.compile(r"```sh\n(.*?)```\n(?:\n[^`\n]*\n)?(?:\n```json\n(.*?)```)?", re.DOTALL)


KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def fits(value: Any, schema: Any, components: Any, place: str = "$") -> list[str]:
    """What in a value a JSON schema does not allow, of the words that our documents use."""
    if "$ref" in schema:
        return fits(value, components[schema["$ref"].rpartition("/")[2]], components, place)
    if "anyOf" in schema:
        found = [fits(value, one, components, place) for one in schema["anyOf"]]
        return [] if any(not one for one in found) else found[0]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{place}: {value!r} is none of {schema['enum']}"]
    kind = schema.get("type")
    if kind and (not isinstance(value, KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{place}: {value!r} is no {kind}"]
    if kind == "array":
        items = schema.get("items", {})
        return [line for number, one in enumerate(value) for line in fits(one, items, components, f"{place}[{number}]")]
    return _fits_object(value, schema, components, place) if kind == "object" else []


def _fits_object(value: dict[str, Any], schema: Any, components: Any, place: str) -> list[str]:
    properties = schema.get("properties", {})
    problems = [f"{place}: {name} is missing" for name in schema.get("required", []) if name not in value]
    for name, one in value.items():
        if name in properties:
            problems += fits(one, properties[name], components, f"{place}.{name}")
        elif properties:
            problems.append(f"{place}: {name} is not in the document")
    return problems


@pytest.fixture(scope="module")
def document(console: RunningConsole) -> Any:
    return console.client(Role.VIEWER).get("/api/v1/openapi.json").json()


def test_the_document_has_every_route_and_no_other(document: Any) -> None:
    told = {(method, path) for path, operations in document["paths"].items() for method in operations}
    real = {(one.method.lower(), re.sub(r":\w+\}", "}", one.path.removeprefix(API))) for one in ROUTES}
    assert told == real
    names = [operation["operationId"] for one in document["paths"].values() for operation in one.values()]
    assert len(names) == len(set(names))
    assert document["openapi"] == "3.1.0"


def test_every_reference_of_the_document_leads_somewhere(document: Any) -> None:
    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_every_operation_is_described(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            placed = [one["name"] for one in operation["parameters"] if one["in"] == "path"]
            assert placed == re.findall(r"\{(\w+)\}", path)


def test_every_parameter_of_a_listing_is_in_the_document(document: Any) -> None:
    listings = [one for one in ROUTES if isinstance(one.answer, Listing)]
    assert any(one.answer.parameters.__struct_fields__ for one in listings)
    for one in listings:
        told = document["paths"][one.path.removeprefix(API)]["get"]["parameters"]
        own = one.answer.parameters.__struct_fields__
        assert [parameter["name"] for parameter in told] == [
            *own, "search", "sort", "descending", "offset", "limit"
        ]  # fmt: skip
        needed = {field.name for field in msgspec.structs.fields(one.answer.parameters) if field.required}
        assert {parameter["name"] for parameter in told if parameter["required"]} == needed
        assert all(parameter["schema"] for parameter in told)


@pytest.mark.parametrize("one", PLAIN, ids=lambda one: one.path)
def test_an_answer_is_what_the_document_says(console: RunningConsole, document: Any, one: Any) -> None:
    operation = document["paths"][one.path.removeprefix(API)]["get"]
    answer = console.bearer(Role.ADMIN, Scope.ADMIN).get(one.path)
    schemas = document["components"]["schemas"]
    if answer.status_code == 200:
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    else:
        assert answer.status_code in {400, 502}, answer.text
        schema = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
    assert fits(answer.json(), schema, schemas) == []
    if isinstance(one.answer, Listing) and answer.status_code == 200:
        assert all(list(row) == list(one.answer.columns) for row in answer.json()["rows"])


def test_the_check_of_answers_finds_what_is_wrong(document: Any) -> None:
    schemas = document["components"]["schemas"]
    schema = document["paths"]["/me"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert fits({"login": "x", "role": "viewer", "sees_names": False}, schema, schemas) == []
    wrongs: tuple[Any, ...] = ({"login": "x"}, {"login": 1, "role": "viewer", "sees_names": False}, [],
                  {"login": "x", "role": "root", "sees_names": False},
                  {"login": "x", "role": "viewer", "sees_names": False, "more": 1})  # fmt: skip
    for wrong in wrongs:
        assert fits(wrong, schema, schemas), wrong


@pytest.mark.parametrize(
    ("path", "status", "slug"),
    [("/api/v1/nothing", 404, "not-there"), ("/api/v1/audit?limit=0", 400, "bad-question"),
     ("/api/v1/audit?sort=x", 400, "bad-question")],
)  # fmt: skip
def test_an_error_is_a_problem(console: RunningConsole, path: str, status: int, slug: str) -> None:
    answer = console.client(Role.ADMIN).get(path)
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert (answer.status_code, problem["status"], problem["type"]) == (status, status, f"/problems/{slug}")


def test_the_documentation_lists_every_problem() -> None:
    told = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", DOCUMENT, re.MULTILINE)
    assert told == [(slug, str(int(status))) for slug, (status, _) in PROBLEMS.items()]


def test_the_examples_of_the_documentation_work(console: RunningConsole) -> None:
    token = console.token(Role.ADMIN, Scope.ADMIN)
    found = EXAMPLE.findall(DOCUMENT)
    assert len(found) >= 6
    for command, expected in found:
        assert command.startswith("curl "), command
        words = shlex.split(command.replace("\\\n", " "))
        words = [word.replace("$CONSOLE", console.url).replace("$TOKEN", token) for word in words]
        done = subprocess.run([*words, "--max-time", "60"], capture_output=True, text=True, check=True)
        if expected:
            assert alike(json.loads(done.stdout), json.loads(expected)), (command, done.stdout)


def alike(found: Any, told: Any) -> bool:
    """Whether two values have the same keys and kinds of values; a null may be anything."""
    if isinstance(told, dict):
        return found.keys() == told.keys() and all(alike(found[key], told[key]) for key in told)
    if isinstance(told, list):
        return isinstance(found, list) and (not told or alike(found[0], told[0]))
    return told is None or found is None or type(found) is type(told)
