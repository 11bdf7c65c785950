"""What is running here: the version, and the licences of what it is made of."""

# FastAPI reads these annotations when it starts: they cannot wait for a type checker.
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from rounds_hub import __version__
from rounds_hub.portal.rendering import page
from rounds_hub.portal.visits import recognised

__all__ = ["Part", "parts", "router"]

router = APIRouter(include_in_schema=False)

PACKAGES = (
    "jupyterhub",
    "jupyterlab",
    "fastapi",
    "sqlalchemy",
    "dbos",
    "papermill",
    "pydicom",
    "highdicom",
    "pynetdicom",
    "nibabel",
    "numpy",
    "scipy",
    "matplotlib",
    "ipyniivue",
    "jinja2",
    "babel",
)
IN_THE_BROWSER = (
    ("Bootstrap", "5.3.9", "MIT"),
    ("Bootstrap Icons", "1.13.2", "MIT"),
    ("htmx", "2.0.11", "0BSD"),
    ("OHIF", "3.13.2", "MIT"),
)


class Part(NamedTuple):
    """Something that the house is made of."""

    name: str
    version: str
    licence: str


@cache
def parts() -> tuple[Part, ...]:
    """Return the parts of the house with their versions and licences."""
    found = [_installed(name) for name in PACKAGES]
    browser = [Part(*one) for one in IN_THE_BROWSER]
    return tuple(part for part in (*found, *browser) if part is not None)


def _installed(name: str) -> Part | None:
    """Return an installed package, or None where it is not there."""
    try:
        metadata = distribution(name).metadata
    except PackageNotFoundError:
        return None
    fields = metadata.json
    said = fields.get("license_expression") or _classified(
        list(fields.get("classifier", []))
    )
    return Part(metadata["Name"], metadata["Version"], str(said))


def _classified(classifiers: list[str]) -> str:
    """Return the licence that the *classifiers* of a package name.

    Examples
    --------
    >>> _classified(["License :: OSI Approved :: MIT License", "Topic :: Text"])
    'MIT License'
    """
    licences = [one for one in classifiers if one.startswith("License ::")]
    return ", ".join(one.rsplit(" :: ", 1)[-1] for one in licences)


@router.get("/about")
async def about(request: Request) -> HTMLResponse:
    """Show the version and the licences; open to everybody."""
    stranger = await recognised(request) is None
    return page(
        request,
        "about.html",
        stranger=stranger,
        version=__version__,
        python=platform.python_version(),
        parts=parts(),
    )
