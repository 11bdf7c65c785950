"""What every search backend must show: inherit ``SearchContract``, give it an index.

::

    class TestMyBackend(SearchContract):
        @pytest.fixture
        def index(self, tmp_path):
            with closing(MyBackend(tmp_path)) as made:
                made.ensure()
                yield made

This package needs pytest; nothing else imports it.
"""

from rounds_search.testing.finding import FindingContract
from rounds_search.testing.paging import PagingContract
from rounds_search.testing.permission import PermissionContract
from rounds_search.testing.pictures import PicturesContract
from rounds_search.testing.versions import VersionsContract
from rounds_search.testing.words import WordsContract

__all__ = ["SearchContract"]


class SearchContract(
    FindingContract,
    PagingContract,
    PermissionContract,
    PicturesContract,
    VersionsContract,
    WordsContract,
):
    """Everything a backend must do, whatever keeps its index."""
