"""Webhooks for programs that administer: list, add, test, end."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint, Schema, fields
from apiflask.validators import Length, OneOf

from droneteam import webhooks
from droneteam.web.access import allow
from droneteam.web.api.shapes import page_of, schema_of
from droneteam.web.context import actor, context, now, reading, writing
from droneteam.webhooks import WebhookView

bp = APIBlueprint("api_webhooks", __name__, url_prefix="/api/v1/webhooks", tag="webhooks")

ADMINISTRATORS = ("administrator",)


class NewWebhook(Schema):
    """Where to tell what."""

    name = fields.String(required=True, validate=Length(1, 120))
    url = fields.String(required=True, validate=Length(1, 500))
    actions = fields.List(
        fields.String(validate=OneOf(webhooks.ACTIONS)), required=True, validate=Length(1)
    )


class MadeWebhook(Schema):
    """The webhook and the secret that signs its messages."""

    webhook = fields.Nested(schema_of(WebhookView), required=True)
    secret = fields.String(required=True)


@bp.get("")
@allow(*ADMINISTRATORS)
@bp.output(page_of(WebhookView))
@bp.doc(summary="Every webhook and how it goes")
def list_webhooks() -> Any:
    """Those that have not ended; no secrets."""
    with reading() as session:
        return {"items": webhooks.list_webhooks(session, actor(), now())}


@bp.post("")
@allow(*ADMINISTRATORS)
@bp.input(NewWebhook, arg_name="asked")
@bp.output(MadeWebhook, status_code=201)
@bp.doc(summary="Tell an address of what happens from now on")
def add_webhook(asked: dict[str, Any]) -> Any:
    """The secret is given this once; docs/web.md says how a signature is checked."""
    key = context().settings.secret_key
    with writing() as session:
        view, secret = webhooks.add_webhook(session, actor(), **asked, secret_key=key, now=now())
    return {"webhook": view, "secret": secret}


@bp.post("/<id:webhook_id>/test")
@allow(*ADMINISTRATORS)
@bp.output({}, status_code=204)
@bp.doc(summary="Send a test message")
def send_test(webhook_id: int) -> Any:
    """To this address only."""
    with writing() as session:
        webhooks.send_test(session, actor(), webhook_id, now())
    return ""


@bp.delete("/<id:webhook_id>")
@allow(*ADMINISTRATORS)
@bp.output({}, status_code=204)
@bp.doc(summary="End a webhook")
def end_webhook(webhook_id: int) -> Any:
    """Its address is told of nothing any more."""
    with writing() as session:
        webhooks.end_webhook(session, actor(), webhook_id, now())
    return ""
