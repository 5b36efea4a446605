"""What guards a mitigation: how long a hold or an approval is good, what it was like before and after, and notes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("mitigation", sa.Column("hold_expires_at", BIG))
    op.add_column("mitigation", sa.Column("approve_until", BIG))
    op.add_column("mitigation", sa.Column("proof", sa.Text, nullable=False, server_default=""))
    op.add_column("mitigation", sa.Column("figures", sa.Text, nullable=False, server_default="{}"))
    op.add_column("mitigation", sa.Column("saved_turns", BIG))
    op.add_column("mitigation", sa.Column("note", sa.Text, nullable=False, server_default=""))
