import sqlalchemy as sa

from dkumonitor.store.steps import create_index, create_table
from dkumonitor.store.types import AnyText, path_bytes

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table(
        "records",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("writer", sa.Integer, nullable=False),
        sa.Column("name", AnyText(300)),
        sa.Column("path", path_bytes(2000)),
        sa.Column("at_seconds", sa.BigInteger, nullable=False),
        sa.Column("old", sa.Integer),
    )
    create_index("records_old", "records", ["old"])
