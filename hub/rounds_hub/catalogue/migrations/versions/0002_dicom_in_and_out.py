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
        sa.Column("private_classes", sa.Boolean(), nullable=False),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column("certificate", sa.String(), nullable=False),
        sa.Column("associations", sa.Integer(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_node")),
        sa.UniqueConstraint("ae_title", name=op.f("uq_node_ae_title")),
    )
