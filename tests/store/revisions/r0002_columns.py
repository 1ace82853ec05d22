import sqlalchemy as sa
from alembic import op

from dkumonitor.store.steps import add_column, create_index, drop_column, drop_index

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    drop_index("records_old", "records")
    drop_column("records", "old")
    for column in (
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("share_percent", sa.Double),
        sa.Column("done", sa.Boolean),
    ):
        add_column("records", column)
    create_index("records_at", "records", ["at_seconds"])
    op.execute("UPDATE records SET size_bytes = 0 WHERE size_bytes IS NULL")
