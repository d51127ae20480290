"""A command line for Windows, where a program is started with one text instead of a list of arguments."""


def command_line(arguments: "list[str]") -> str:
    """Write arguments so that a program's C or Rust runtime reads the same ones.

    The rules are those of the Microsoft C runtime (Parsing C command-line arguments). `subprocess`
    has the same, at the price of an import that takes longer than the rest of a start.
    """
    return " ".join(map(_quoted, arguments))


def _quoted(argument: str) -> str:
    result, backslashes = "", 0
    for char in argument:
        if char == "\\":
            backslashes += 1
            continue
        if char == '"':
            # Backslashes are themselves, except before a quote, where each one takes another.
            backslashes = 2 * backslashes + 1
        result += "\\" * backslashes + char
        backslashes = 0
    if argument and " " not in argument and "\t" not in argument:
        return result + "\\" * backslashes
    # The closing quote is one too.
    return '"' + result + "\\" * (2 * backslashes) + '"'
