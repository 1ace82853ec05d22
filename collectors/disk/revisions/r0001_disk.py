"""Tasks, exemptions, runs with what they found, notices, plans."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dkumonitor.store.steps import create_index, create_table
from dkumonitor.store.types import AnyText, path_bytes

revision = "0001"
down_revision = None


def _of_run() -> sa.Column[Any]:
    return sa.Column("run_id", sa.Integer, sa.ForeignKey("disk_runs.id", ondelete="CASCADE"), primary_key=True)


def _sums() -> list[sa.Column[Any]]:
    names = ("files", "directories", "other", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


def _make_tasks() -> None:
    """What shall be watched."""
    create_table(
        "disk_tasks",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("host", AnyText(100), nullable=False),
        sa.Column("path", path_bytes(), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("usage_warning_percent", sa.Double, nullable=False),
        sa.Column("usage_critical_percent", sa.Double, nullable=False),
        sa.Column("old_file_days", sa.Integer, nullable=False),
        sa.Column("age_by", sa.String(8), nullable=False),
        sa.Column("relocation_path", path_bytes()),
        sa.Column("delete_old_files", sa.Boolean, nullable=False),
        sa.Column("delete_when_full", sa.Boolean, nullable=False),
        sa.Column("email_usage_warnings", sa.Boolean, nullable=False),
        sa.Column("email_data_alterations", sa.Boolean, nullable=False),
        sa.Column("email_top_percent", sa.Double, nullable=False),
        sa.Column("dry_run", sa.Boolean, nullable=False),
        sa.Column("warning_days", sa.Integer, nullable=False),
        sa.Column("quarantine_days", sa.Integer, nullable=False),
        sa.Column("remove_empty_directories", sa.Boolean, nullable=False),
        sa.Column("max_files", sa.BigInteger, nullable=False),
        sa.Column("max_bytes", sa.BigInteger, nullable=False),
        sa.Column("max_share_percent", sa.Double, nullable=False),
        sa.Column("quick_minutes", sa.Integer, nullable=False),
        sa.Column("full_hour", sa.Integer, nullable=False),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.Column("max_rate", sa.Integer, nullable=False),
        sa.Column("changed_seconds", sa.BigInteger, nullable=False),
    )
    create_table(
        "disk_exemptions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("pattern", path_bytes(1024), nullable=False),
        sa.Column("until_seconds", sa.BigInteger),
        sa.Column("reason", AnyText(500), nullable=False),
        sa.Column("created_seconds", sa.BigInteger, nullable=False),
    )


def _make_runs() -> None:
    """What was found."""
    create_table(
        "disk_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("host", AnyText(100), nullable=False),
        sa.Column("path", path_bytes(), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("level", sa.String(10), nullable=False),
        sa.Column("detail", AnyText(1000), nullable=False),
        sa.Column("started_seconds", sa.BigInteger, nullable=False),
        sa.Column("alive_seconds", sa.BigInteger, nullable=False),
        sa.Column("ended_seconds", sa.BigInteger),
        sa.Column("total_bytes", sa.BigInteger),
        sa.Column("used_bytes", sa.BigInteger),
        sa.Column("available_bytes", sa.BigInteger),
        sa.Column("used_percent", sa.Double),
        sa.Column("total_inodes", sa.BigInteger),
        sa.Column("free_inodes", sa.BigInteger),
        *[sa.Column(column.name, sa.BigInteger) for column in _sums()],
        sa.Column("entries", sa.BigInteger),
        sa.Column("scan_seconds", sa.Double),
        sa.Column("old_file_days", sa.Integer),
        sa.Column("partial", sa.Boolean, nullable=False),
        sa.Column("unreadable_directories", sa.BigInteger),
        sa.Column("errors", sa.BigInteger),
    )
    create_index("disk_runs_task", "disk_runs", ["task", "started_seconds"])
    create_index("disk_runs_started", "disk_runs", ["started_seconds"])
    create_table(
        "disk_users",
        _of_run(),
        sa.Column("uid", sa.BigInteger, primary_key=True),
        *_sums(),
        sa.Column("mean_age_seconds", sa.Double),
    )
    create_index("disk_users_uid", "disk_users", ["uid", "run_id"])
    create_table(
        "disk_groups",
        _of_run(),
        sa.Column("gid", sa.BigInteger, primary_key=True),
        *_sums(),
        sa.Column("mean_age_seconds", sa.Double),
    )
    create_table(
        "disk_directories",
        _of_run(),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("path", path_bytes(), nullable=False),
        sa.Column("parent", sa.Integer),
        sa.Column("depth", sa.Integer, nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        *_sums(),
    )
    create_index("disk_directories_parent", "disk_directories", ["run_id", "parent"])
    create_table(
        "disk_directory_users",
        _of_run(),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("uid", sa.BigInteger, primary_key=True),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("apparent_bytes", sa.BigInteger, nullable=False),
        sa.Column("allocated_bytes", sa.BigInteger, nullable=False),
        sa.Column("old_files", sa.BigInteger, nullable=False),
        sa.Column("old_bytes", sa.BigInteger, nullable=False),
    )
    create_index("disk_directory_users_uid", "disk_directory_users", ["run_id", "uid"])
    create_table(
        "disk_buckets",
        _of_run(),
        sa.Column("kind", sa.String(4), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("lower", sa.BigInteger),
        sa.Column("upper", sa.BigInteger),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("apparent_bytes", sa.BigInteger, nullable=False),
        sa.Column("allocated_bytes", sa.BigInteger, nullable=False),
    )
    create_table(
        "disk_top_files",
        _of_run(),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("path", path_bytes(), nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("apparent_bytes", sa.BigInteger, nullable=False),
        sa.Column("allocated_bytes", sa.BigInteger, nullable=False),
        sa.Column("atime_seconds", sa.BigInteger, nullable=False),
        sa.Column("mtime_seconds", sa.BigInteger, nullable=False),
    )
    create_table(
        "disk_errors",
        _of_run(),
        sa.Column("kind", sa.String(32), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.Column("example", path_bytes(), nullable=False),
    )


def _make_plans() -> None:
    """What was told and done."""
    create_table(
        "disk_notices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.Integer),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("host", AnyText(100), nullable=False),
        sa.Column("uid", sa.BigInteger, nullable=False),
        sa.Column("address", AnyText(640), nullable=False),
        sa.Column("sections", sa.String(200), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("created_seconds", sa.BigInteger, nullable=False),
        sa.Column("sent_seconds", sa.BigInteger),
    )
    create_index("disk_notices_created", "disk_notices", ["created_seconds"])
    create_index("disk_notices_uid", "disk_notices", ["uid", "created_seconds"])
    create_table(
        "disk_plans",
        sa.Column("id", sa.String(100), primary_key=True),
        sa.Column("task", sa.String(64), nullable=False),
        sa.Column("host", AnyText(100), nullable=False),
        sa.Column("run_id", sa.Integer),
        sa.Column("action", sa.String(8), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_seconds", sa.BigInteger, nullable=False),
        sa.Column("warned_seconds", sa.BigInteger),
        sa.Column("due_seconds", sa.BigInteger),
        sa.Column("ended_seconds", sa.BigInteger),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("left_files", sa.BigInteger, nullable=False),
        sa.Column("done_files", sa.BigInteger, nullable=False),
        sa.Column("done_bytes", sa.BigInteger, nullable=False),
        sa.Column("skipped_files", sa.BigInteger, nullable=False),
        sa.Column("detail", AnyText(1000), nullable=False),
    )
    create_index("disk_plans_task", "disk_plans", ["task", "created_seconds"])
    create_index("disk_plans_created", "disk_plans", ["created_seconds"])
    create_table(
        "disk_plan_users",
        sa.Column("plan", sa.String(100), sa.ForeignKey("disk_plans.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("uid", sa.BigInteger, primary_key=True),
        sa.Column("files", sa.BigInteger, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
    )


def upgrade() -> None:
    """Make the tables."""
    _make_tasks()
    _make_runs()
    _make_plans()
