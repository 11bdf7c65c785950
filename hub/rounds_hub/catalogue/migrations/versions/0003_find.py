"""Find: one function for each part that needs tables."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    _unknown_cases()
    _peers()
    _saved_searches()
    _encoders()


def _unknown_cases() -> None:
    no = sa.false()
    unknown = sa.Column("unknown", sa.Boolean(), nullable=False, server_default=no)
    op.add_column("case", unknown)
    until = sa.Column("unknown_until", sa.DateTime(timezone=True), nullable=True)
    op.add_column("case", until)


def _saved_searches() -> None:
    op.create_table(
        "saved_search",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("alert", sa.Boolean(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_event", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_search")),
    )
    op.create_index(
        "uq_saved_search_owner", "saved_search", ["owner", "name"], unique=True
    )
    op.create_index("ix_saved_search_due", "saved_search", ["alert", "checked_event"])
    op.create_table(
        "saved_hit",
        sa.Column("search_id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["search_id"],
            ["saved_search.id"],
            name=op.f("fk_saved_hit_search_id_saved_search"),
        ),
        sa.PrimaryKeyConstraint("search_id", "case_id", name=op.f("pk_saved_hit")),
    )


def _peers() -> None:
    op.create_table(
        "peer",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("is_asked", sa.Boolean(), nullable=False),
        sa.Column("may_ask", sa.Boolean(), nullable=False),
        sa.Column("per_minute", sa.Integer(), nullable=False),
        sa.Column("most_hits", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_peer")),
        sa.UniqueConstraint("public_key", name=op.f("uq_peer_public_key")),
    )
    op.create_table(
        "peer_message",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("peer", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_peer_message")),
    )
    op.create_index("ix_peer_message_peer", "peer_message", ["peer", "at"])


def _encoders() -> None:
    op.create_table(
        "picture_encoder",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("last", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_picture_encoder")),
    )
    op.create_index(op.f("ix_picture_encoder_state"), "picture_encoder", ["state"])
    op.create_table(
        "retrieval_night",
        sa.Column("night", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("encoder", sa.String(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("precision_1", sa.Double(), nullable=False),
        sa.Column("precision_10", sa.Double(), nullable=False),
        sa.Column("mean_average_precision", sa.Double(), nullable=False),
        sa.Column("drift", sa.Double(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("night", "label", name=op.f("pk_retrieval_night")),
    )
