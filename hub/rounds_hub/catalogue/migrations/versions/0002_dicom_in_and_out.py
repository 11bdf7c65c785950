"""DICOM in and out: one function for each part that needs tables."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    _nodes()
    _transfers()
    _routing()
    _removals()
    _searching()
    _conformance()


def _nodes() -> None:
    op.create_table(
        "node",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("ae_title", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("may_store", sa.Boolean(), nullable=False),
        sa.Column("may_query", sa.Boolean(), nullable=False),
        sa.Column("may_move", sa.Boolean(), nullable=False),
        sa.Column("may_receive", sa.Boolean(), nullable=False),
        sa.Column("private_classes", sa.Boolean(), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("associations", sa.Integer(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("configured", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_node")),
        sa.UniqueConstraint("ae_title", name=op.f("uq_node_ae_title")),
    )


def _routing() -> None:
    held = sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("series", held)
    op.create_table(
        "series_state",
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("instances", sa.Integer(), nullable=False),
        sa.Column("expected", sa.Integer(), nullable=True),
        sa.Column("expected_by", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("complete_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("series_uid", name=op.f("pk_series_state")),
    )
    op.create_index("ix_series_state_open", "series_state", ["state", "changed_at"])
    op.create_table(
        "series_label",
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("series_uid", "label", name=op.f("pk_series_label")),
    )
    op.create_index(op.f("ix_series_label_label"), "series_label", ["label"])
    op.create_table(
        "procedure_step",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_procedure_step")),
    )
    _routes()


def _routes() -> None:
    said = ("name", "note", "condition")
    op.create_table(
        "route",
        sa.Column("id", sa.String(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in said),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_route")),
    )
    op.create_table(
        "route_version",
        sa.Column("route_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in said),
        sa.Column("actions", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("restored_from", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("route_id", "version", name=op.f("pk_route_version")),
    )
    op.create_table(
        "firing",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("route_id", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("route_name", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("action", sa.JSON(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firing")),
        sa.UniqueConstraint("key", name=op.f("uq_firing_key")),
    )
    op.create_index("ix_firing_route", "firing", ["route_id", "created_at"])
    op.create_index("ix_firing_state", "firing", ["state", "created_at"])
    op.create_index("ix_firing_series", "firing", ["series_uid"])


def _transfers() -> None:
    """Removed nodes, and what goes out to nodes or is brought from them."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "removed_node",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("removed_by", sa.String(), nullable=False),
        sa.Column("removed_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_removed_node")),
    )
    op.create_table(
        "sending",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("request", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("next_at", moment, nullable=True),
        sa.Column("finished_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sending")),
        sa.UniqueConstraint("request", name=op.f("uq_sending_request")),
    )
    op.create_index("ix_sending_open", "sending", ["state", "next_at"])
    op.create_index(op.f("ix_sending_created_at"), "sending", ["created_at"])
    op.create_table(
        "sending_item",
        sa.Column("sending_id", sa.String(), nullable=False),
        sa.Column("sop_uid", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["sending_id"],
            ["sending.id"],
            name=op.f("fk_sending_item_sending_id_sending"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("sending_id", "sop_uid", name=op.f("pk_sending_item")),
    )
    op.create_table(
        "pull",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("patient_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("finished_at", moment, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pull")),
    )
    op.create_index("ix_pull_open", "pull", ["state"])
    op.create_index(op.f("ix_pull_created_at"), "pull", ["created_at"])


def _removals() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "removal",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("study_uid", sa.String(), nullable=False),
        sa.Column("modality", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("until", moment, nullable=False),
        sa.Column("ended_at", moment, nullable=True),
        sa.Column("ended_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_removal")),
    )
    op.create_index("ix_removal_state", "removal", ["state", "until"])
    op.create_index(op.f("ix_removal_at"), "removal", ["at"])
    op.create_table(
        "removed_object",
        sa.Column("removal_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["removal_id"],
            ["removal.id"],
            name=op.f("fk_removed_object_removal_id_removal"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("removal_id", "sha256", name=op.f("pk_removed_object")),
    )
    op.create_index(op.f("ix_removed_object_sha256"), "removed_object", ["sha256"])
    op.create_table(
        "object_place",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("store", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.PrimaryKeyConstraint("sha256", "store", name=op.f("pk_object_place")),
    )
    op.create_index("ix_object_place_store", "object_place", ["store", "state"])


def _searching() -> None:
    texts = {
        "study": (
            "time", "moment", "study_id", "birth_date", "issuer", "name_alphabetic",
            "name_ideographic", "name_phonetic", "name_words",
        ),
        "series": ("sight",),
        "instance": (),
    }  # fmt: skip
    for table, names in texts.items():
        for name in names:
            column = sa.Column(name, sa.String(), nullable=False, server_default="")
            op.add_column(table, column)
        kept = sa.Column("attributes", sa.JSON(), nullable=False, server_default="{}")
        op.add_column(table, kept)
    version = sa.Column(
        "keys_version", sa.Integer(), nullable=False, server_default="0"
    )
    op.add_column("instance", version)
    unread = sa.text("keys_version = 0")
    op.create_index(
        "ix_instance_unread",
        "instance",
        ["keys_version"],
        sqlite_where=unread,
        postgresql_where=unread,
    )
    op.create_index(op.f("ix_series_sight"), "series", ["sight"])
    op.create_index(op.f("ix_study_accession"), "study", ["accession"])
    op.create_index("ix_study_moment", "study", ["moment", "uid"])
    op.create_index("ix_study_created", "study", ["created_at", "uid"])
    for name in ("name_alphabetic", "name_ideographic", "name_phonetic"):
        prefix = {name: "text_pattern_ops"}
        op.create_index(f"ix_study_{name}", "study", [name], postgresql_ops=prefix)
    op.create_table(
        "sight",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("audience", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("name", "audience", name=op.f("pk_sight")),
    )
    op.create_index("ix_sight_audience", "sight", ["audience", "name"])


def _conformance() -> None:
    op.create_table(
        "conformance",
        sa.Column("instance_uid", sa.String(), nullable=False),
        sa.Column("series_uid", sa.String(), nullable=False),
        sa.Column("tools", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("problem", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_uid"],
            ["instance.uid"],
            name=op.f("fk_conformance_instance_uid_instance"),
        ),
        sa.PrimaryKeyConstraint("instance_uid", name=op.f("pk_conformance")),
    )
    op.create_index(op.f("ix_conformance_series_uid"), "conformance", ["series_uid"])
    op.create_table(
        "conformance_finding",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("level", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conformance_finding")),
    )
