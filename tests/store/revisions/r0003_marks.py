import sqlalchemy as sa

from dkumonitor.store.steps import create_table
from dkumonitor.store.types import AnyText

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    create_table(
        "marks",
        sa.Column("record_id", sa.Integer, sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("mark", AnyText(100), primary_key=True),
    )
    create_table(
        "counters",
        sa.Column("name", AnyText(50), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
