"""Answer DICOM queries from the catalogue, for QIDO-RS and C-FIND alike."""
