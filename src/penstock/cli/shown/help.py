"""How commands speak to people: plain help, `-h` too, and errors that name their own options."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from penstock.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable

# Fields of the API that a command calls otherwise.
_PARAMETERS = {
    "interval_minutes": "every",
    "start": "since",
    "end": "until",
    "symbol": "symbols",
    "symbols": "symbol",
    "timeframe": "timeframes",
    "timeframes": "timeframe",
    "q": "text",
}

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


class Argument(TyperArgument):
    """An argument that shows its name alone, in the usage as `NAME`, `[NAME]` or `NAME...`."""

    def display_type_rich(self, ctx: object) -> None:
        """Shows no type: the name is enough."""

    def get_usage_pieces(self, ctx: object) -> list[str]:  # noqa: ARG002 - typer's signature
        name = self.display_name_raw + ("..." if self.nargs != 1 else "")
        return [name if self.required else f"[{name}]"]


class Command(TyperCommand):
    """A command of Penstock."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.help = _laid_out(self.help)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's type is private
        return _plain(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - typer's types are private
        """Run the command; an error about a field of the API names the option it came from."""
        try:
            return super().invoke(ctx)
        except InvalidInputError as error:
            refusal = InvalidInputError(self._in_its_words(error), field=error.field)
            for line in getattr(error, "__notes__", ()):
                refusal.add_note(line)
            raise refusal from error

    def _in_its_words(self, error: InvalidInputError) -> str:
        shown = {parameter.name: _shown_name(parameter) for parameter in self.params}
        message = str(error)
        for field, parameter in _PARAMETERS.items():
            if parameter in shown and "_" in field:
                message = message.replace(field, shown[parameter])
        for field in (error.field, _PARAMETERS.get(error.field, "")):
            name = shown.get(field.replace("-", "_"))
            if name and message.startswith(f"{error.field}: "):
                return name + message.removeprefix(error.field)
        return message


class Group(TyperGroup):
    """A group of commands."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.help = _laid_out(self.help)

    def get_params(self, ctx: Any) -> list[Any]:  # noqa: ANN401 - typer's type is private
        return _plain(super().get_params(ctx))


class Commands(typer.Typer):
    """Where commands are declared.

    `about` is the help of their group; a group without it has a callback that does something.
    """

    def __init__(self, about: str | None = None) -> None:
        help_first: dict[str, Any] = {} if about is None else {"help": about}
        super().__init__(
            cls=Group,
            no_args_is_help=about is not None,
            add_completion=False,
            rich_markup_mode="rich",
            **help_first,
        )

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        return super().command(name, cls=Command, **options)


def _plain(parameters: list[Any]) -> list[Any]:
    """The parameters, without the types of Python in their help."""
    for parameter in parameters:
        if isinstance(parameter, TyperArgument):
            parameter.__class__ = Argument
        elif isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
    return parameters


def _laid_out(text: str | None) -> str:
    """Help whose paragraphs are lines, while examples keep their lines and their indentation."""
    first, *others = inspect.cleandoc(text or "").split("\n\n")
    paragraphs = [one if one.startswith("Examples:") else " ".join(one.split()) for one in others]
    if others and others[0].startswith("Examples:"):
        # typer dedents the rest by all of its lines but the first.
        paragraphs.insert(0, "")
    return "\n\n".join([first, *paragraphs])


def _shown_name(parameter: Any) -> str:  # noqa: ANN401 - typer's type is private
    if isinstance(parameter, TyperArgument):
        return parameter.display_name_raw
    name: str = max(parameter.opts, key=len)
    return name
