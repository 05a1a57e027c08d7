"""Show the scenes of ``scenes.py`` on a real screen, one after the other, as standard input asks.

Usage: python spoken.py PROFILE-FOLDER MOOD. Each line names a scene; the answer, when it is at rest, is one JSON line:
the title of what is shown, and whether it is a dialog. ``?`` answers with the names of all scenes of the mood.
"""

import json
import os
import sys
import traceback
from pathlib import Path

from PySide6.QtCore import QSocketNotifier
from PySide6.QtWidgets import QApplication, QDialog, QMenu

from tests.gui.support.scenes import SCENES, page_scenes, put_away, rested
from tests.gui.support.stage import Mood, Stage
from vxtray.core.paths import Profile


def answer() -> None:
    name = sys.stdin.readline().strip()
    if not name:
        notifier.setEnabled(False)
        app.quit()
        return
    put_away(keep=stage.window)
    if name == "?":
        said: object = [scene.name for scene in scenes.values() if scene.kind is not QMenu]
    else:
        try:
            shown = scenes[name].open(stage)
            rested(shown, 0.03)
        except Exception:  # noqa: BLE001 - who asked is told by the end of the answers
            traceback.print_exc()
            os._exit(1)
        said = [shown.windowTitle(), isinstance(shown, QDialog)]
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


app = QApplication(sys.argv[:1])
mood = Mood(sys.argv[2])
stage = Stage(Profile.under(Path(sys.argv[1])), mood)
scenes = {one.name: one for one in (*page_scenes(stage.window.pages), *SCENES) if one.mood is mood}
notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
notifier.activated.connect(answer)
app.exec()
stage.close()
put_away()
