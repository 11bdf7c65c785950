"""The papermill engine ``rounds``, as ``papermill.execute_notebook`` finds it.

It is registered by the entry point ``papermill.engine``. Papermill loads it while it is
itself being imported, so this module imports nothing of papermill before it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rounds_hub.runs.keeper import Keeper

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["RoundsEngine"]


class RoundsEngine:
    """Executes notebooks for papermill as Rounds needs it.

    Kernels speak over IPC sockets that no other user of the machine can reach; what a
    cell says is capped; the notebook on the disk is whole at every moment. The keyword
    *keeper* says where it is kept and who is told of each cell; without it papermill's
    output path is used.
    """

    @classmethod
    def execute_notebook(
        cls,
        nb: NotebookNode,
        kernel_name: str,
        output_path: str | None = None,
        **options: Any,  # noqa: ANN401 (papermill's own options)
    ) -> NotebookNode:
        """Execute *nb* and return it with its outputs."""
        from rounds_hub.runs.execution import execute_cells  # noqa: PLC0415 (see above)

        keeper: Keeper | None = options.pop("keeper", None)
        if keeper is None:
            keeper = Keeper(Path(output_path) if output_path else None)
        return execute_cells(nb, kernel_name, keeper, options)

    @classmethod
    def nb_kernel_name(cls, nb: NotebookNode, name: str | None = None) -> str:
        """Return the kernel that *nb* asks for, or *name*."""
        from papermill.utils import nb_kernel_name  # noqa: PLC0415 (see above)

        return str(nb_kernel_name(nb, name))

    @classmethod
    def nb_language(cls, nb: NotebookNode, language: str | None = None) -> str:
        """Return the language of *nb*, or *language*."""
        from papermill.utils import nb_language  # noqa: PLC0415 (see above)

        return str(nb_language(nb, language))
