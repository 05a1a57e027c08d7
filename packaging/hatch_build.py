"""What hatchling does beyond packing files: resources with compiled catalogues, and the revision.

A wheel gets ``vxtray/_resources`` (``resources/`` with each .po compiled to .mo) and ``vxtray/_build.json``; an sdist
gets ``packaging/_build.json``, so that a wheel built from it later still knows its revision. Everything is prepared in
a temporary folder: the checkout stays as it is. An editable installation needs nothing of this, since it reads the
checkout.
"""

import importlib.util
import json
import os
import shutil
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: Of ``resources``, what a running program has no use for.
LEFT_OUT = shutil.ignore_patterns("*.po", "*.pot", "*.mo", "screenshots")


class Build(BuildHookInterface):
    """The hook that pyproject.toml names."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add what is prepared to the files of the distribution."""
        if self.target_name == "wheel" and version == "editable":
            return
        self.folder = Path(tempfile.mkdtemp(prefix="vxtray-build-"))
        about = self.folder / "_build.json"
        about.write_text(json.dumps(self.about(), indent=1) + "\n", encoding="utf-8")
        added = build_data["force_include"]
        if self.target_name == "sdist":
            added[str(about)] = "packaging/_build.json"
            return
        added[str(about)] = "vxtray/_build.json"
        added[str(self.resources())] = "vxtray/_resources"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take the temporary folder away."""
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def about(self) -> dict[str, str]:
        """Return the revision, when it was built and the digest of the modules."""
        root = Path(self.root)
        # By its file, not by name: another vxtray may be installed where the build runs.
        spec = importlib.util.spec_from_file_location("vxtray_revision", root / "vxtray" / "core" / "revision.py")
        source = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(source)
        sha256 = source.digest(root / "vxtray")
        revision = source.describe(root)
        if not revision and (root / "packaging" / "_build.json").exists():
            packed = json.loads((root / "packaging" / "_build.json").read_text("utf-8"))
            revision = packed["revision"] if packed["sha256"] == sha256 else packed["revision"] + "+modified"
        moment = datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())), UTC)
        return {"revision": revision or source.UNKNOWN, "built": moment.isoformat(), "sha256": sha256}

    def resources(self) -> Path:
        """Return a copy of the resources, with the catalogues compiled."""
        original, copy = Path(self.root) / "resources", self.folder / "resources"
        shutil.copytree(original, copy, ignore=LEFT_OUT)
        for catalogue in original.glob("i18n/*/LC_MESSAGES/*.po"):
            compiled = copy / catalogue.relative_to(original).with_suffix(".mo")
            with catalogue.open("rb") as text, compiled.open("wb") as machine:
                write_mo(machine, read_po(text))
        return copy
