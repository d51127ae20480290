"""The README for the index, with links into the repository made absolute."""

import re

# An image's exclamation mark, and where an inline link of Markdown leads.
LINK = re.compile(r"(!?\[(?:[^\[\]]|\[[^\]]*\])*\])\((?!https?://|mailto:|#)([^)\s]+)\)")


def for_the_index(text: str, repository: str, tag: str) -> str:
    """Return a README whose links into the repository are absolute, at the tag of a release."""

    def whole(link: re.Match[str]) -> str:
        label, target = link.groups()
        kind = "raw" if label.startswith("!") else "blob"
        return f"{label}({repository}/{kind}/{tag}/{target})"

    return LINK.sub(whole, text)
