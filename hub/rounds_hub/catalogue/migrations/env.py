"""Run the catalogue's migrations on the connection that is handed over."""

from __future__ import annotations

from alembic import context

from rounds_hub.catalogue import tables
from rounds_hub.catalogue.models import UtcDateTime


def render(kind, thing, _autogen):
    """Write our moments as what they are in the database."""
    if kind == "type" and isinstance(thing, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=tables.metadata,
    render_as_batch=True,
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
