"""The pages of remote nodes: which there are, what each may do, whether it is there."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from starlette.datastructures import FormData

from rounds_hub.access.policy import Action, decide
from rounds_hub.errors import BusyError, ConflictError, InvalidError
from rounds_hub.gateway import asking, registry
from rounds_hub.gateway.nodeform import EYES
from rounds_hub.gateway.nodes import NodeRecord
from rounds_hub.portal.forms import FormDep, many, one
from rounds_hub.portal.visits import Visit, VisitDep

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

TEXTS = ("ae_title", "host", "port", "certificate", "associations", "note")
SWITCHES = (
    "may_store",
    "may_query",
    "may_move",
    "may_receive",
    "private_classes",
    "tls",
    "enabled",
)
DEFAULTS = asdict(NodeRecord(name="", ae_title=""))


@dataclass(frozen=True, slots=True)
class NodeForm:
    """What the form of a node shows: its values, and what is wrong with them."""

    values: dict[str, Any]
    name: str = ""
    """The node that is changed, empty for a new one."""
    configured: bool = False
    problems: dict[str, str] = field(default_factory=dict)
    message: str = ""


@router.get("/nodes")
def list_of_nodes(visit: VisitDep, deleted: str = "") -> HTMLResponse:
    """Show the nodes; administrators see the whole of each."""
    return visit.page(
        "nodes.html",
        active="nodes",
        nodes=registry.list_nodes(visit.house, visit.principal),
        admin=decide(visit.principal, Action.HOUSE_ADMIN),
        deleted=deleted[:64],
        own=visit.house.settings,
    )


@router.get("/nodes/new")
def new_node(visit: VisitDep) -> HTMLResponse:
    """Show an empty form."""
    registry.may_change(visit.house, visit.principal)
    return _page(visit, NodeForm(DEFAULTS))


@router.post("/nodes/new")
def make_node(visit: VisitDep, sent: FormDep) -> Response:
    """Make the node, or show the form again with what is wrong."""
    values = _read(sent) | {"name": one(sent, "name")}
    try:
        made = registry.create_node(visit.house, visit.principal, values)
    except InvalidError as error:
        form = NodeForm(DEFAULTS | values, problems=error.problems, message=str(error))
        return _page(visit, form, error.status)
    return visit.go_to(f"nodes/{quote(made.name)}?saved=yes")


@router.get("/nodes/{name}")
def show_node(visit: VisitDep, name: str, saved: str = "") -> HTMLResponse:
    """Show a node's record, to be changed."""
    node = registry.get_node(visit.house, visit.principal, name)
    return _page(visit, _of(node), saved=bool(saved))


@router.post("/nodes/{name}")
def change_node(visit: VisitDep, name: str, sent: FormDep) -> Response:
    """Change the node, or show the form again with what is wrong."""
    values = _read(sent)
    revision = one(sent, "revision")
    number = int(revision) if revision.isascii() and revision.isdigit() else 0
    try:
        registry.change_node(
            visit.house, visit.principal, name, values, revision=number
        )
    except (InvalidError, ConflictError) as error:
        problems = error.problems if isinstance(error, InvalidError) else {}
        said = DEFAULTS | values | {"name": name, "revision": revision}
        form = NodeForm(said, name=name, problems=problems, message=str(error))
        return _page(visit, form, error.status)
    return visit.go_to(f"nodes/{quote(name)}?saved=yes")


@router.post("/nodes/{name}/delete")
def delete_node(visit: VisitDep, name: str) -> Response:
    """Delete the node; the list offers to bring it back."""
    registry.delete_node(visit.house, visit.principal, name)
    return visit.go_to(f"nodes?deleted={quote(name)}")


@router.post("/nodes/{name}/restore")
def restore_node(visit: VisitDep, name: str) -> Response:
    """Bring the node back."""
    registry.restore_node(visit.house, visit.principal, name)
    return visit.go_to(f"nodes/{quote(name)}")


@router.post("/nodes/{name}/test")
def try_node(visit: VisitDep, name: str) -> HTMLResponse:
    """Say whether the node answers, in how long, or why not."""
    seconds, why = 0.0, ""
    try:
        seconds = asking.try_node(visit.house, visit.principal, name)
    except (BusyError, ConflictError) as error:
        why = str(error)
    shown = {"name": name, "milliseconds": seconds * 1000, "why": why}
    if visit.partial:
        return visit.page("parts/node-test.html", **shown)
    return visit.page("node-test.html", active="nodes", **shown)


def _of(node: NodeRecord) -> NodeForm:
    """Return the form with the values of *node*."""
    return NodeForm(asdict(node), name=node.name, configured=node.configured)


def _read(sent: FormData) -> dict[str, Any]:
    """Return the fields of a node as the form sent them."""
    values: dict[str, Any] = {name: one(sent, name) for name in TEXTS}
    values |= {name: one(sent, name) == "on" for name in SWITCHES}
    values["roles"] = many(sent, "roles")
    values["audience"] = one(sent, "audience").replace(",", " ").split()
    return values


def _page(
    visit: Visit, form: NodeForm, status: int = 200, *, saved: bool = False
) -> HTMLResponse:
    """Return the page with *form*."""
    return visit.page(
        "node-form.html",
        status,
        active="nodes",
        form=form,
        eyes=[role.value for role in EYES],
        saved=saved,
    )
