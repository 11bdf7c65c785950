"""Write the DICOM conformance statement (PS3.2): ``docs/conformance.md``.

``python -m rounds_hub.gateway.conformance docs/conformance.md`` writes the page. All
that it lists comes from the tables by which the code itself decides; a test compares
the page with what is written here.
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

from rounds_hub.archive.meta import IMPLEMENTATION
from rounds_hub.archive.texts import ALONE
from rounds_hub.gateway import conformance_tables as tables
from rounds_hub.gateway.conformance_tables import named, table
from rounds_hub.gateway.pdus import LARGEST_PDU
from rounds_hub.settings import Rounds

__all__ = ["main", "statement"]

HEAD = """\
# DICOM conformance statement

This page is written by `python -m rounds_hub.gateway.conformance docs/conformance.md`
from the tables by which the code decides, and a test holds the two together. Its
chapters are those of PS3.2.

## Overview

Rounds is an archive and a gateway for teaching and research. It takes instances by
C-STORE, STOW-RS, upload and import, keeps their bytes as they were sent, and answers
queries and retrievals by DIMSE and by DICOMweb. What one may see is decided by the same
policy at every door: what a node or a person may not see is not found.
"""
NETWORK = """\
## Networking: implementation model

The process `gateway` is one application entity. It accepts associations from nodes that
are known by their AE title and, where the record says so, by their address and
certificate; others are rejected (calling AE title not recognized). The process `worker`
opens associations to nodes: it sends what routes and people hand over, from a queue
that outlives it, and pulls what was asked for.
"""
ACCEPTING = """\
### Association acceptance

A context is accepted in the first transfer syntax that is offered and known; implicit
VR and big endian only where nothing else is offered. Asynchronous operations are not
negotiated: one operation at a time. In extended negotiation for C-FIND, relational
queries, ranges of date and time as one, and names by the beginnings of their words are
agreed to. The SCP role is given to a peer for storage classes alone, for C-GET. A
request for a class that the node has no right to is refused (user rejection).
"""
STORAGE = """\
### Storage

Success (0000) is answered when the file and its folder are synced and the catalogue and
its event are committed. The data set is kept byte for byte as it was sent, and private
attributes with it (level 2, full). The same instance again is a success and changes
nothing; other bytes under a SOP Instance UID that is taken are kept aside and answered
with 0111. Private storage classes are accepted from nodes that may send them.
"""
QUERY = """\
### Query and retrieve

C-FIND answers for the models below, relational queries included: keys of every level
may be asked for at once. Matching follows PS3.4, C.2.2.2. C-MOVE sends to known nodes
that may receive; C-GET sends on the association, as kept, or in an uncompressed
transfer syntax where the peer takes no other. Both can be cancelled between two
instances.
"""
WEB = """\
## DICOMweb

All addresses are below the prefix of the service. Errors are those of PS3.18 with a
sentence in the body. QIDO-RS does fuzzy matching where asked for, on names alone, and
pages by `limit` and `offset`.
"""
SAFE = """\
## Character sets

Every character set of PS3.3, C.12.1.1.2 is read, with and without code extensions.
Answers are written in UTF-8 (`ISO_IR 192`) where a value needs it. Texts that no
declared set explains are shown with replacement characters; the bytes stay.

## Security

TLS with certificates of clients is an option of the gateway. Signing in to DICOMweb is
the hub's (OAuth for browsers, tokens for programs). Decisions on patient data are in
the audit trail. Every data set is walked within bounds before anything else reads it;
see [what is taken](security-of-input.md):
"""


def statement() -> str:
    """Return the text of the page."""
    parts = [
        [HEAD],
        _overview(),
        [NETWORK],
        _identity(),
        [ACCEPTING],
        [STORAGE],
        _storage(),
        [QUERY],
        _keys(),
        [WEB],
        _web(),
        [SAFE],
        table(["at most", "number"], tables.limits()),
        ["", "## Status codes", ""],
        table(["code", "meaning"], tables.statuses()),
    ]
    return "\n".join(chain.from_iterable(parts)).rstrip() + "\n"


def _overview() -> list[str]:
    """Return the SOP classes in both roles."""
    offered = [[named(one.sop_class), one.sop_class, "SCP"] for one in tables.offered()]
    asked = [[name, uid or "", "SCU"] for name, uid in tables.asked_for()]
    stored = [[tables.STORED, "", "SCP"]]
    head = ["SOP class", "UID", "role"]
    return [*table(head, [*offered, *stored, *asked]), ""]


def _identity() -> list[str]:
    """Return who we are on the network, and how much of what is borne."""
    traits = Rounds.class_traits(config=True)
    shown = (
        ("gateway_associations", "associations at the same time"),
        ("gateway_associations_of_address", "of them from one address"),
        ("gateway_associate_seconds", "seconds to ask for an association"),
        ("gateway_idle_seconds", "seconds that an association may be silent"),
    )
    rows = [
        ["AE title", f"`{traits['ae_title'].default_value}`"],
        ["port", f"{traits['gateway_port'].default_value}"],
        ["port for TLS", f"{traits['gateway_tls_port'].default_value}"],
        ["implementation class UID", f"`{IMPLEMENTATION}`"],
        ["implementation version name", "`ROUNDS_` and the version"],
        ["largest PDU", f"{LARGEST_PDU}"],
        *([what, f"{traits[name].default_value}"] for name, what in shown),
    ]
    return [*table(["", "unless set otherwise"], rows), ""]


def _storage() -> list[str]:
    """Return the storage SOP classes and their transfer syntaxes."""
    classes = tables.storage_classes()
    syntaxes = classes[0].transfer_syntaxes
    return [
        *table(
            ["storage SOP class", "UID"],
            ([named(one.sop_class), one.sop_class] for one in classes),
        ),
        "",
        "All of them in every transfer syntax of PS3.6:",
        "",
        *table(["transfer syntax", "UID"], ([named(one), one] for one in syntaxes)),
        "",
        "The other SOP classes:",
        "",
        *table(
            ["SOP class", "transfer syntaxes"],
            (
                [named(one.sop_class), ", ".join(map(named, one.transfer_syntaxes))]
                for one in tables.offered()
            ),
        ),
        "",
    ]


def _keys() -> list[str]:
    """Return the keys of queries, of C-FIND and QIDO-RS alike."""
    head = ["level", "attribute", "tag", "VR", "key", "matching"]
    return [*table(head, tables.query_keys()), ""]


def _web() -> list[str]:
    """Return the addresses and media types of DICOMweb."""
    return [
        *table(["method", "address", "does"], tables.addresses()),
        "",
        *table(["resource", "media types"], tables.media_types()),
        "",
        "Instances are transcoded, without loss, where a client asks for one of: "
        + ", ".join(map(named, tables.targets()))
        + ". Frames are given as they are kept where the client takes that.",
        "",
        f"Character sets that stand alone: {', '.join(ALONE)}.",
        "",
    ]


def main() -> None:
    """Write the page to the file that is named, or to standard output."""
    text = statement()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
