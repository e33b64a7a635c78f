"""npm's settings: which ones there are, and which change nothing of an upload.

Each is an option, a key in ``.npmrc``, and a variable.
"""

from __future__ import annotations

import re

from ..parsers.nopt import Kinds, Nopt

_FLAGS = (
    "all allow-same-version always-auth audit bin-links commit-hooks description dev "
    "diff-ignore-all-space diff-name-only diff-no-prefix diff-text dry-run engine-strict "
    "expect-results force foreground-scripts format-package-lock fund git-tag-version global "
    "global-style if-present ignore-scripts include-staged include-workspace-root install-links "
    "json legacy-bundling legacy-peer-deps link long offline omit-lockfile-registry-resolved "
    "optional package-lock package-lock-only parseable prefer-dedupe prefer-offline "
    "prefer-online production progress provenance read-only rebuild-bundle save save-bundle "
    "save-dev save-exact save-optional save-peer save-prod sign-git-commit sign-git-tag "
    "strict-peer-deps strict-ssl timing unicode update-notifier usage version versions "
    "workspaces workspaces-update yes"
)
_VALUES = (
    "access also audit-level auth-type before ca cache cache-max cache-min cafile call cert cidr "
    "cpu depth diff diff-dst-prefix diff-src-prefix diff-unified editor expect-result-count "
    "fetch-retries fetch-retry-factor fetch-retry-maxtimeout fetch-retry-mintimeout fetch-timeout "
    "git globalconfig heading https-proxy include init-author-email init-author-name "
    "init-author-url init-license init-module init-version init.author.email init.author.name "
    "init.author.url init.license init.module init.version install-strategy key libc local-address "
    "location lockfile-version loglevel logs-dir logs-max maxsockets message node-options noproxy "
    "omit only os otp pack-destination package prefix preid provenance-file proxy registry "
    "replace-registry-host save-prefix sbom-format sbom-type scope script-shell searchexclude "
    "searchlimit searchopts searchstaleness shell tag tag-version-prefix umask user-agent "
    "userconfig viewer which workspace"
)

#: The settings that only some of the versions 10 to 12 have.
_NEWER = (
    "allow-directory allow-file allow-git allow-remote allow-scripts allow-scripts-pending "
    "allow-scripts-pin allow-unused-patches bypass-2fa dangerously-allow-all-scripts edit-dir "
    "expires extension-file global-ignore-file ignore-existing ignore-extension "
    "ignore-patch-failures include-attestations init-private init-type keep-edit-dir "
    "min-release-age min-release-age-exclude name node-gyp orgs orgs-permission packages "
    "packages-all packages-and-scopes-permission password patches-dir scopes shrinkwrap "
    "strict-allow-scripts strict-npmrc to token-description"
)

#: What short options stand for, and other words for an option.
_SHORT = {
    "enjoy-by": "--before",
    "d": "--loglevel info",
    "dd": "--loglevel verbose",
    "ddd": "--loglevel silly",
    **dict.fromkeys(("q", "quiet"), "--loglevel warn"),
    **dict.fromkeys(("s", "silent"), "--loglevel silent"),
    "verbose": "--loglevel verbose",
    "desc": "--description",
    **dict.fromkeys(("help", "?", "H", "h"), "--usage"),
    "local": "--no-global",
    **dict.fromkeys(("n", "no"), "--no-yes"),
    "porcelain": "--parseable",
    "readonly": "--read-only",
    "reg": "--registry",
    "iwr": "--include-workspace-root",
    "ws": "--workspaces",
    **{"a": "--all", "c": "--call", "f": "--force", "g": "--global", "L": "--location"},
    **{"l": "--long", "m": "--message", "p": "--parseable", "C": "--prefix", "S": "--save"},
    **{"B": "--save-bundle", "D": "--save-dev", "E": "--save-exact", "O": "--save-optional"},
    **{"P": "--save-prod", "v": "--version", "w": "--workspace", "y": "--yes"},
}

KINDS = Kinds(
    frozenset(_FLAGS.split()),
    frozenset(_VALUES.split()),
    frozenset({"registry"}),
    {"color": ("always", "true", "false"), "browser": ()},
    frozenset(_NEWER.split()),
    _SHORT,
)

#: A key that belongs to a registry, or names that of a scope.
OPEN = re.compile(r"//[^=\s${}]+:\w+|@[^=\s${}/:]+:registry")

#: The variables that may hold the secret. npm itself reads none of them.
VARIABLES = ("NPM_TOKEN", "NODE_AUTH_TOKEN")

#: A value that npm fills with one of them.
FILLED = re.compile(r"(\$\{(NPM_TOKEN|NODE_AUTH_TOKEN)\??\})+")

NOPT = Nopt("npm", KINDS, OPEN, FILLED)

#: The parts of keys that hold a credential for a registry.
SECRETS = ("_authToken", "_auth", "_password")

#: The settings that change neither where and how an upload goes nor what runs. What they do to
#: the upload itself, such as its tag, is the user's or the project's own choice.
HARMLESS = frozenset(
    (
        "access tag provenance workspace workspaces include-workspace-root ignore-scripts "
        "allow-same-version also audit auth-type cache audit-level before bin-links cache-max "
        "cache-min color "
        "commit-hooks cpu depth description dev diff diff-dst-prefix diff-ignore-all-space "
        "diff-name-only diff-no-prefix diff-src-prefix diff-text diff-unified editor "
        "engine-strict fetch-retries fetch-retry-factor fetch-retry-maxtimeout "
        "fetch-retry-mintimeout fetch-timeout foreground-scripts format-package-lock fund "
        "git-tag-version global-style heading if-present include include-attestations "
        "include-staged init-author-email init-author-name init-author-url init-license "
        "init-private init-type init-version init.author.email init.author.name init.author.url "
        "init.license init.version install-links install-strategy json legacy-bundling "
        "legacy-peer-deps libc link lockfile-version loglevel logs-max long maxsockets message "
        "min-release-age min-release-age-exclude omit omit-lockfile-registry-resolved only "
        "optional os package-lock package-lock-only parseable prefer-dedupe preid production "
        "progress read-only rebuild-bundle save save-bundle save-dev save-exact save-optional "
        "save-peer save-prefix save-prod sbom-format sbom-type searchexclude searchlimit "
        "searchopts searchstaleness shrinkwrap sign-git-commit sign-git-tag strict-peer-deps "
        "tag-version-prefix timing umask unicode update-notifier usage versions viewer which "
        "workspaces-update yes strict-allow-scripts allow-scripts allow-git allow-remote "
        "allow-file allow-directory dangerously-allow-all-scripts strict-npmrc email always-auth"
    ).split()
)

#: The other ones that a project may set, to what is usual.
USUAL = frozenset({("strict-ssl", "true"), ("dry-run", "false"), ("force", "false")})

#: The settings of ``publishConfig`` that only change the release itself.
PUBLISHED = frozenset("access tag provenance cpu libc os browser".split())
