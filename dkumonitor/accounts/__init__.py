"""Who may sign in to an installation, and what they did: accounts, sessions, tokens, the audit log."""
