"""Who fills the disk: scans by owner, directory and age; warnings; plans that move or delete old files."""
