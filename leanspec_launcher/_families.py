"""The one table of families: a program of LeanSpec, and how its parts are called."""


class Family:
    """Hold the names of one program's parts."""

    __slots__ = ("answers", "extra", "name", "program", "typescript")

    def __init__(
        self, name: str, program: str, *, extra: str = "", answers: "tuple[str, ...]" = (), typescript: str = ""
    ) -> None:
        self.name = name
        # The executable's name without `.exe`, and the command that starts it.
        self.program = program
        # The extra of `lean-spec` that brings it; empty where it comes by itself.
        self.extra = extra
        # Arguments that, alone, the launcher answers because the binary cannot: the one exception to the launch
        # contract. `leanspec-mcp` 0.3.0 knows no argument at all and waits for its standard input instead.
        self.answers = answers
        # The npm package and version of its last release in TypeScript, which the whole of 0.3 can still start.
        self.typescript = typescript

    @property
    def package(self) -> str:
        """The import package that carries the executable."""
        return f"leanspec_{self.name}_bin"

    @property
    def distribution(self) -> str:
        """The distribution that carries the import package."""
        return f"leanspec-{self.name}-bin"

    @property
    def variable(self) -> str:
        """The environment variable that names another executable."""
        return f"LEANSPEC_{self.name.upper()}_BINARY"

    @property
    def requirement(self) -> str:
        """What a user installs to get it, without a version."""
        return f"lean-spec[{self.extra}]" if self.extra else "lean-spec"


FAMILIES = {
    family.name: family
    for family in (
        Family("cli", "leanspec", typescript="lean-spec@0.2.9"),
        Family("mcp", "leanspec-mcp", answers=("--version", "--help")),
        Family("http", "leanspec-http", extra="ui"),
    )
}
