"""The tables of disk use: tasks, exemptions, runs with what they found, notices, plans. Times are UTC seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dkumonitor.store.migrations import Component
from dkumonitor.store.retention import Retention
from dkumonitor.store.types import AnyText, path_bytes

NAME_MAX = 64
TEXT_MAX = 500
metadata = sa.MetaData()


def _of_run() -> sa.Column[Any]:
    return sa.Column("run_id", sa.Integer, sa.ForeignKey("disk_runs.id", ondelete="CASCADE"), primary_key=True)


def _sums() -> list[sa.Column[Any]]:
    """What :class:`collectors.disk.facts.Sums` holds."""
    names = ("files", "directories", "other", "apparent_bytes", "allocated_bytes", "old_files", "old_bytes")
    return [sa.Column(name, sa.BigInteger, nullable=False) for name in names]


tasks = sa.Table(
    "disk_tasks",
    metadata,
    sa.Column("name", sa.String(NAME_MAX), primary_key=True),
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

exemptions = sa.Table(
    "disk_exemptions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("task", sa.String(NAME_MAX), nullable=False),  # empty for all
    sa.Column("kind", sa.String(8), nullable=False),  # user or path
    sa.Column("pattern", path_bytes(1024), nullable=False),
    sa.Column("until_seconds", sa.BigInteger),
    sa.Column("reason", AnyText(TEXT_MAX), nullable=False),
    sa.Column("created_seconds", sa.BigInteger, nullable=False),
)

runs = sa.Table(
    "disk_runs",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("task", sa.String(NAME_MAX), nullable=False),
    sa.Column("host", AnyText(100), nullable=False),
    sa.Column("path", path_bytes(), nullable=False),
    sa.Column("kind", sa.String(8), nullable=False),  # quick or full
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
    *[sa.Column(column.name, sa.BigInteger) for column in _sums()],  # NULL of a quick run
    sa.Column("entries", sa.BigInteger),
    sa.Column("scan_seconds", sa.Double),
    sa.Column("old_file_days", sa.Integer),
    sa.Column("partial", sa.Boolean, nullable=False),
    sa.Column("unreadable_directories", sa.BigInteger),
    sa.Column("errors", sa.BigInteger),
    sa.Index("disk_runs_task", "task", "started_seconds"),
    sa.Index("disk_runs_started", "started_seconds"),
)

users = sa.Table(
    "disk_users",
    metadata,
    _of_run(),
    sa.Column("uid", sa.BigInteger, primary_key=True),
    *_sums(),
    sa.Column("mean_age_seconds", sa.Double),
    sa.Index("disk_users_uid", "uid", "run_id"),
)

groups = sa.Table(
    "disk_groups",
    metadata,
    _of_run(),
    sa.Column("gid", sa.BigInteger, primary_key=True),
    *_sums(),
    sa.Column("mean_age_seconds", sa.Double),
)

directories = sa.Table(
    "disk_directories",
    metadata,
    _of_run(),
    sa.Column("number", sa.Integer, primary_key=True),  # a path is too long for a key on some servers
    sa.Column("path", path_bytes(), nullable=False),
    sa.Column("parent", sa.Integer),  # the number of the directory above, NULL of the tree itself
    sa.Column("depth", sa.Integer, nullable=False),
    sa.Column("uid", sa.BigInteger, nullable=False),
    *_sums(),
    sa.Index("disk_directories_parent", "run_id", "parent"),
)

directory_users = sa.Table(
    "disk_directory_users",
    metadata,
    _of_run(),
    sa.Column("number", sa.Integer, primary_key=True),  # of the directory
    sa.Column("uid", sa.BigInteger, primary_key=True),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("apparent_bytes", sa.BigInteger, nullable=False),
    sa.Column("allocated_bytes", sa.BigInteger, nullable=False),
    sa.Column("old_files", sa.BigInteger, nullable=False),
    sa.Column("old_bytes", sa.BigInteger, nullable=False),
    sa.Index("disk_directory_users_uid", "run_id", "uid"),
)

buckets = sa.Table(
    "disk_buckets",
    metadata,
    _of_run(),
    sa.Column("kind", sa.String(4), primary_key=True),  # age (days) or size (bytes)
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("lower", sa.BigInteger),  # NULL: in the future
    sa.Column("upper", sa.BigInteger),  # NULL: without an end
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("apparent_bytes", sa.BigInteger, nullable=False),
    sa.Column("allocated_bytes", sa.BigInteger, nullable=False),
)

top_files = sa.Table(
    "disk_top_files",
    metadata,
    _of_run(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("path", path_bytes(), nullable=False),
    sa.Column("uid", sa.BigInteger, nullable=False),
    sa.Column("apparent_bytes", sa.BigInteger, nullable=False),
    sa.Column("allocated_bytes", sa.BigInteger, nullable=False),
    sa.Column("atime_seconds", sa.BigInteger, nullable=False),
    sa.Column("mtime_seconds", sa.BigInteger, nullable=False),
)

errors = sa.Table(
    "disk_errors",
    metadata,
    _of_run(),
    sa.Column("kind", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("example", path_bytes(), nullable=False),
)

notices = sa.Table(
    "disk_notices",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run_id", sa.Integer),
    sa.Column("task", sa.String(NAME_MAX), nullable=False),
    sa.Column("host", AnyText(100), nullable=False),
    sa.Column("uid", sa.BigInteger, nullable=False),
    sa.Column("address", AnyText(640), nullable=False),
    sa.Column("sections", sa.String(200), nullable=False),  # their names, with a blank between each
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("created_seconds", sa.BigInteger, nullable=False),
    sa.Column("sent_seconds", sa.BigInteger),
    sa.Index("disk_notices_created", "created_seconds"),
    sa.Index("disk_notices_uid", "uid", "created_seconds"),
)

plans = sa.Table(
    "disk_plans",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),  # TASK-YYYYMMDDThhmmssZ-ACTION
    sa.Column("task", sa.String(NAME_MAX), nullable=False),
    sa.Column("host", AnyText(100), nullable=False),
    sa.Column("run_id", sa.Integer),
    sa.Column("action", sa.String(8), nullable=False),  # move or delete
    sa.Column("state", sa.String(12), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created_seconds", sa.BigInteger, nullable=False),
    sa.Column("warned_seconds", sa.BigInteger),
    sa.Column("due_seconds", sa.BigInteger),  # when it may be applied by itself; NULL: never
    sa.Column("ended_seconds", sa.BigInteger),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("left_files", sa.BigInteger, nullable=False),
    sa.Column("done_files", sa.BigInteger, nullable=False),
    sa.Column("done_bytes", sa.BigInteger, nullable=False),
    sa.Column("skipped_files", sa.BigInteger, nullable=False),
    sa.Column("detail", AnyText(1000), nullable=False),
    sa.Index("disk_plans_task", "task", "created_seconds"),
    sa.Index("disk_plans_created", "created_seconds"),
)

plan_users = sa.Table(
    "disk_plan_users",
    metadata,
    sa.Column("plan", sa.String(100), sa.ForeignKey("disk_plans.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("uid", sa.BigInteger, primary_key=True),
    sa.Column("files", sa.BigInteger, nullable=False),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)

COMPONENT = Component(
    "disk",
    metadata,
    Path(__file__).parent / "revisions",
    (
        Retention(runs, "started_seconds", "disk_runs", 400),  # what a run found goes with it
        Retention(notices, "created_seconds", "disk_notices", 400),
        Retention(plans, "created_seconds", "disk_plans", 400),
    ),
)
