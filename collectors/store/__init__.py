"""How large the store is; its daily upkeep."""
