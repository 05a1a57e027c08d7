"""The version resource of the Windows programs: what Explorer shows under Details.

https://learn.microsoft.com/windows/win32/menurc/versioninfo-resource, in the form that PyInstaller reads.
"""

from pathlib import Path

import names

_TEMPLATE = """\
VSVersionInfo(
  ffi=FixedFileInfo(filevers={numbers}, prodvers={numbers}, mask=0x3f, flags=0x0, OS=0x40004, fileType=0x1),
  kids=[
    StringFileInfo([StringTable("040904B0", [
{strings}
    ])]),
    VarFileInfo([VarStruct("Translation", [0x0409, 1200])]),
  ],
)
"""


def text(version: str) -> str:
    """Return the resource for a version such as 0.1.0; Windows wants four numbers."""
    parts = [int("".join(sign for sign in part if sign.isdigit()) or 0) for part in version.split(".")[:3]]
    numbers = tuple([*parts, 0, 0, 0, 0][:4])
    strings = {
        "CompanyName": "vxtray contributors",
        "FileDescription": f"vxtray: {names.SUMMARY}",
        "FileVersion": version,
        "InternalName": "vxtray",
        "LegalCopyright": names.COPYRIGHT,
        "OriginalFilename": "vxtray.exe",
        "ProductName": "vxtray",
        "ProductVersion": version,
    }
    lines = (f'      StringStruct("{key}", "{value}"),' for key, value in strings.items())
    return _TEMPLATE.format(numbers=numbers, strings="\n".join(lines))


def write(path: Path) -> Path:
    """Write the resource of this version and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(names.version()), encoding="utf-8")
    return path
