"""Commands of earlier tools: what lies in DIR/bin by their names is what the collectors answer to."""

from __future__ import annotations

import collectors
from installer.render import EARLIER, LAUNCHERS


def test_every_launcher_of_an_earlier_name_has_its_command_and_the_other_way_round() -> None:
    launchers = {name for name, launcher in LAUNCHERS.items() if launcher == EARLIER}
    assert launchers == set(collectors.earlier_commands())
