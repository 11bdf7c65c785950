"""DICOMweb: search, retrieve and store over HTTP (PS3.18)."""
