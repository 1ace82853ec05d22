"""People, as each feed tells of them."""

import sqlalchemy as sa

from dkumonitor.store.steps import create_index, create_table
from dkumonitor.store.types import AnyText

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    create_table(
        "people",
        sa.Column("source", AnyText(16), primary_key=True),
        sa.Column("host", AnyText(100), primary_key=True),
        sa.Column("login", AnyText(255), primary_key=True),
        sa.Column("uid", sa.BigInteger),
        sa.Column("mail", AnyText(320)),
        sa.Column("real_name", AnyText(500)),
        sa.Column("student_id", AnyText(100)),
        sa.Column("addresses", AnyText(2000)),
        sa.Column("changed_seconds", sa.BigInteger, nullable=False),
    )
    create_index("people_login", "people", ["login"])
    create_index("people_uid", "people", ["uid"])
