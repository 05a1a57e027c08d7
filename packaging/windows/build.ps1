# The Windows installer, by one command: powershell -ExecutionPolicy Bypass -File packaging\windows\build.ps1
# Needs Python 3.12 or newer (py) and Inno Setup 6.3 or newer. Makes dist\vxtray and dist\vxtray-VERSION-windows-x64.exe.
# Sign both programs and the installer where a certificate is there: set VXTRAY_SIGNTOOL to a command that takes a file.
$ErrorActionPreference = "Stop"
$PSNativeCommandUseErrorActionPreference = $true
Set-Location (Join-Path $PSScriptRoot "..\..")

function Invoke-Checked([string]$Program, [string[]]$Arguments) {
    & $Program @Arguments
    if ($LASTEXITCODE -ne 0) { throw "$Program ended with $LASTEXITCODE" }
}

$launcher = if (Get-Command py -ErrorAction SilentlyContinue) { "py" } else { "python" }
$venv = "build\venv"
$python = "$venv\Scripts\python.exe"
if (-not (Test-Path $python)) { Invoke-Checked $launcher @("-m", "venv", $venv) }
$pip = @("-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", "packaging\constraints.txt")
Invoke-Checked $python ($pip + @("hatchling", "babel", "pyinstaller", "pyinstaller-hooks-contrib"))
Invoke-Checked $python ($pip + @("--no-build-isolation", "--force-reinstall", "."))
Invoke-Checked "$venv\Scripts\pyinstaller.exe" @("--noconfirm", "--clean", "--distpath", "dist", "--workpath",
    "build\bundle", "packaging\vxtray.spec")
Invoke-Checked "dist\vxtray\vxtray.exe" @("--version")

function Add-Signature([string]$File) {
    if ($env:VXTRAY_SIGNTOOL) { Invoke-Checked "cmd" @("/c", "$env:VXTRAY_SIGNTOOL `"$File`"") }
}
Add-Signature "dist\vxtray\vxtray.exe"
Add-Signature "dist\vxtray\vxtray-window.exe"

$version = & $python packaging\names.py
$iscc = Get-Command iscc -ErrorAction SilentlyContinue
$iscc = if ($iscc) { $iscc.Source } else { "${env:ProgramFiles(x86)}\Inno Setup 6\ISCC.exe" }
Invoke-Checked $iscc @("/Qp", "/DVersion=$version", "packaging\windows\vxtray.iss")
Add-Signature "dist\vxtray-$version-windows-x64.exe"
Get-ChildItem dist
