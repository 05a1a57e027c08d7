#!/bin/sh
# The macOS bundle, by one command, from any folder: sh packaging/macos/build.sh
# makes dist/vxtray.app and dist/vxtray-VERSION-macos-ARCH.dmg. Needs Python 3.12 or newer and Xcode's command line tools.
# VXTRAY_CODESIGN_IDENTITY names a “Developer ID Application” certificate of the keychain; without one the bundle is signed
# for this machine only. VXTRAY_NOTARY_PROFILE names a profile of “xcrun notarytool store-credentials”.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$root"
. packaging/common.sh

[ "$(uname -s)" = Darwin ] || fail "this builds on macOS only"
need_python
venv=build/venv
[ -x $venv/bin/python ] || "$python" -m venv $venv
$venv/bin/python -m pip install --quiet --disable-pip-version-check -c packaging/constraints.txt hatchling babel \
    pyinstaller pyinstaller-hooks-contrib
$venv/bin/python -m pip install --quiet --disable-pip-version-check -c packaging/constraints.txt --no-build-isolation \
    --force-reinstall .
$venv/bin/pyinstaller --noconfirm --clean --distpath dist --workpath build/bundle packaging/vxtray.spec
app=dist/vxtray.app
"$app/Contents/MacOS/vxtray" --version
plutil -lint "$app/Contents/Info.plist"
codesign --verify --deep --strict "$app"

version=$($venv/bin/python packaging/names.py)
image=dist/vxtray-$version-macos-$(uname -m).dmg
folder=build/image
rm -rf "$folder" "$image"
mkdir -p "$folder"
cp -R "$app" "$folder/"
ln -s /Applications "$folder/Applications"
hdiutil create -quiet -volname "vxtray $version" -srcfolder "$folder" -format ULMO "$image"
if [ -n "${VXTRAY_CODESIGN_IDENTITY:-}" ]; then
    codesign --sign "$VXTRAY_CODESIGN_IDENTITY" --timestamp "$image"
fi
if [ -n "${VXTRAY_NOTARY_PROFILE:-}" ]; then
    xcrun notarytool submit "$image" --keychain-profile "$VXTRAY_NOTARY_PROFILE" --wait
    xcrun stapler staple "$image"
    spctl --assess --type open --context context:primary-signature --verbose "$image"
fi
ls -l dist
