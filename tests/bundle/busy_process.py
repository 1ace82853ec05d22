"""A process that computes a little, writes, and holds threads and files.

Arguments: a folder, the account to become, a word to be found by.
"""

import os
import sys
import threading
import time
from pathlib import Path

folder = Path(sys.argv[1])
held = [(folder / f"{os.getpid()}-{number}").open("wb", buffering=0) for number in range(5)]
os.setuid(int(sys.argv[2]))  # only now: the folder and the interpreter may be for the caller alone
for _ in range(2):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
while True:
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    held[0].seek(0)
    held[0].write(os.urandom(256 * 1024))
    os.fsync(held[0].fileno())
    time.sleep(0.5)
