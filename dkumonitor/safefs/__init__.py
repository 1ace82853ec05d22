"""Work in folders that belong to somebody else: by descriptors, never by paths, without following anything.

The only owner of renaming and removing in the trees of a machine's users. docs/disk-acts.md says what it is good for.
"""
