"""What an alert's rule counted, for an alert goes on only while its rule asks for the same; its value in words."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert", sa.Column("expression", sa.Text, nullable=False, server_default=""))
    op.add_column("alert", sa.Column("value_text", sa.Text, nullable=False, server_default=""))
