"""What OHIF is told when it starts: where DICOMweb is, how it looks, its language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

__all__ = ["PAGE_POLICY", "page_of", "settings_of", "start_script"]

PAGE_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'self'"
)
"""What a page of the viewer may do, and no other page of ours.

It styles itself and decodes by WebAssembly; its array library compiles an accessor for
each kind of array, as segmentations need. Scripts come from this service alone, none
stands in a page.
"""

LITTLE: Final = "1.2.840.10008.1.2.1"
"""Explicit VR Little Endian (PS3.5, A.2)."""

_SCRIPT: Final = Path(__file__).with_name("start.js")


def settings_of(prefix: str) -> dict[str, Any]:
    """Return OHIF's settings for a service below *prefix*, but for its functions.

    Examples
    --------
    >>> settings_of("/rounds/")["dataSources"][0]["configuration"]["qidoRoot"]
    '/rounds/dicomweb'
    """
    root = f"{prefix}dicomweb"
    source = {
        "friendlyName": "Rounds",
        "name": "rounds",
        "qidoRoot": root,
        "wadoRoot": root,
        "wadoUriRoot": root,
        "qidoSupportsIncludeField": True,
        "supportsReject": False,
        "supportsFuzzyMatching": True,
        "supportsWildcard": True,
        "imageRendering": "wadors",
        "thumbnailRendering": "wadors",
        "enableStudyLazyLoad": True,
        "dicomUploadEnabled": False,
        "singlepart": "bulkdata,video,pdf",
        "bulkDataURI": {"enabled": True},
        "omitQuotationForMultipartRequest": True,
        # Masks as every archive and our own pages read them: PS3.3 A.51, not A.87.
        "segmentation": {
            "store": {"defaultMode": "bitmap", "transferSyntaxUID": LITTLE}
        },
    }
    return {
        "name": "rounds",
        "routerBasename": f"{prefix}ohif/",
        "extensions": [],
        "modes": [],
        "customizationService": [{"ohif.tours": {"$set": []}}],
        "showStudyList": True,
        "investigationalUseDialog": {"option": "never"},
        "disableConfirmationPrompts": True,
        "measurementTrackingMode": "simplified",
        "showCPUFallbackMessage": False,
        "showWarningMessageForCrossOrigin": False,
        "strictZSpacingForVolumeViewport": True,
        "showErrorDetails": "production",
        "maxNumberOfWebWorkers": 3,
        "maxNumRequests": {"interaction": 100, "thumbnail": 5, "prefetch": 10},
        "defaultDataSourceName": "rounds",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "rounds",
                "configuration": source,
            }
        ],
    }


def start_script(prefix: str, files: str, language: str) -> str:
    """Return the script that tells OHIF its settings.

    Parameters
    ----------
    prefix
        Where the service is, with slashes at both ends.
    files
        Where the files of OHIF are, with a slash at the end.
    language
        The tag of the person's language.
    """
    told = {
        "prefix": prefix,
        "files": files,
        "language": language,
        "settings": settings_of(prefix),
    }
    return _SCRIPT.read_text("utf-8").replace("TOLD_BY_THE_SERVICE", json.dumps(told))


def page_of(prefix: str, files: str, entry: str, language: str) -> str:
    """Return the page of the viewer; it is the same at every address of it."""
    return f"""<!doctype html>
<html lang="{language}" data-bs-theme="dark">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="dark">
  <title>Rounds</title>
  <link rel="icon" href="{prefix}static/rounds.svg" type="image/svg+xml">
  <link rel="stylesheet" href="{files}app.bundle.css">
  <script src="{prefix}ohif/app-config.js"></script>
  <script src="{files}{entry}" defer></script>
</head>
<body>
<noscript>The viewer needs JavaScript.</noscript>
<div id="react-portal"></div>
<div id="root"></div>
</body>
</html>
"""
