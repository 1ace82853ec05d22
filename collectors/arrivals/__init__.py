"""Files that arrive in directories, announced on Redis."""
