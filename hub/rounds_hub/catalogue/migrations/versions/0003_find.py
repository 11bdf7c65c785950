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


def _unknown_cases() -> None:
    no = sa.false()
    unknown = sa.Column("unknown", sa.Boolean(), nullable=False, server_default=no)
    op.add_column("case", unknown)
    until = sa.Column("unknown_until", sa.DateTime(timezone=True), nullable=True)
    op.add_column("case", until)
