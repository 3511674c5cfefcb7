"""The webhook that the published document's examples are of, in the seeded timeline."""

from __future__ import annotations

import psycopg

from service.api.webhook_examples import DELIVERY, DELIVERY_ID, NEWEST_SECRET, OLD_SECRET, WEBHOOK, WEBHOOK_ID
from service.delivery.signature import new_key
from service.store.query import timeline_id_of


def insert_example_webhook(url: str) -> None:
    """Insert it under the examples' identities, which the service would not give, and a message that was given up."""
    key = {"timeline": timeline_id_of(WEBHOOK["timeline"]), "webhook": WEBHOOK_ID}
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO webhook (timeline_id, webhook_id, url, description, operations, facets, enabled, token,"
            " epoch, transaction_id, sequence, version, created_at)"
            " SELECT %(timeline)s, %(webhook)s, %(url)s, %(description)s, %(operations)s, '{kind:meeting}', true,"
            " token, change.epoch, transaction_id, sequence, 1, now() FROM feed, change"
            " WHERE timeline_id = %(timeline)s ORDER BY change.epoch DESC, transaction_id DESC, sequence DESC LIMIT 1",
            key | {name: WEBHOOK[name] for name in ("url", "description", "operations")},
        )
        for age, secret in enumerate([NEWEST_SECRET, OLD_SECRET]):
            connection.execute(
                "INSERT INTO webhook_secret (timeline_id, webhook_id, secret_id, key, created_at, expires_at)"
                " VALUES (%(timeline)s, %(webhook)s, %(id)s, %(key)s, now() - %(age)s * interval '1 day', %(ends)s)",
                key | {"id": secret["id"], "key": new_key(), "age": age, "ends": secret["expires_at"]},
            )
        connection.execute(
            "INSERT INTO webhook_delivery (timeline_id, webhook_id, delivery_id, epoch, transaction_id, sequence,"
            " operation, event_id, event_state, event_version, recorded_at, state, tries, tried_at, settled_at,"
            " status_code, error)"
            " VALUES (%(timeline)s, %(webhook)s, %(id)s, 1, 1, 1, %(operation)s, %(event)s, 1, %(version)s, now(),"
            " %(state)s, %(tries)s, %(tried_at)s, %(settled_at)s, %(status)s, %(error)s)",
            key | DELIVERY | {"id": DELIVERY_ID},
        )
