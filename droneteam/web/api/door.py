"""The API's door: its description, and the errors that every operation shares."""

from __future__ import annotations

import re
from typing import Any

from apiflask import APIFlask
from apiflask.exceptions import HTTPError
from flask import Blueprint, Response, current_app, jsonify

from droneteam.web.access import Access, access_of, public
from droneteam.web.failures import problem
from droneteam.web.routing import MAX_ID

PROBLEM = {
    "type": "object",
    "description": "A problem document (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "What is wrong, by the name of the member.",
            "additionalProperties": {},
        },
    },
}
_DESCRIPTIONS = {
    "400": "The request could not be read, or lacks its token.",
    "401": "Nobody is signed in, or the token has expired.",
    "403": "The role does not permit it.",
    "404": "No such record, or none that the caller may see.",
    "405": "The address does not take this method.",
    "409": "The state has moved on; read again and decide.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "422": "A value cannot be used.",
    "429": "Too many tries; wait.",
    "503": "A part of the system is not ready.",
}
PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_WRITES = ("409", "413", "415", "422")

bp = Blueprint("openapi_document", __name__, url_prefix="/api")


@bp.get("/openapi.json")
@public
def document() -> Response:
    """The API's description, OpenAPI 3.1."""
    app = current_app
    assert isinstance(app, APIFlask)
    return jsonify(app.spec)


def init_api(app: APIFlask) -> None:
    """How the API describes itself and answers what cannot be read."""
    app.config.update(
        OPENAPI_VERSION="3.1.0",
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_AUTH_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        INFO={
            "description": "The operations system of a police drone team. Times are RFC 3339 in "
            "UTC, positions WGS84 in degrees. Another organisation's record is answered with 404."
        },
        SERVERS=[{"url": "/"}],
    )
    app.security_schemes = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/tokens."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": app.config["SESSION_COOKIE_NAME"],
            "description": "The browser's session; writing takes the X-CSRFToken header too.",
        },
    }
    app.error_processor(_answer)
    app.spec_processor(_complete)
    app.register_blueprint(bp)


def _answer(error: HTTPError) -> Any:
    """APIFlask's own errors as problem documents: bodies that do not fit their schema."""
    errors = _flat(error.detail) if error.detail else None
    return problem(error.status_code, error.message or "", errors=errors)


def _flat(detail: Any) -> dict[str, Any]:
    """{"json": {"title": ["…"]}} as {"title": ["…"]}: the location adds nothing."""
    found: dict[str, Any] = {}
    for place, errors in detail.items():
        if isinstance(errors, dict):
            found.update({str(name): value for name, value in errors.items()})
        else:
            found[str(place)] = errors
    return found


def _complete(spec: dict[Any, Any] | str) -> dict[Any, Any] | str:
    """Adds what holds for every operation: errors, path parameters, roles, security."""
    assert isinstance(spec, dict)
    spec.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    views = _views_by_path()
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            _complete_operation(path, method, operation, access_of(views[path, method]))
    return spec


def _views_by_path() -> dict[tuple[str, str], Any]:
    """The view behind each (path of the description, method)."""
    return {
        (re.sub(r"<([^<:]+:)?", "{", rule.rule).replace(">", "}"), method.lower()): (
            current_app.view_functions[rule.endpoint]
        )
        for rule in current_app.url_map.iter_rules()
        for method in rule.methods or ()
    }


def _complete_operation(
    path: str, method: str, operation: dict[str, Any], access: Access | None
) -> None:
    codes = {"400", "405", "429", "503"} | ({"404"} if "{" in path else set())
    if access is None or not access.public:
        codes |= {"401", "403"}
        operation["security"] = [{"bearer": []}, {"session": []}]
    else:
        operation["security"] = []
    if access is not None and access.roles:
        operation["x-roles"] = sorted(access.roles)
    if method != "get":
        codes |= set(_WRITES)
    if operation.get("parameters"):
        codes |= {"422"}
    for code in sorted(codes):
        operation["responses"].setdefault(code, _problem_response(code))
    for code, response in operation["responses"].items():
        if code >= "400":
            response["content"] = PROBLEM_CONTENT
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"].endswith("_id"):
            parameter["schema"] = {"type": "integer", "minimum": 1, "maximum": MAX_ID}


def missing(text: str) -> dict[int, Any]:
    """The 404 of an operation whose body names what may be missing."""
    return {404: {**_problem_response("404"), "description": text}}


def _problem_response(code: str) -> dict[str, Any]:
    return {"description": _DESCRIPTIONS[code], "content": PROBLEM_CONTENT}
