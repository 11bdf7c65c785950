"""What a route does with a series: five kinds of actions, checked when saved."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from rounds_hub.access import audience
from rounds_hub.errors import InvalidError, NotFoundError
from rounds_hub.gateway.nodes import find_node
from rounds_hub.routing import names
from rounds_hub.routing.names import Kind
from rounds_hub.runs import templates

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rounds_hub.house import House
    from rounds_hub.routing.facts import Facts
    from rounds_hub.runs.schema import Input

__all__ = [
    "MOST_ACTIONS",
    "Action",
    "CaseAction",
    "HoldAction",
    "LabelAction",
    "RunAction",
    "SendAction",
    "checked_actions",
    "filled",
    "input_of",
    "read_action",
]

MOST_ACTIONS: Final = 10
_PLACE = re.compile(r"\{([A-Za-z]\w*)\}")
Word = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^,\x00-\x1f]*$"
    ),
]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class _Action(BaseModel):
    """What all actions share: nothing undeclared, nothing changed later."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CaseAction(_Action):
    """Put the series into a draft of a case, one for each study.

    Texts may hold ``{Keyword}`` for a tag or a fact of the series.
    """

    kind: Literal["case"] = "case"
    owner: Word
    audience: list[Word] = Field(default_factory=list, max_length=50)
    title: Annotated[Line, Field(min_length=1)] = "{StudyDescription}"
    history: str = Field("", max_length=4000)
    level: Literal["primary", "intermediate", "advanced"] = "primary"
    language: str = Field("en", pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$")


class RunAction(_Action):
    """Run a template on the series."""

    kind: Literal["run"] = "run"
    template: Word
    parameters: dict[str, Any] = Field(default_factory=dict)


class SendAction(_Action):
    """Send the series to a node."""

    kind: Literal["send"] = "send"
    node: Word


class LabelAction(_Action):
    """Put a label on the series, by which it is found."""

    kind: Literal["label"] = "label"
    label: Word


class HoldAction(_Action):
    """Hide the series from all but administrators until one of them releases it."""

    kind: Literal["hold"] = "hold"
    reason: Line = ""


Action: TypeAlias = Annotated[
    CaseAction | RunAction | SendAction | LabelAction | HoldAction,
    Field(discriminator="kind"),
]
_ONE: Final[TypeAdapter[Action]] = TypeAdapter(Action)


def read_action(kept: object) -> Action:
    """Return the action that a route keeps as JSON.

    Raises
    ------
    InvalidError
        If it is none; *problems* has each field.
    """
    try:
        return _ONE.validate_python(kept)
    except ValidationError as error:
        problems = {
            ".".join(map(str, one["loc"][1:])) or "kind": str(one["msg"])
            for one in error.errors()
        }
        named = "; ".join(f"{name}: {why}" for name, why in sorted(problems.items()))
        msg = f"The action cannot be used. {named}."
        raise InvalidError(msg, problems) from error


def checked_actions(house: House, given: Sequence[object]) -> list[dict[str, Any]]:
    """Return the actions of a route as it keeps them, in their order.

    Templates, parameters, nodes and audiences have to be there now.

    Raises
    ------
    InvalidError
        If there is none, or any cannot be done; *problems* has each by its place.
    """
    if not 1 <= len(given) <= MOST_ACTIONS:
        msg = f"A route has 1 to {MOST_ACTIONS} actions, not {len(given)}."
        raise InvalidError(msg, {"actions": msg})
    kept: list[dict[str, Any]] = []
    problems: dict[str, str] = {}
    for number, one in enumerate(given):
        try:
            action = read_action(one)
            kept.append(_CHECKS[action.kind](house, action))
        except InvalidError as error:
            found = error.problems or {"": str(error)}
            problems |= {
                f"actions.{number}.{name}".rstrip("."): why
                for name, why in found.items()
            }
    if problems:
        msg = f"The actions cannot be done. {' '.join(problems.values())}"
        raise InvalidError(msg, problems)
    return kept


def input_of(template: templates.Template) -> Input:
    """Return the one input of *template* that a route can give it.

    Raises
    ------
    InvalidError
        If it needs more than one series.
    """
    needed = [one for one in template.inputs if not one.optional]
    if len(needed) > 1:
        msg = (
            f"Template {template.name!r} needs {len(needed)} series; a route has one. "
            "Use a template with one input."
        )
        raise InvalidError(msg, {"template": msg})
    return (needed or list(template.inputs))[0]


def filled(text: str, facts: Facts) -> str:
    """Return *text* with each ``{Keyword}`` replaced by what the series has for it."""

    def found(place: re.Match[str]) -> str:
        name = names.find(place[1])
        values = facts.values(name) if name is not None else ()
        return " ".join(str(one) for one in values)[:200]

    return " ".join(_PLACE.sub(found, text).split())


def _check_case(house: House, action: CaseAction) -> dict[str, Any]:
    """Refuse audiences that are none, and places that nothing fills."""
    del house
    audience.checked(action.audience)
    for field in ("title", "history"):
        _check_places(field, getattr(action, field))
    kept = action.model_dump()
    return kept | {"audience": audience.checked(action.audience)}


def _check_places(field: str, text: str) -> None:
    """Refuse a ``{Keyword}`` that stands for nothing that can be written."""
    for word in _PLACE.findall(text):
        name = names.find(word)
        if name is None or name.kind is Kind.OTHER:
            meant = names.near(word)
            ask = f" Did you mean {' or '.join(meant)}?" if meant else ""
            msg = f"There is no text for {{{word[:64]}}}.{ask}"
            raise InvalidError(msg, {field: msg})


def _check_run(house: House, action: RunAction) -> dict[str, Any]:
    """Check the parameters against the template's schema."""
    try:
        template = templates.find(house.settings, action.template)
    except NotFoundError as error:
        raise InvalidError(str(error), {"template": str(error)}) from error
    input_of(template)
    try:
        values = templates.validate(template, action.parameters)
    except InvalidError as error:
        named = {
            name if name.startswith("parameters") else f"parameters.{name}": why
            for name, why in error.problems.items()
        }
        raise InvalidError(str(error), named) from error
    given = {name: values[name] for name in action.parameters if name in values}
    return action.model_dump() | {"parameters": given}


def _check_send(house: House, action: SendAction) -> dict[str, Any]:
    """Refuse a node that is not there, or to which nothing can be sent."""
    with house.sessions.begin(write=False) as session:
        node = find_node(session, action.node)
    if node is None or not node.host:
        why = "There is no such node" if node is None else "It has no host to send to"
        msg = f"Nothing can be sent to node {action.node!r}. {why}; see Nodes."
        raise InvalidError(msg, {"node": msg})
    return action.model_dump()


def _check_plain(house: House, action: _Action) -> dict[str, Any]:
    """Return an action that needs nothing but itself."""
    del house
    return action.model_dump()


_CHECKS: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "case": _check_case,
    "run": _check_run,
    "send": _check_send,
    "label": _check_plain,
    "hold": _check_plain,
}
