"""What an administrator sets: one class of traits, read the same by every process."""

from __future__ import annotations

import os
from pathlib import Path

from traitlets import Bool, Dict, Enum, Float, Int, List, TraitError, Unicode
from traitlets.config import Config, Configurable
from traitlets.config.loader import ConfigFileNotFound, PyFileConfigLoader

from rounds_hub.errors import SettingsError

__all__ = ["Rounds", "load_settings"]


class Rounds(Configurable):
    """The settings of one house; each has a heading in ``docs/settings.md``."""

    data_dir = Unicode(
        "rounds-data", help="The folder that holds everything kept on this machine."
    ).tag(config=True)
    database_url = Unicode(
        "",
        help="SQLAlchemy URL of the catalogue; empty: SQLite in the data folder.",
    ).tag(config=True)
    work_database_url = Unicode(
        "",
        help="URL of the queue's database; empty: beside the catalogue.",
    ).tag(config=True)
    search_url = Unicode(
        "", help="Where the case index is; empty: a SQLite file in the data folder."
    ).tag(config=True)
    search_api_key = Unicode(
        "", help="The key that signs in to the search cluster; empty: none."
    ).tag(config=True)
    search_certificates = Unicode(
        "", help="PEM file of who signs the search cluster's certificate; empty: known."
    ).tag(config=True)
    search_prefix = Unicode(
        "rounds", help="What the names of our indices in a search cluster begin with."
    ).tag(config=True)
    search_by_meaning = Bool(
        False,  # noqa: FBT003 (a trait's default)
        help="Whether descriptions are searched by what they mean, too.",
    ).tag(config=True)
    vocabulary_dir = Unicode(
        "",
        help="The folder with a site's synonyms and codes; empty: in the data folder.",
    ).tag(config=True)
    template_dirs = List(
        Unicode(),
        help="Folders with template folders; empty: those that come with Rounds.",
    ).tag(config=True)
    import_audience = List(
        Unicode(),
        default_value=["role:doctor", "role:researcher", "role:teacher"],
        help="Who may see series that were imported and are in no case yet.",
    ).tag(config=True)
    max_upload_bytes = Int(
        4 * 2**30, min=1, help="The most that one upload may bring, unpacked."
    ).tag(config=True)
    max_instance_bytes = Int(
        2 * 2**30, min=1, help="The most that one instance may have."
    ).tag(config=True)
    max_volume_bytes = Int(
        4 * 2**30, min=1, help="The most memory that one volume may take."
    ).tag(config=True)
    volume_cache_bytes = Int(
        8 * 2**30, min=0, help="How much disk the cache of volumes may take."
    ).tag(config=True)
    free_space_bytes = Int(
        256 * 2**20, min=0, help="Space on the disk that is never filled."
    ).tag(config=True)
    archive_stores = Dict(
        help="Where the archive's objects lie, by name; empty: in the data folder."
    ).tag(config=True)
    archive_rules = List(
        Dict(), help="Which objects lie in which stores; empty: all in the first."
    ).tag(config=True)
    object_cache_bytes = Int(
        8 * 2**30, min=0, help="How much disk fetched objects of each store may take."
    ).tag(config=True)
    archive_bytes = Int(
        0, min=0, help="The most that the archive may hold; 0: as the disk has room."
    ).tag(config=True)
    owner_bytes = Dict(
        help="The most that the series of an owner may have, by name; '*': of others."
    ).tag(config=True)
    low_space_bytes = Int(
        4 * 2**30, min=0, help="Below this much free disk, administrators are warned."
    ).tag(config=True)
    reencode = Enum(
        ["", "jpeg-ls", "rle"],
        default_value="",
        help="How native pixels are re-encoded without loss; empty: kept as sent.",
    ).tag(config=True)
    deletion_undo_days = Int(
        30, min=0, help="For how many days a deletion can be undone."
    ).tag(config=True)
    run_seconds = Int(
        1800, min=1, help="How long one run may take before it is ended."
    ).tag(config=True)
    run_memory_bytes = Int(
        8 * 2**30, min=2**28, help="How much memory one run may have."
    ).tag(config=True)
    query_limit = Int(
        5000, min=1, help="The most rows that one DICOM query gets at a time."
    ).tag(config=True)
    run_workers = Int(
        2, min=1, help="How many runs one worker executes at the same time."
    ).tag(config=True)
    series_silence_seconds = Int(
        60,
        min=0,
        help="After how long without a new instance a series counts as complete.",
    ).tag(config=True)
    series_ended_seconds = Int(
        5,
        min=0,
        help="The same where the association that brought the last one has ended.",
    ).tag(config=True)
    ae_title = Unicode(
        "ROUNDS", help="The application entity title of the gateway."
    ).tag(config=True)
    gateway_host = Unicode(
        "127.0.0.1", help="The address on which the gateway listens."
    ).tag(config=True)
    gateway_port = Int(
        11112, min=0, max=65535, help="The port of the gateway; 0: any free one."
    ).tag(config=True)
    send_pauses = List(
        trait=Float(min=0.0),
        default_value=[
            *(5.0, 20.0, 60.0, 300.0, 900.0, 1800.0),
            *(3600.0, 7200.0, 14400.0, 28800.0),
        ],
        help="Seconds between the attempts to send to a node that does not answer.",
    ).tag(config=True)
    nodes = List(
        Dict(), help="Remote nodes that are changed here and not on the pages."
    ).tag(config=True)

    gateway_associations = Int(
        64, min=1, help="How many associations the gateway has at the same time."
    ).tag(config=True)
    gateway_associations_of_address = Int(
        32, min=1, help="How many of them may come from one address."
    ).tag(config=True)
    gateway_associate_seconds = Float(
        5.0, min=0.1, help="How long a caller may take to ask for an association."
    ).tag(config=True)
    gateway_idle_seconds = Float(
        30.0, min=0.1, help="How long an association may be silent."
    ).tag(config=True)
    gateway_bytes_per_second = Int(
        2**14, min=1, help="How fast a message must come, after its first 10 s."
    ).tag(config=True)
    gateway_tls_port = Int(
        2762,
        min=0,
        max=65535,
        help="The port for DICOM over TLS, where a certificate is set; 0: any free.",
    ).tag(config=True)
    gateway_tls_certificate = Unicode(
        "", help="PEM file with the gateway's certificate and chain; empty: no TLS."
    ).tag(config=True)
    gateway_tls_key = Unicode(
        "", help="PEM file with its key; empty: in the certificate's file."
    ).tag(config=True)
    gateway_tls_clients = Unicode(
        "", help="PEM file with the certificates that nodes may show, or their issuers."
    ).tag(config=True)

    @property
    def data(self) -> Path:
        """The data folder as an absolute path."""
        return Path(self.data_dir).expanduser().absolute()

    @property
    def catalogue_url(self) -> str:
        """The URL of the catalogue, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data / 'catalogue.sqlite'}"

    @property
    def work_url(self) -> str:
        """The URL of the queue's database, with the default filled in."""
        if self.work_database_url:
            return self.work_database_url
        if self.database_url and not self.database_url.startswith("sqlite"):
            return self.database_url
        return f"sqlite:///{self.data / 'work.sqlite'}"

    @property
    def vocabulary_folder(self) -> Path:
        """The folder with a site's synonyms and codes, the default filled in."""
        return Path(self.vocabulary_dir or self.data / "vocabulary")

    @property
    def search_location(self) -> str:
        """Where the case index is, with the default filled in."""
        named = self.search_url or os.environ.get("ELASTICSEARCH_URL", "")
        return named or str(self.data / "index.sqlite")

    @property
    def search_options(self) -> dict[str, str]:
        """How to speak to a search cluster."""
        key = self.search_api_key or os.environ.get("ELASTICSEARCH_API_KEY", "")
        return {
            "api_key": key,
            "certificates": self.search_certificates,
            "prefix": self.search_prefix,
        }


def load_settings(config_file: str | None = None, **overrides: object) -> Rounds:
    """Return the settings from *config_file*, the environment and *overrides*.

    ``ROUNDS_CONFIG`` names a configuration file (Python, as JupyterHub has it) where
    *config_file* does not; ``ROUNDS_DATA`` the data folder.

    Raises
    ------
    SettingsError
        If the file is missing or a value is of the wrong kind.

    Examples
    --------
    >>> load_settings(gateway_port=0).ae_title
    'ROUNDS'
    """
    config = Config()
    named = config_file or os.environ.get("ROUNDS_CONFIG", "")
    if named:
        config = _from_file(Path(named))
    if "ROUNDS_DATA" in os.environ:
        config.Rounds.data_dir = os.environ["ROUNDS_DATA"]
    try:
        return Rounds(config=config, **overrides)
    except TraitError as error:
        raise SettingsError(str(error)) from error


def _from_file(path: Path) -> Config:
    """Run the configuration file at *path* and return what it sets."""
    try:
        loaded = PyFileConfigLoader(path.name, path=str(path.absolute().parent))
        return loaded.load_config()
    except ConfigFileNotFound as error:
        msg = f"There is no configuration file {path.name!r}; see docs/settings.md."
        raise SettingsError(msg) from error
