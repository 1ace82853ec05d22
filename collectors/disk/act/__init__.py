"""`dkm-act`: moves, deletes into a quarantine, and brings back, as the admin's policy allows. A program of its own.

What root runs: it uses neither the store nor a network, and as little else as it can. docs/disk-acts.md describes it.
"""
