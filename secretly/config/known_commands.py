"""The known secrets and commands: tables in the schema of the user's ``config.toml``.

The user's tables override these key by key. They are Python, not TOML, because every start reads
them, and Python compiles them once. For the same reason a list in ``COMMANDS`` is a text with
commas, until :func:`row` makes the list: a run needs one row, or none.
"""

from __future__ import annotations

__all__ = ["ALIASED", "COMMANDS", "OPTIONS", "SECRETS", "row"]

# fmt: off
SECRETS: dict[str, dict[str, object]] = {
    "PyPI": {
        "username": "__token__",
        "prefix": "pypi-",
    },
    "TestPyPI": {
        "username": "__token__",
        "prefix": "pypi-",
    },
}

#: In most programs with subcommands, these need no secret, or would store it.
_NEED_NONE = "help, version, completion, completions, configure, login, logout"

COMMANDS: dict[str, dict[str, object]] = {
    # Publishing tools. Where a reference is empty, the index and the project choose the secret.
    # publishing/tools/ has a module for each.
    "twine": {
        "publishes": True,
        "subcommands": "upload",
        "secrets": {"TWINE_PASSWORD": ""},
        "username": "TWINE_USERNAME",
    },
    "uv": {
        "publishes": True,
        "subcommands": "publish",
        "secrets": {"UV_PUBLISH_PASSWORD": ""},
        "username": "UV_PUBLISH_USERNAME",
        "alternatives": "UV_PUBLISH_TOKEN",
    },
    "flit": {
        "publishes": True,
        "subcommands": "publish",
        "secrets": {"FLIT_PASSWORD": ""},
        "username": "FLIT_USERNAME",
    },
    "hatch": {
        "publishes": True,
        "subcommands": "publish",
        "secrets": {"HATCH_INDEX_AUTH": ""},
        "username": "HATCH_INDEX_USER",
    },
    "poetry": {
        "publishes": True,
        "subcommands": "publish",
        "secrets": {"POETRY_HTTP_BASIC_{REPOSITORY}_PASSWORD": ""},
        "username": "POETRY_HTTP_BASIC_{REPOSITORY}_USERNAME",
        "alternatives": "POETRY_PYPI_TOKEN_{REPOSITORY}",
        # A token from 'poetry config' takes precedence, and so does one in poetry's keyring.
        "blanks": "POETRY_PYPI_TOKEN_{REPOSITORY}, POETRY_KEYRING_ENABLED",
    },
    # What secretly demo uses where it finds none of the others.
    "demo_upload": {
        "publishes": True,
        "subcommands": "upload",
        "secrets": {"DEMO_UPLOAD_PASSWORD": ""},
        "username": "DEMO_UPLOAD_USERNAME",
    },
    "pdm": {
        "publishes": True,
        "subcommands": "publish",
        "secrets": {"PDM_PUBLISH_PASSWORD": ""},
        "username": "PDM_PUBLISH_USERNAME",
    },
    "maturin": {
        "publishes": True,
        "subcommands": "publish, upload",
        "secrets": {"MATURIN_PASSWORD": ""},
        "username": "MATURIN_USERNAME",
        "alternatives": "MATURIN_PYPI_TOKEN",
        "seal_keyring": True,
    },
    # Other registries. secretly can't narrow their tokens, so the tool gets the stored one. cargo's
    # variable belongs to the public crate registry, and publishing/tools/cargo.py names those of
    # others. npm's goes where .npmrc says ${NPM_TOKEN}.
    "cargo": {
        "publishes": True,
        "subcommands": "publish, yank, owner",
        "secrets": {"CARGO_REGISTRY_TOKEN": "Cargo"},
    },
    "npm": {
        "publishes": True,
        "subcommands": (
            "publish, unpublish, stage, deprecate, undeprecate, dist-tag, dist-tags, distTag, "
            "distTags, access, owner, author, org, ogr, team, profile, star, stars, token, "
            "trust, unstar, whoami, "
            # npm takes any beginning of a command that no other one has.
            "pu, pub, publ, publi, publis, unp, unpu, unpub, unpubl, unpubli, unpublis, stag, "
            "dep, depr, depre, deprec, depreca, deprecat, und, unde, undep, undepr, undepre, "
            "undeprec, undepreca, undeprecat, ac, acc, acce, acces, ow, own, owne, aut, auth, "
            "autho, or, og, tea, pro, prof, profi, profil, to, tok, toke, tr, tru, trus, uns, "
            "unst, unsta, who, whoa, whoam"
        ),
        "secrets": {"NPM_TOKEN": "npm"},
        "alternatives": "NODE_AUTH_TOKEN",
    },
    # Forges.
    "gh": {
        "subcommands": (
            "agent-task, api, at, attestation, auth status, browse, cache, co, codespace, "
            "copilot, cs, ext, extension, gist, gpg-key, issue, label, org, pr, project, "
            "release, repo, rs, ruleset, run, search, secret, ssh-key, status, variable, "
            "workflow"
        ),
        "values": "--hostname, -R, --repo",
        "secrets": {"GH_TOKEN": "GitHub"},
        "alternatives": "GITHUB_TOKEN",
        "beaten_by": "gh",
    },
    "glab": {
        "exceptions": f"{_NEED_NONE}, auth login, auth logout, auth configure-docker, config",
        "secrets": {"GITLAB_TOKEN": "GitLab"},
        "alternatives": "GITLAB_ACCESS_TOKEN, OAUTH_TOKEN",
    },
    "brew": {
        "subcommands": "bump, bump-cask-pr, bump-formula-pr, search, create, livecheck",
        "secrets": {"HOMEBREW_GITHUB_API_TOKEN": "GitHub"},
    },
    "circleci": {
        "subcommands": (
            "admin, config, context, diagnostic, follow, info, namespace, orb, pipeline, policy, "
            "project, runner, trigger"
        ),
        "values": "--host, --token",
        "secrets": {"CIRCLECI_CLI_TOKEN": "CircleCI"},
        "beaten_by": "--token",
    },
    # CACHIX_SIGNING_KEY, a signing key, is used together with the token, not in its place.
    "cachix": {
        "subcommands": "push, watch-exec, watch-store, pin, import, daemon, generate-keypair",
        "values": "-c, --config, --host, --hostname",
        "secrets": {"CACHIX_AUTH_TOKEN": "Cachix"},
    },
    # Clouds. The access key's id is the user name of the stored secret.
    "aws": {
        "exceptions": _NEED_NONE,
        "values": "--profile, --region, --endpoint-url, --output, --query, --ca-bundle",
        "secrets": {"AWS_ACCESS_KEY_ID": "AWS#username", "AWS_SECRET_ACCESS_KEY": "AWS"},
        "removes": "AWS_SESSION_TOKEN, AWS_SECURITY_TOKEN, AWS_CREDENTIAL_EXPIRATION",
        "beaten_by": "aws",
    },
    # The JavaScript SDK ignores the keys if a profile is set.
    "cdk": {
        "subcommands": "bootstrap, deploy, destroy, diff, import, watch, rollback, gc, drift",
        "values": (
            "-a, --app, -c, --context, -p, --plugin, --profile, -o, --output, -r, --role-arn, "
            "--proxy, --ca-bundle-path"
        ),
        "secrets": {"AWS_ACCESS_KEY_ID": "AWS#username", "AWS_SECRET_ACCESS_KEY": "AWS"},
        "removes": (
            "AWS_SESSION_TOKEN, AWS_SECURITY_TOKEN, AWS_CREDENTIAL_EXPIRATION, AWS_PROFILE, "
            "AWS_DEFAULT_PROFILE, CDK_PROFILE"
        ),
        "beaten_by": "--profile, cdk",
    },
    "eksctl": {
        "subcommands": (
            "associate, create, delete, deregister, disassociate, drain, enable, get, register, "
            "scale, set, unset, update, upgrade, utils"
        ),
        "values": "-C, --color, -v, --verbose",
        "secrets": {"AWS_ACCESS_KEY_ID": "AWS#username", "AWS_SECRET_ACCESS_KEY": "AWS"},
        "removes": "AWS_SESSION_TOKEN, AWS_SECURITY_TOKEN, AWS_CREDENTIAL_EXPIRATION",
        "beaten_by": "--profile",
    },
    "sam": {
        "subcommands": (
            "deploy, delete, list, logs, package, pipeline, publish, remote, sync, traces, "
            "validate"
        ),
        "values": "--config-file, --config-env, --profile, --template, --template-file",
        "secrets": {"AWS_ACCESS_KEY_ID": "AWS#username", "AWS_SECRET_ACCESS_KEY": "AWS"},
        "removes": "AWS_SESSION_TOKEN, AWS_SECURITY_TOKEN, AWS_CREDENTIAL_EXPIRATION",
        "beaten_by": "--profile, sam",
    },
    "doctl": {
        "exceptions": f"{_NEED_NONE}, auth init, auth list, auth remove, auth switch",
        "values": "--context, -c, --config, -t, --access-token, -u, --api-url, -o",
        "secrets": {"DIGITALOCEAN_ACCESS_TOKEN": "DigitalOcean"},
        "beaten_by": "-t, --access-token, doctl",
    },
    "heroku": {
        "exceptions": f"{_NEED_NONE}, auth:login, auth:logout, autocomplete, plugins",
        "secrets": {"HEROKU_API_KEY": "Heroku"},
    },
    "fly": {
        "exceptions": f"{_NEED_NONE}, auth login, auth logout, auth docker, auth signup",
        "secrets": {"FLY_ACCESS_TOKEN": "Fly"},
        "alternatives": "FLY_API_TOKEN",
        "beaten_by": "-t, --access-token",
    },
    "flyctl": {
        "exceptions": f"{_NEED_NONE}, auth login, auth logout, auth docker, auth signup",
        "secrets": {"FLY_ACCESS_TOKEN": "Fly"},
        "alternatives": "FLY_API_TOKEN",
        "beaten_by": "-t, --access-token",
    },
    "hcloud": {
        "subcommands": (
            "all, certificate, datacenter, firewall, floating-ip, image, iso, load-balancer, "
            "load-balancer-type, location, network, placement-group, primary-ip, server, "
            "server-type, ssh-key, storage-box, storage-box-type, volume, zone"
        ),
        "values": "--config, --context, --debug-file, --endpoint, --poll-interval",
        "secrets": {"HCLOUD_TOKEN": "Hetzner"},
    },
    "linode-cli": {
        "exceptions": f"{_NEED_NONE}, plugins",
        "secrets": {"LINODE_CLI_TOKEN": "Linode"},
    },
    "vultr-cli": {
        "exceptions": _NEED_NONE,
        "secrets": {"VULTR_API_KEY": "Vultr"},
    },
    "scw": {
        "exceptions": f"{_NEED_NONE}, init, config, autocomplete",
        "secrets": {"SCW_ACCESS_KEY": "Scaleway#username", "SCW_SECRET_KEY": "Scaleway"},
    },
    "wrangler": {
        "subcommands": (
            "ai, ai-search, browser, cert, cloudchamber, containers, d1, delete, deploy, "
            "deployments, dispatch-namespace, email, hyperdrive, kv, mtls-certificate, pages, "
            "pipelines, preview, queues, r2, rollback, secret, secrets-store, tail, triggers, "
            "tunnel, vectorize, versions, vpc, whoami, workflows"
        ),
        "values": "-c, --config, --cwd, -e, --env, --env-file",
        "secrets": {"CLOUDFLARE_API_TOKEN": "Cloudflare"},
        "alternatives": "CF_API_TOKEN",
        "removes": "CLOUDFLARE_API_KEY, CLOUDFLARE_EMAIL, CF_API_KEY, CF_EMAIL",
    },
    "fastly": {
        "exceptions": f"{_NEED_NONE}, auth, profile, sso",
        "secrets": {"FASTLY_API_TOKEN": "Fastly"},
        "beaten_by": "-t, --token, -o, --profile",
    },
    "vercel": {
        "exceptions": _NEED_NONE,
        "secrets": {"VERCEL_TOKEN": "Vercel"},
        "removes": "VERCEL_AUTH_TOKEN",
        "beaten_by": "-t, --token",
    },
    "netlify": {
        "exceptions": _NEED_NONE,
        "secrets": {"NETLIFY_AUTH_TOKEN": "Netlify"},
        "beaten_by": "--auth",
    },
    # The host is part of the variable's name, with '_' for '.'. Another host has another variable.
    "terraform": {
        "subcommands": (
            "apply, console, destroy, force-unlock, get, graph, import, init, output, plan, "
            "providers, query, refresh, show, state, taint, test, untaint, workspace"
        ),
        "secrets": {"TF_TOKEN_app_terraform_io": "Terraform"},
    },
    # Operations.
    "vault": {
        "subcommands": (
            "audit, auth, debug, delete, events, kv, lease, list, monitor, namespace, operator, "
            "patch, path-help, pki, plugin, policy, read, secrets, ssh, token, transform, "
            "transit, unwrap, version-history, write"
        ),
        "secrets": {"VAULT_TOKEN": "Vault"},
    },
    "argocd": {
        "subcommands": "account, admin, app, appset, cert, cluster, gpgkey, proj, repo, repocreds",
        "values": (
            "--argocd-context, --auth-token, --client-crt, --client-crt-key, --config, "
            "--controller-name, --grpc-web-root-path, -H, --header, --http-retry-max, "
            "--kube-context, --logformat, --loglevel, --port-forward-namespace, "
            "--redis-compress, --redis-haproxy-name, --redis-name, --repo-server-name, --server, "
            "--server-crt, --server-name"
        ),
        "secrets": {"ARGOCD_AUTH_TOKEN": "Argo CD"},
        "beaten_by": "--auth-token",
    },
    "sentry-cli": {
        "exceptions": _NEED_NONE,
        "secrets": {"SENTRY_AUTH_TOKEN": "Sentry"},
        "removes": "SENTRY_API_KEY",
        "beaten_by": "--auth-token, --api-key",
    },
    "snyk": {
        "exceptions": f"{_NEED_NONE}, auth, config",
        "secrets": {"SNYK_TOKEN": "Snyk"},
        "removes": "SNYK_OAUTH_TOKEN, SNYK_DOCKER_TOKEN",
    },
    "stripe": {
        "exceptions": f"{_NEED_NONE}, config",
        "secrets": {"STRIPE_API_KEY": "Stripe"},
    },
    "twilio": {
        "exceptions": (
            f"{_NEED_NONE}, autocomplete, config, plugins, profiles:create, profiles:add, "
            "profiles:remove, profiles:use"
        ),
        "secrets": {
            "TWILIO_ACCOUNT_SID": "Twilio account", "TWILIO_API_KEY": "Twilio#username",
            "TWILIO_API_SECRET": "Twilio",
        },
        "removes": "TWILIO_AUTH_TOKEN",
        "beaten_by": "-p, --profile",
    },
    # `ngrok api` uses a separate key.
    "ngrok": {
        "subcommands": "http, start, tcp, tls, tunnel",
        "secrets": {"NGROK_AUTHTOKEN": "ngrok"},
    },
    "doppler": {
        "subcommands": "activity, configs, environments, me, projects, run, secrets, settings",
        "values": (
            "--api-host, --attempts, --config-dir, --configuration, --dashboard-host, "
            "--dns-resolver-address, --dns-resolver-proto, --dns-resolver-timeout, --scope, -t, "
            "--timeout, --token"
        ),
        "secrets": {"DOPPLER_TOKEN": "Doppler"},
        "beaten_by": "-t, --token",
    },
    "eas": {
        "exceptions": f"{_NEED_NONE}, autocomplete",
        "secrets": {"EXPO_TOKEN": "Expo"},
    },
    # It refuses to run if two kinds of credentials are set.
    "databricks": {
        "exceptions": f"{_NEED_NONE}, auth login, auth profiles",
        "secrets": {"DATABRICKS_TOKEN": "Databricks"},
        "removes": (
            "DATABRICKS_CLIENT_ID, DATABRICKS_CLIENT_SECRET, DATABRICKS_USERNAME, "
            "DATABRICKS_PASSWORD"
        ),
        "beaten_by": "-p, --profile",
    },
    # AI services.
    "openai": {
        "exceptions": _NEED_NONE,
        "secrets": {"OPENAI_API_KEY": "OpenAI"},
        "beaten_by": "-k, --api-key",
    },
    "llm": {
        "exceptions": f"{_NEED_NONE}, keys, install, plugins, uninstall",
        "secrets": {"OPENAI_API_KEY": "OpenAI"},
        "beaten_by": "--key, llm",
    },
    "gemini": {
        "exceptions": _NEED_NONE,
        "secrets": {"GEMINI_API_KEY": "Gemini"},
        "removes": "GOOGLE_API_KEY",
        "beaten_by": "gemini",
    },
    "hf": {
        "subcommands": (
            "auth whoami, buckets, collections, cp, datasets, discussions, download, endpoints, "
            "jobs, lfs-multipart-upload, models, papers, repo, repo-files, repos, sandbox, "
            "spaces, sync, upload, upload-large-folder, webhooks"
        ),
        "secrets": {"HF_TOKEN": "Hugging Face"},
        "removes": "HUGGING_FACE_HUB_TOKEN",
        "beaten_by": "--token",
    },
    "huggingface-cli": {
        "subcommands": (
            "download, lfs-multipart-upload, repo, repo-files, tag, upload, upload-large-folder, "
            "whoami"
        ),
        "secrets": {"HF_TOKEN": "Hugging Face"},
        "removes": "HUGGING_FACE_HUB_TOKEN",
        "beaten_by": "--token",
    },
    "wandb": {
        "subcommands": (
            "agent, artifact, beta, controller, docker-run, init, job, launch, launch-agent, "
            "launch-sweep, projects, pull, restore, scheduler, sweep, sync, verify"
        ),
        "secrets": {"WANDB_API_KEY": "Weights & Biases"},
    },
    # Databases. -h is the host, except for influx.
    "psql": {
        "values": (
            "-h, -p, -U, -d, --dbname, -c, --command, -f, --file, -v, --set, --variable, -o, "
            "--output, -L, -F, -P, --pset, -R, -T"
        ),
        "secrets": {"PGPASSWORD": "PostgreSQL"},
        "beaten_by": "libpq",
    },
    "pg_dump": {
        "values": "-h, -p, -U, -d, --dbname, -f, --file, -F, -j, -n, -N, -t, -T, -e, -E, -S, -Z",
        "secrets": {"PGPASSWORD": "PostgreSQL"},
        "beaten_by": "libpq",
    },
    "pg_dumpall": {
        "values": "-h, -p, -U, -d, --dbname, -l, -f, --file, -E, -S",
        "secrets": {"PGPASSWORD": "PostgreSQL"},
        "beaten_by": "libpq",
    },
    "pg_restore": {
        "values": "-h, -p, -U, -d, --dbname, -f, --file, -F, -I, -j, -L, -n, -N, -P, -S, -t, -T",
        "secrets": {"PGPASSWORD": "PostgreSQL"},
        "beaten_by": "libpq",
    },
    # pgcli would store the password in the keychain.
    "pgcli": {
        "values": "-h, -p, -U, -u, -D, --dsn, --pgclirc, -d, --dbname",
        "secrets": {"PGPASSWORD": "PostgreSQL"},
        "env": {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"},
        "beaten_by": "pgcli",
    },
    "mysql": {
        "values": (
            "-h, -u, -P, -D, -e, -S, --defaults-file, --defaults-extra-file, "
            "--defaults-group-suffix"
        ),
        "secrets": {"MYSQL_PWD": "MySQL"},
        "beaten_by": "mysql",
    },
    "mysqldump": {
        "values": (
            "-h, -u, -P, -S, -r, -w, -T, --defaults-file, --defaults-extra-file, "
            "--defaults-group-suffix"
        ),
        "secrets": {"MYSQL_PWD": "MySQL"},
        "beaten_by": "mysql",
    },
    "mariadb": {
        "values": (
            "-h, -u, -P, -D, -e, -S, --defaults-file, --defaults-extra-file, "
            "--defaults-group-suffix"
        ),
        "secrets": {"MYSQL_PWD": "MariaDB"},
        "beaten_by": "mysql",
    },
    "mariadb-dump": {
        "values": (
            "-h, -u, -P, -S, -r, -w, -T, --defaults-file, --defaults-extra-file, "
            "--defaults-group-suffix"
        ),
        "secrets": {"MYSQL_PWD": "MariaDB"},
        "beaten_by": "mysql",
    },
    "redis-cli": {
        "values": "-h, -p, -s, -a, -u, -r, -i, -n, -d, -D, --user, --pass",
        "secrets": {"REDISCLI_AUTH": "Redis"},
        "beaten_by": "redis",
    },
    "influx": {
        "subcommands": (
            "apply, auth, backup, bucket, bucket-schema, delete, export, org, query, remote, "
            "replication, restore, scripts, secret, server-config, stacks, task, telegrafs, "
            "template, user, v1, write"
        ),
        "secrets": {"INFLUX_TOKEN": "InfluxDB"},
        "beaten_by": "-t, --token",
    },
    "snowsql": {
        "values": "-h",
        "secrets": {"SNOWSQL_PWD": "Snowflake"},
    },
    "sqlcmd": {
        "values": "-h, -S, -U, -P, -d, -i, -o, -q, -Q, -v, -t, -l, -w, -s, -H",
        "secrets": {"SQLCMDPASSWORD": "SQL Server"},
        "beaten_by": "-P",
    },
    # Backups.
    "restic": {
        "subcommands": (
            "backup, cat, check, copy, diff, dump, find, forget, init, key, list, ls, migrate, "
            "mount, prune, rebuild-index, recover, repair, restore, rewrite, snapshots, stats, "
            "tag, unlock"
        ),
        "values": (
            "-r, --repo, --repository-file, -p, --password-file, --password-command, -o, "
            "--option, --cacert, --cache-dir, --compression, --http-user-agent, --key-hint, "
            "--limit-download, --limit-upload, --pack-size, --retry-lock, "
            "--stuck-request-timeout, --tls-client-cert"
        ),
        "secrets": {"RESTIC_PASSWORD": "restic"},
        "removes": "RESTIC_PASSWORD_FILE, RESTIC_PASSWORD_COMMAND",
        "beaten_by": "-p, --password-file, --password-command, --insecure-no-password",
    },
    "borg": {
        "subcommands": (
            "analyze, benchmark, check, compact, create, delete, diff, export-tar, extract, "
            "import-tar, info, init, key, list, mount, prune, recreate, rename, repo-compress, "
            "repo-create, repo-delete, repo-info, repo-list, repo-space, tag, transfer, "
            "undelete, upgrade, with-lock"
        ),
        "values": (
            "-r, --repo, --debug-profile, --debug-topic, --lock-wait, --remote-buffer, "
            "--remote-path, --remote-ratelimit, --rsh, --socket, --umask, --upload-buffer, "
            "--upload-ratelimit"
        ),
        "secrets": {"BORG_PASSPHRASE": "Borg"},
        "removes": "BORG_PASSCOMMAND, BORG_PASSPHRASE_FD",
    },
    "rclone": {
        "exceptions": _NEED_NONE,
        "secrets": {"RCLONE_CONFIG_PASS": "rclone"},
        "removes": "RCLONE_PASSWORD_COMMAND",
        "beaten_by": "--password-command",
    },
    "duplicity": {
        "secrets": {"PASSPHRASE": "duplicity"},
    },
}

#: The options of publishing tools that have a value. A configuration can add more, and can't remove
#: these: a value that was read as a word would hide the subcommand. They are texts, because every
#: start loads them, and a run needs those of one tool.
OPTIONS: dict[str, str] = {
    "twine": (
        "-r --repository --repository-url --config-file --sign-with -i --identity -u --username "
        "-p --password -c --comment --cert --client-cert"
    ),
    "uv": (
        "--index --publish-url --directory --project --trusted-host --preview-feature "
        "--python-preference -u --username -p --password -t --token --trusted-publishing "
        "--keyring-provider --check-url --cache-dir --color --allow-insecure-host --config-file "
        "--python-fetch --preview-features"
    ),
    "flit": "--repository --pypirc -f --ini-file --format",
    "hatch": (
        "-r --repo -p --project -e --env --data-dir --cache-dir --config -u --user -a --auth "
        "--ca-cert --client-cert --client-key --publisher -o --option"
    ),
    "poetry": (
        "-r --repository -C --directory -P --project --dist-dir -u --username -p --password "
        "--cert --client-cert"
    ),
    "pdm": (
        "-r --repository -p --project -d --dest -c --config -k --skip -u --username -P --password "
        "-i --identity --comment --ca-certs"
    ),
    "demo_upload": "--to",
    "cargo": (
        "--registry --index --token -p --package --exclude -F --features -j --jobs --target "
        "--target-dir -m --manifest-path -a --add -r --remove --version --vers --color --config "
        "-Z -C"
    ),
    "maturin": (
        "-r --repository --repository-url -m --manifest-path --manylinux -u --username -p "
        "--password -i --interpreter -b --bindings --compatibility --auditwheel -o --out "
        "--sbom-include --color --config -Z --compression-method --compression-level -j --jobs "
        "--profile --target --target-dir -F --features"
    ),
    "npm": (
        "--also --audit-level --auth-type --before --ca --cache-max --cache-min --cafile --call "
        "--cert --cidr --cpu --depth --diff --diff-dst-prefix --diff-src-prefix --diff-unified "
        "--editor --expect-result-count --fetch-retries --fetch-retry-factor "
        "--fetch-retry-maxtimeout --fetch-retry-mintimeout --fetch-timeout --git --heading "
        "--https-proxy --include --init-author-email --init-author-name --init-author-url "
        "--init-license --init-module --init-version --init.author.email --init.author.name "
        "--init.author.url --init.license --init.module --init.version --install-strategy --key "
        "--libc --local-address --location --lockfile-version --logs-dir --logs-max --maxsockets "
        "--message --node-options --noproxy --omit --only --os --pack-destination --package "
        "--preid --provenance-file --proxy --replace-registry-host --save-prefix --sbom-format "
        "--sbom-type --script-shell --searchexclude --searchlimit --searchopts --searchstaleness "
        "--shell --tag-version-prefix --umask --user-agent --viewer --which --enjoy-by --reg -L "
        "-m -c --registry --prefix -C -w --workspace --userconfig --globalconfig --cache "
        "--loglevel --scope --otp --tag --access"
    ),
}
# fmt: on

#: The publishing tools whose users may give a call a name of their own: an alias.
ALIASED = ("cargo",)

#: The keys of a row whose value is a list.
_LISTS = ("alternatives", "beaten_by", "blanks", "exceptions", "removes", "subcommands", "values")


def row(name: str) -> dict[str, object]:
    """The row of a command, in the schema of the configuration."""
    return {
        key: value.split(", ") if isinstance(value, str) and key in _LISTS else value
        for key, value in COMMANDS[name].items()
    }
