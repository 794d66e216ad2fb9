"""otowake methods: every named algorithm, and what it takes."""

import json
import shutil
import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from otowake.recipes import Recipe


TAKES = {
    "one": "one channel",
    "square": "as many channels as sources",
    "more": "more channels than sources",
    "any": "two channels or more, and any number of sources",
}


def methods(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="One method in detail.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the methods, or describe one.

    Example: otowake methods ilrma
    """
    from otowake.recipes import RECIPES

    if name is None:
        every = [{"name": r.name, "summary": r.summary, "good_for": r.good_for} for r in RECIPES.values()]
        typer.echo(json.dumps(every, indent=2) if as_json else _table(every))
    else:
        from otowake.spec import recipe

        one = _described(recipe(name))
        typer.echo(json.dumps(one, indent=2) if as_json else _page(one))


def _described(recipe: "Recipe") -> dict[str, Any]:
    from otowake.spec import describe

    parameters = [
        {"name": p.name, "type": p.type_text, "default": p.default_text, "meaning": p.meaning} for p in describe(recipe)
    ]
    return {
        "name": recipe.name,
        "summary": recipe.summary,
        "good_for": recipe.good_for,
        "takes": TAKES[recipe.takes],
        "iterations": recipe.iterations,
        "frame_seconds": recipe.frame,
        "parameters": parameters,
        "citation": recipe.citation,
        "example": _example(recipe, parameters),
    }


def _example(recipe: "Recipe", parameters: list[dict[str, Any]]) -> str:
    sources = " --sources 2" if recipe.takes in ("more", "any") else ""
    setting = f" --set {parameters[0]['name']}={parameters[0]['default']}" if parameters else ""
    return f"otowake separate mixture.wav --method {recipe.name}{sources}{setting}"


def _table(every: list[dict[str, str]]) -> str:
    width = max(len(one["name"]) for one in every) + 2
    rows = [_beside(one["name"], one["good_for"], width) for one in every]
    return "\n".join([*rows, "", "More about one: otowake methods NAME"])


def _page(one: dict[str, Any]) -> str:
    width = max((len(p["name"]) for p in one["parameters"]), default=0) + 4
    parameters = [_beside(f"  {p['name']}", _parameter(p), width) for p in one["parameters"]]
    parts = [
        _wrapped(f"{one['name']}: {one['summary']}"),
        _wrapped(f"Good for: {one['good_for']}"),
        f"Takes {one['takes']}; {one['iterations']} iterations and an STFT frame of about {one['frame_seconds']:g} s "
        "unless told otherwise.",
        "\n".join(["Parameters (--set NAME=VALUE):", *parameters]) if parameters else "No parameters.",
        _wrapped(f"Source: {one['citation']}"),
        f"Example: {one['example']}",
    ]
    return "\n\n".join(parts)


def _parameter(parameter: dict[str, str]) -> str:
    kind = f"({parameter['type']}; default {parameter['default']})"
    return f"{parameter['meaning'].rstrip('.')} {kind}".strip()


def _beside(name: str, text: str, width: int) -> str:
    return _wrapped(text, f"{name:<{width}}", " " * width)


def _wrapped(text: str, first: str = "", other: str = "") -> str:
    columns = min(max(shutil.get_terminal_size((100, 24)).columns, 40), 110)
    return textwrap.fill(text, columns, initial_indent=first, subsequent_indent=other, break_on_hyphens=False)
