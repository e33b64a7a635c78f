"""References: the names by which secrets are asked for.

``NAME``, ``NAME#field``, or ``scheme://path[#field]``.
"""

from __future__ import annotations

from .errors import BadReference
from .record import Record
from .text import escape

TYPE_CHECKING = False  # typing's own would load it
if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence

__all__ = [
    "OWN",
    "SHAPES",
    "Reference",
    "is_scheme",
    "looks_secret",
    "parse",
    "parse_name",
    "shape",
    "substitute",
    "variables",
    "without_secrets",
]

#: What follows a token's beginning. A name may begin like a token too, but 12 more characters with
#: a digit among them are unlikely.
_REST = r"(?=[\w+/=.-]{0,255}\d)[\w+/=.-]{12}"

#: The shapes by which services find leaked tokens: the kind, what each token of it contains, and
#: the pattern, if that is not one of these beginnings and :data:`_REST`.
SHAPES: tuple[tuple[str, str, str], ...] = (
    ("PyPI token", "pypi-", r"pypi-[\w-]{12}"),
    ("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", ""),
    ("GitLab token", "glpat- gldt- glrt- glptt- glsoat-", ""),
    ("npm token", "npm_", ""),
    ("cargo token", "cio", ""),
    ("AWS key", "AKIA ASIA", ""),
    ("Slack token", "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xapp-", ""),
    ("Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_ whsec_", ""),
    ("SendGrid key", "SG.", r"SG\.[\w-]{16,99}\.[\w-]{12}"),
    ("Telegram token", ":AA", r"\d{8,10}:AA[\w-]{33}"),
    ("OpenAI, Anthropic or OpenRouter key", "sk-", ""),
    ("Groq key", "gsk_", ""),
    ("xAI key", "xai-", ""),
    ("Google key", "AIza", ""),
    ("Hugging Face token", "hf_", ""),
    ("Replicate token", "r8_", ""),
    ("DigitalOcean token", "dop_v1_ doo_v1_ dor_v1_", ""),
    ("Databricks token", "dapi", r"dapi[0-9a-f]{32}"),
    ("Doppler token", "dp.pt. dp.st. dp.ct. dp.sa.", ""),
    ("Vault token", "hvs. hvb. hvr.", ""),
    ("Pulumi token", "pul-", r"pul-[0-9a-f]{40}"),
    ("Docker token", "dckr_pat_ dckr_oat_", ""),
    ("Sentry token", "sntrys_ sntryu_", ""),
    ("Linear key", "lin_api_", ""),
    ("Postman key", "PMAK-", ""),
    ("Tailscale key", "tskey-", ""),
    ("New Relic key", "NRAK-", ""),
    ("key in PEM", "-----BEGIN", "-----BEGIN "),
    ("JSON web token", "eyJ", r"eyJ[\w-]{16,999}\."),
)

#: Each token contains one of these. Most texts don't, and need no pattern: compiling it takes a
#: tenth of a run's time.
_MARKS = tuple(" ".join(marks for _, marks, _ in SHAPES).split())

#: No token is shorter, in characters.
_SHORTEST = 11

#: What most of these have in them, and how long a text is, in characters, in which it is looked for
#: first.
_SEPARATORS, _LONG = frozenset("_-."), 1000


def shape(marks: str, pattern: str) -> str:
    """The pattern of a row of :data:`SHAPES`."""
    import re

    beginnings = "|".join(map(re.escape, marks.split()))
    return rf"(?<![A-Za-z0-9])(?:{pattern or f'(?:{beginnings}){_REST}'})"


_compiled: re.Pattern[str] | None = None


def _pattern() -> re.Pattern[str]:
    global _compiled
    if _compiled is None:
        import re

        shapes = "|".join(shape(marks, pattern) for _, marks, pattern in SHAPES)
        _compiled = re.compile(rf"(?:{shapes})[\w+/=.-]*")
    return _compiled


def looks_secret(text: str) -> bool:
    """Whether *text* contains something that looks like a service's token."""
    if len(text) < _SHORTEST:
        return False
    marks: Sequence[str] = _MARKS
    if len(text) > _LONG:
        absent = {one for one in _SEPARATORS if one not in text}
        marks = [mark for mark in marks if absent.isdisjoint(mark)]
    for mark in marks:
        if mark in text:
            return _pattern().search(text) is not None
    return False


def without_secrets(text: str) -> str:
    """Return *text* with each thing that looks like a service's token replaced by an ellipsis.

    >>> without_secrets("no option pypi-canary-123456")
    'no option …'
    """
    return _pattern().sub("…", text) if looks_secret(text) else text


#: The characters of a scheme that are neither letters nor digits (RFC 3986).
_IN_SCHEMES = dict.fromkeys(map(ord, "+.-"), "x")

#: ``secretly://NAME`` is NAME: a form for places where a plain name would be a plain text.
OWN = "secretly"

#: Not a scheme, because a reference would run the command without the rest of its configuration.
_NOT_A_SCHEME = "command"


def is_scheme(text: str) -> bool:
    """Whether *text* is a valid scheme of a reference.

    >>> is_scheme("op"), is_scheme("my vault")
    (True, False)
    """
    return _has_scheme(f"{text}://") and text.lower() != _NOT_A_SCHEME


def _has_scheme(text: str) -> bool:
    """Whether *text* begins with a scheme, as in a URL (RFC 3986), and its ``://``."""
    scheme, separator, _ = text.partition("://")
    if not separator or not scheme.isascii() or not scheme[:1].isalpha():
        return False
    return scheme.translate(_IN_SCHEMES).isalnum()


class Reference(Record):
    """Where to look for a secret.

    :param scheme: the kind of source (``op``, ``env``…); empty for a plain name.
    :param path: the part after ``scheme://``; for a plain name, the name.
    :param field: the field of the item; empty for the default one.
    """

    scheme: str
    path: str
    field: str = ""

    @property
    def name(self) -> str:
        """The reference without its field."""
        return f"{self.scheme}://{self.path}" if self.scheme else self.path

    @property
    def usual(self) -> str:
        """``"password"``, which is the default, or ``"username"``; empty for any other field."""
        field = self.field.casefold() or "password"
        return field if field in ("password", "username") else ""

    @property
    def is_plain(self) -> bool:
        """Whether it is just a name, under which the keychain can store a secret."""
        return not (self.scheme or self.field)

    def __str__(self) -> str:
        return f"{self.name}#{self.field}" if self.field else self.name


def parse(text: str, environ: Mapping[str, str] | None = None, variable: str = "") -> Reference:
    """Read a reference.

    :param environ: the environment that :func:`substitute` takes variables from; None: they
        stay as they are.
    :param variable: the variable that the secret is for: ``secretly://`` alone names it.
    :raises BadReference: if it is empty, has control characters, or looks like a secret
        (which the message does not repeat).

    >>> parse("PyPI#username")
    Reference(scheme='', path='PyPI', field='username')
    >>> parse("op://Private/PyPI").scheme
    'op'
    >>> parse("secretly://PyPI")
    Reference(scheme='', path='PyPI', field='')
    """
    if not isinstance(text, str):
        raise BadReference(
            f"a reference is text, not {type(text).__name__}", "for example 'PyPI' or 'env://TOKEN'"
        )
    if environ is not None:
        _check_text(text)
        written, text = text, substitute(text, environ)
        _check_text(text, written)
    reference = _parsed.get((text, variable))
    if reference is None:
        if len(_parsed) > 1000:
            _parsed.clear()
        reference = _parsed[text, variable] = _parse(text, variable)
    return reference


#: What was read before: a program may ask for the same name ten thousand times.
_parsed: dict[tuple[str, str], Reference] = {}


def _parse(text: str, variable: str) -> Reference:
    _check_text(text)
    path, _, field = text.partition("#")
    scheme, _, rest = path.partition("://")
    if _has_scheme(path):
        scheme, path = scheme.lower(), rest
    else:
        scheme = ""
    if scheme == OWN:
        scheme, path = "", _own_name(path or variable)
    if not path or ("#" in text and not field):
        raise BadReference(
            f"the reference '{escape(text)}' has no name",
            "a reference is NAME, NAME#field or scheme://path",
        )
    if scheme == _NOT_A_SCHEME:
        raise BadReference(
            "command:// is not a valid reference",
            "write command = [...] under [secrets.NAME], and use NAME",
        )
    return Reference(scheme, path, field)


def _check_text(text: str, written: str = "") -> None:
    """Refuse what can't be a reference, whatever it says.

    :param written: the reference with its variables, for messages: a value may be a secret.
    """
    if looks_secret(text):
        raise BadReference(
            "this looks like a secret, not like the name of one",
            "give a name, such as 'PyPI'; 'secretly set NAME' asks for the secret itself",
        )
    odd = "" if text.isprintable() else text  # no control character is printable
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in odd) or text != text.strip():
        raise BadReference(
            f"the reference '{escape(written or text)}' has control characters, or white space "
            "around it",
            "a reference is NAME, NAME#field or scheme://path",
        )


def _own_name(name: str) -> str:
    """The NAME of ``secretly://NAME``, which must be a plain one."""
    if _has_scheme(name) or name != name.strip():
        raise BadReference(
            f"secretly:// takes a plain name, not '{escape(name)}'", f"write {escape(name.strip())}"
        )
    return name


#: A variable in a reference, as shells and 1Password's program write it; or a lone dollar.
_VARIABLE = r"\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}$]*))?\}|)"


def variables(text: str) -> set[str]:
    """The names of the variables in a text, as :func:`substitute` reads them.

    >>> variables("op://$STAGE/${X:-a}/$$y") == {"STAGE", "X"}
    True
    """
    if "$" not in text:
        return set()
    import re

    return {found[2] or found[3] for found in re.finditer(_VARIABLE, text)} - {None, ""}


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Replace ``$NAME``, ``${NAME}`` and ``${NAME:-default}`` in a reference with a scheme.

    ``$$`` is a dollar. A plain name stays as it is.

    :raises BadReference: for a variable that is not set or is empty and has no default, and
        for a dollar that begins none of these.

    >>> substitute("op://${STAGE:-dev}/$$x", {})
    'op://dev/$x'
    """
    if "$" not in text or not _has_scheme(text):
        return text
    import re

    named = re.fullmatch(r"(?i)env://\$\{?([A-Z_][A-Z0-9_]*)\}?(?:#.*)?", text)
    if named and named[1] in environ and environ[named[1]] not in environ:
        # The value is not the name of a variable, but most likely the secret itself.
        raise BadReference(
            f"the reference '{escape(text)}' has a dollar before the name of the variable",
            f"write env://{named[1]}",
        )

    def value(found: re.Match[str]) -> str:
        dollar, name, default = found[1], found[2] or found[3], found[4]
        if dollar:
            return dollar
        if name and (environ.get(name) or default is not None):
            return environ.get(name) or default
        what = f"needs ${name}, which is not set" if name else "has a dollar that names no variable"
        fix = f"export {name} first, or write ${{{name}:-default}}; " if name else ""
        raise BadReference(f"the reference '{escape(text)}' {what}", f"{fix}write $$ for a dollar")

    return re.sub(_VARIABLE, value, text)


def parse_name(text: str) -> str:
    """Read a plain name.

    :raises BadReference: if it is not one: see :attr:`Reference.is_plain`.

    >>> parse_name("PyPI")
    'PyPI'
    """
    reference = parse(text)
    if not reference.is_plain:
        raise BadReference(
            f"'{escape(text)}' is not a plain name", "use a name without :// and #, such as PyPI"
        )
    return reference.path
