"""The errors of the watcher, and the exit code of each.

::

    DkmError
    └── ArrivalsError              40  the watcher cannot go on
        ├── ConfigurationError     41  its INI file says something we do not know
        └── RedisError             42  Redis cannot be reached or refuses what is needed
"""

from dkumonitor.errors import DkmError


class ArrivalsError(DkmError):
    """The watcher cannot go on."""

    exit_code = 40


class ConfigurationError(ArrivalsError):
    """The INI file is missing, is no INI file, or holds a key or a value that is not known."""

    exit_code = 41


class RedisError(ArrivalsError):
    """Redis cannot be reached, or refuses what the watcher needs."""

    exit_code = 42
