; The Windows installer, for Inno Setup 6.3 or newer: packaging\windows\build.ps1 calls
;   iscc /DVersion=0.1.0 packaging\windows\vxtray.iss
; It installs for one person, without administrator rights. The start with the session is the program's own doing
; (HKEY_CURRENT_USER\...\Run), so that the switch in its settings and the installer never disagree.

#ifndef Version
  #error The version is missing: iscc /DVersion=0.1.0
#endif
#define Bundle "..\..\dist\vxtray"

[Setup]
AppId=org.vxtray.vxtray
AppName=vxtray
AppVersion={#Version}
AppVerName=vxtray {#Version}
AppPublisher=vxtray contributors
VersionInfoVersion={#Version}
DefaultDirName={autopf}\vxtray
DefaultGroupName=vxtray
DisableProgramGroupPage=yes
DisableDirPage=auto
PrivilegesRequired=lowest
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
LicenseFile=..\..\LICENSE
SetupIconFile=..\..\build\bundle\vxtray\icons\vxtray.ico
UninstallDisplayIcon={app}\vxtray-window.exe
UninstallDisplayName=vxtray
OutputDir=..\..\dist
OutputBaseFilename=vxtray-{#Version}-windows-x64
Compression=lzma2/max
SolidCompression=yes
WizardStyle=modern
ShowLanguageDialog=auto
; The program is asked to quit below; it lives in the tray and would not notice the restart manager.
CloseApplications=no
RestartApplications=no
ChangesEnvironment=yes

[Languages]
Name: "en"; MessagesFile: "compiler:Default.isl"
Name: "fr"; MessagesFile: "compiler:Languages\French.isl"

[CustomMessages]
en.AtLogin=Start vxtray when I sign in
fr.AtLogin=Démarrer vxtray à l’ouverture de ma session
en.OnPath=Make the command “vxtray” known in terminals
fr.OnPath=Rendre la commande « vxtray » connue dans les terminaux
en.StillRuns=vxtray still runs. Quit it from its icon’s menu, then try again.
fr.StillRuns=vxtray tourne encore. Quittez-le par le menu de son icône, puis réessayez.
en.KeepProfile=Keep your settings, events and mails for a later installation?
fr.KeepProfile=Conserver vos réglages, événements et e-mails pour une installation ultérieure ?

[Tasks]
Name: "atlogin"; Description: "{cm:AtLogin}"
Name: "onpath"; Description: "{cm:OnPath}"; Flags: unchecked

[InstallDelete]
; What an older version had and this one has not.
Type: filesandordirs; Name: "{app}\_internal"

[Files]
Source: "{#Bundle}\*"; DestDir: "{app}"; Flags: ignoreversion recursesubdirs createallsubdirs

[Icons]
Name: "{autoprograms}\vxtray"; Filename: "{app}\vxtray-window.exe"; WorkingDir: "{app}"; AppUserModelID: "org.vxtray.vxtray"

[Registry]
Root: HKCU; Subkey: "Environment"; ValueType: expandsz; ValueName: "Path"; ValueData: "{olddata};{app}"; \
  Tasks: onpath; Check: NotOnPath

[Run]
Filename: "{app}\vxtray.exe"; Parameters: "autostart on"; Flags: runhidden; Tasks: atlogin
Filename: "{app}\vxtray-window.exe"; Description: "{cm:LaunchProgram,vxtray}"; Flags: nowait postinstall skipifsilent

[UninstallRun]
Filename: "{app}\vxtray.exe"; Parameters: "autostart off"; Flags: runhidden; RunOnceId: "autostart"

[Code]
{ The command line of the installed version asks the running program to end, and returns before it has. }
function QuitRunning(): Boolean;
var
  Status, Tries: Integer;
  Program_: String;
begin
  Result := True;
  Program_ := ExpandConstant('{app}\vxtray.exe');
  if not FileExists(Program_) then
    exit;
  Exec(Program_, 'quit', '', SW_HIDE, ewWaitUntilTerminated, Status);
  if Status <> 0 then
    exit; { nothing runs }
  for Tries := 1 to 60 do begin
    Sleep(500);
    Exec(Program_, 'quit', '', SW_HIDE, ewWaitUntilTerminated, Status);
    if Status <> 0 then
      exit;
  end;
  Result := False;
end;

function PrepareToInstall(var NeedsRestart: Boolean): String;
begin
  Result := '';
  if not QuitRunning() then
    Result := CustomMessage('StillRuns');
end;

function InitializeUninstall(): Boolean;
begin
  Result := QuitRunning();
  if not Result then
    MsgBox(CustomMessage('StillRuns'), mbError, MB_OK);
end;

function NotOnPath(): Boolean;
var
  Known: String;
begin
  if not RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Known) then
    Known := '';
  Result := Pos(';' + Lowercase(ExpandConstant('{app}')) + ';', ';' + Lowercase(Known) + ';') = 0;
end;

procedure TakeFromPath();
var
  Known, Own: String;
  Place: Integer;
begin
  Own := ';' + ExpandConstant('{app}');
  if RegQueryStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Known) then begin
    Place := Pos(Lowercase(Own) + ';', Lowercase(Known) + ';');
    if Place > 0 then begin
      Delete(Known, Place, Length(Own));
      RegWriteExpandStringValue(HKEY_CURRENT_USER, 'Environment', 'Path', Known);
    end;
  end;
end;

procedure CurUninstallStepChanged(Step: TUninstallStep);
begin
  if Step <> usPostUninstall then
    exit;
  TakeFromPath();
  { Keeping is what happens without an answer: a silent uninstallation never deletes what a person made. }
  if not UninstallSilent() then
    if MsgBox(CustomMessage('KeepProfile'), mbConfirmation, MB_YESNO) = IDNO then
      DelTree(ExpandConstant('{localappdata}\vxtray'), True, True, True);
end;
