"""Mail: messages that are built here, wait in a spool on disk, and leave by SMTP."""
