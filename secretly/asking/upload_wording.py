"""The texts about an upload: its dialog, and what the tool gets. Tests take them from here.

The functions escape nothing: the caller escapes what comes from outside.
"""

from __future__ import annotations

UNKNOWN_PROJECT = "an unknown project"
UNKNOWN_VERSION = "(version not yet known)"
BUILDS_FIRST = "builds first; files not yet known"
BUILD_READS = "build code can read the token; this is safer:"
SAFER = "python -m build, then secretly run twine upload dist/*"
NOT_LIMITED = "token: the stored one; secretly can't limit it"
PLAIN_HTTP = "http: others can read the upload on its way"
SEVERAL_VERSIONS = "files of several versions"
UNVERIFIED = "certificates are not checked"
OWN_CERTIFICATES = "your own certificates"
CLIENT_CERTIFICATE = "a client certificate"
KEYS_IN_A_FILE = "its keys are written to a file"
UNREADABLE = "with an unreadable address"


def upload_line(releases: str, action: str = "upload") -> str:
    """The line with the projects and their versions.

    :param action: what happens to them: ``yank``.
    """
    return f"{action}: {releases or UNKNOWN_PROJECT}"


def index_line(index: str) -> str:
    """The line with the package index."""
    return f"to: {index}"


def user_line(username: str) -> str:
    """The line with the user name that the tool sends."""
    return f"user: {username or '(empty)'}"


def variable_line(names: str) -> str:
    """The line about a secret that is not the upload's own: the variables that it goes into."""
    return f"not for the upload itself, but for: {names}"


def others_line(names: str) -> str:
    """The line about the upload's own secret: the other variables that it goes into."""
    return f"also for: {names}"


def typed_username(usual: str) -> str:
    """The user name of a secret that is typed: that of a token, or the one that is typed next."""
    return f"{usual} for a PyPI token, else the one you type"


def program_line(program: str) -> str:
    """The line with the path of the program that uploads."""
    return f"program: {program}"


def command_line(command: str) -> str:
    """The line with the command as the user typed it."""
    return f"for: {command}"


def note_line(note: str) -> str:
    """A line about something that is unusual."""
    return f"note: {note}"


def launcher_note(launcher: str, tool: str) -> str:
    """A launcher such as ``uv run`` starts the tool."""
    return f"{launcher} starts {tool}, and this project's settings can change how"


def project_code(what: str) -> str:
    """Code of the project's own sees the token."""
    return f"code of this project can read the token: {what}"


def project_script(name: str) -> str:
    """A script that the project's settings have the tool run."""
    return f"the script {name}"


def project_plugins(where: str) -> str:
    """Plugins of the project's that the tool loads, from a folder or a setting."""
    return f"the plugins in {where}"


def project_program(name: str, setting: str) -> str:
    """A program of the project's with the name of the tool."""
    return f"its own program {name} ({setting})"


def signing_program(program: str) -> str:
    """A program that is not GnuPG signs the files."""
    return f"the program {program}, which signs the files"


def imported_module(tool: str) -> str:
    """A tool may import the module that it uploads."""
    return f"the module itself, if {tool} imports it to find its version"


def started_by(program: str, settings: str) -> str:
    """git, or hg, starts what the settings of a repository name."""
    return f"programs that {program} starts because of {settings}"


def run_by_cargo(settings: str, keys: str) -> str:
    """A settings file of the project makes cargo run programs."""
    return f"what {settings} makes cargo run ({keys})"


PROJECT_PYTHON = "the project's own Python"
CRATE_BUILD = "build scripts, when cargo builds the crate to verify it"

SAFER_CRATE = "cargo package, then secretly run cargo publish --no-verify"
#: A settings file of the project names the code.
SAFER_CRATE_ELSEWHERE = (
    "cargo package, then, in a folder without that file, secretly run cargo publish --no-verify "
    "--manifest-path PATH/Cargo.toml"
)


def safer_npm(folder: str, file: str) -> str:
    """npm runs no script of the project when it uploads a file that it packed before."""
    return f"{f'npm pack {folder}'.rstrip()}, then secretly run npm publish {file}"


def packs_itself(tool: str, command: str) -> str:
    """The tool chooses the files of a package; a command shows them."""
    return f"{tool} packs the files itself; {command} shows them"


UNDO_YANK = "undo the yank of"


def change_owners(changes: str) -> str:
    """The owners of a crate change."""
    return f"owners ({changes})"


def safer(commands: str) -> str:
    """The commands with which no code of the project sees the token."""
    return f"without that code: {commands}"


def chosen_by(setting: str) -> str:
    """A settings file, or a variable, chose the registry."""
    return f"the registry is chosen by {setting}"


ASKS_FIRST = "the index says where uploads go only to users with a token, so it gets the token, too"


def index_at(host: str, *, gets_token: bool) -> str:
    """The index of a registry is at another host than the one that takes uploads."""
    return f"its index is at {host}" + (", which gets the token, too" if gets_token else "")


def network(what: str) -> str:
    """The user's own settings change the connection."""
    return f"network: {what}"


#: cargo takes its proxy from there.
GIT_PROXY = "of your Git settings, if they name one"


def proxy(host: str) -> str:
    """The connection goes through a proxy."""
    return f"proxy {host}"


def unread(name: str, count: int) -> str:
    """secretly can't read the project of some files, of which *name* is one."""
    what = name if count == 1 else f"{name} and {count - 1} more"
    return f"can't read the project of {what}, so the token is not limited to a project"


def development_version(version: str) -> str:
    """A version is for development only."""
    return f"{version} is a development version"


def odd_version(version: str) -> str:
    """A version does not follow the rules."""
    return f"{version} is not a valid version (PEP 440)"


def file_facts(size: str, digest: str) -> str:
    """The facts about a file, after its path."""
    return f"{size}, sha256 {digest}"


def files_line(count: int, size: str, digest: str) -> str:
    """The line in place of the files, if the dialog has no room for them."""
    return f"{count} files, {size}, sha256 of their list {digest}"


def packages_line(count: int, digest: str) -> str:
    """What stands for the packages, if the dialog has no room for their names."""
    return f"{count} packages, sha256 of their list {digest}"


def limits_line(projects: int | None, minutes: float, *, certain: bool) -> str:
    """The line about how the token is limited that the tool would get.

    :param projects: the number of its projects; None if they are not known.
    :param minutes: how long it is valid.
    :param certain: only a PyPI token is possible here.
    """
    end = f"{minutes:.0f} minutes"
    limits = f"{'this project' if projects == 1 else 'these projects'} only, {end}"
    if projects is None:
        limits = f"{end}, not limited to a project"
    return f"token: {limits}" if certain else f"PyPI token: {limits}; any other: unchanged"


def project_line(projects: str) -> str:
    """The line with the projects that the user named for a recipe."""
    return f"project: {projects}"


#: secretly does not see what a command does with a token.
UNSEEN = "secretly can't see what is uploaded, or where"


def gets_limited_token(command: str, name: str, until: str) -> str:
    """The line on standard error about the token that another command gets.

    :param name: the secret's name, as a shell reads it.
    :param until: when the token ends.
    """
    return (
        f"{command} gets a token that ends at {until}, not the stored one. For the stored one: "
        f"secretly get {name}, or narrow = false in the configuration"
    )


def gets_token(tool: str, projects: str | None, until: str) -> str:
    """The line on standard error about the token that the tool gets.

    :param projects: the only projects that the token is for; None if they are not known.
    :param until: when the token ends; empty if it does not.
    """
    end = f"until {until}" if until else "that does not expire"
    if projects is None:
        return f"{tool} gets a token {end}, for {UNKNOWN_PROJECT}"
    return f"{tool} gets a token for {projects} only, {end}"
