#!/bin/sh
# An AppImage of what packaging/build.sh made: sh packaging/linux/appimage.sh (afterwards). Not verified here: it needs
# appimagetool, which no package registry has. The program knows that it is one (APPIMAGE) and starts itself by its path.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
. packaging/common.sh

command -v appimagetool >/dev/null 2>&1 || fail "appimagetool is needed; see packaging/README.md"
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' vxtray/__init__.py)
folder=build/AppDir
rm -rf "$folder"
mkdir -p "$folder/usr"
tar -xJf "dist/vxtray-$version-linux-$(uname -m).tar.xz" --strip-components=1 -C "$folder/usr"
cp "$folder/usr/share/applications/vxtray.desktop" "$folder/vxtray.desktop"
cp "$folder/usr/share/icons/hicolor/scalable/apps/vxtray.svg" "$folder/vxtray.svg"
ln -s usr/bin/vxtray "$folder/AppRun"
VERSION=$version appimagetool "$folder" "dist/vxtray-$version-$(uname -m).AppImage"
