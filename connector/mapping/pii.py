"""Direct personal data by name: what is, or looks like, an email address or a phone number."""

from __future__ import annotations

import re

_EMAIL = {"mail", "mails", "courriel", "correo"}
_EMAIL_TOGETHER = ("email", "mailaddress", "mailaddr")
_PHONE = {
    "phone", "phones", "telephone", "telefon", "telefono", "telefone", "msisdn", "cellphone",
    "whatsapp",
}  # fmt: skip
_PHONE_AT_THE_END = {"mobile", "tel", "cell", "fax"}
"""`user_mobile` is a number to call, `mobile_orders` is not."""
_PHONE_TOGETHER = (
    "phonenumber", "phonenum", "phoneno", "telno", "telnumber", "mobilenumber", "mobileno",
    "mobilephone", "cellnumber", "cellno", "contactnumber", "contactno", "telefonnummer",
    "handynummer", "rufnummer",
)  # fmt: skip
_ABOUT = {
    "allowed", "app", "at", "bounced", "brand", "campaign", "campaigns", "click", "clicked",
    "clicks", "consent", "count", "enabled", "frequency", "has", "hash", "hashed", "is",
    "marketing", "md", "model", "newsletter", "notification", "notifications", "open", "opened",
    "opens", "opt", "optin", "optout", "os", "permission", "platform", "preference", "sent",
    "sha", "status", "subscribed", "subscription", "template", "type", "unsubscribed",
    "validated", "verified",
}  # fmt: skip
"""Words that make a name say something about mail or telephones, and not be an address."""

ADDRESS = r"[^\s@\"'<>,;:()\[\]]@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
"""What an e-mail address looks like within a text, for DuckDB's regular expressions (RE2)."""

PHONE_NUMBER = (
    r"(^|[^\w.])(\+[1-9][0-9 ().-]{6,16}[0-9]|\(?[0-9]{3}\)?[ .-][0-9]{3}[ .-][0-9]{4})($|[^\w.-])"
)
"""What a telephone number looks like: with its leading plus, or written in groups."""

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
_LITERAL = re.compile(
    r"'(?:[^']|'')*'|\$\$.*?\$\$|--[^\n]*|/\*.*?\*/|\"(?:[^\"]|\"\")*\"", re.DOTALL
)
_IDENTIFIER = re.compile(r"\"(?:[^\"]|\"\")*\"|[^\W\d]\w*")


def looks_direct(name: str) -> bool:
    """Whether a column or field of this name would hold an email address or a phone number.

    In doubt it does: `pii: allow` is one word, a leaked address cannot be taken back.
    """
    spelled = re.sub(r"(?i)(?<![a-z])e[-_ ]+mail", "email", name)
    words = [word.lower() for word in _WORDS.findall(spelled)]
    if not words or _ABOUT & set(words):
        return False
    return (
        bool(_EMAIL & set(words))
        or any(each in word for word in words for each in _EMAIL_TOGETHER)
        or any(each in "".join(words) for each in _EMAIL_TOGETHER[1:])
        or _is_phone(words)
    )


def names_phone(text: str) -> bool:
    """Whether a name or an expression speaks of a phone number: it is hashed by its digits."""
    names = _IDENTIFIER.findall(_LITERAL.sub(_keep_names, text))
    return any(_is_phone([word.lower() for word in _WORDS.findall(name)]) for name in names)


def _is_phone(words: list[str]) -> bool:
    return bool(words) and (
        bool(_PHONE & set(words))
        or words[-1] in _PHONE_AT_THE_END
        or any(each in "".join(words) for each in _PHONE_TOGETHER)
    )


def direct_name_in(expression: str) -> str | None:
    """The first name in an expression that looks like direct personal data; None when none does.

    Text in quotes is data and does not count, except where it names something: the key of a struct,
    the key or path by which a value is taken out of JSON.
    """
    without = _LITERAL.sub(_keep_names, expression)
    for match in _IDENTIFIER.finditer(without):
        name = match[0].strip('"')
        if looks_direct(name):
            return name
    return None


def _keep_names(match: re.Match[str]) -> str:
    literal = match[0]
    if literal.startswith('"'):
        return literal
    if not literal.startswith("'"):
        return " "
    before = match.string[: match.start()].rstrip()
    after = match.string[match.end() :].lstrip()
    content = literal[1:-1]
    names_something = (
        before.endswith(("->", "->>", "[")) or after.startswith(":") or content.startswith("$.")
    )
    return f" {content} " if names_something and not after.startswith("::") else " "
