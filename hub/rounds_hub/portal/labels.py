"""What values are called on the pages: modalities, parts of the body, levels, states.

``N_`` marks a text for translation where it stands; it is translated where it is shown.
"""

from __future__ import annotations

__all__ = [
    "ACTIONS",
    "BODY_PARTS",
    "FACETS",
    "FACT_MEANINGS",
    "KINDS",
    "LANGUAGE_NAMES",
    "LEGS",
    "LEVELS",
    "MODALITIES",
    "OUTCOMES",
    "ROLES",
    "SAME_CODE",
    "STATES",
    "STATUSES",
    "TITLES",
    "label_of",
]


def N_(message: str) -> str:  # noqa: N802 (the name that gettext's tools look for)
    """Return *message*; its name tells the extraction to take it."""
    return message


FACETS = {
    "kind": N_("Kind"),
    "modality": N_("Modality"),
    "body_part": N_("Body part"),
    "level": N_("Level"),
    "language": N_("Language"),
}

KINDS = {"case": N_("Cases"), "result": N_("Results")}

LEGS = {
    "text": N_("text %(rank)s"),
    "meaning": N_("meaning %(rank)s"),
    "region": N_("region %(rank)s"),
    "picture": N_("picture %(rank)s"),
}
"""How the place in a leg of a search is said."""

SAME_CODE = N_("same code")

MODALITIES = {
    "CR": N_("X-ray (CR)"),
    "CT": N_("CT"),
    "DX": N_("X-ray"),
    "MG": N_("Mammography"),
    "MR": N_("MR"),
    "NM": N_("Nuclear medicine"),
    "OT": N_("Other"),
    "PT": N_("PET"),
    "RF": N_("Fluoroscopy"),
    "SC": N_("Secondary capture"),
    "SEG": N_("Segmentation"),
    "SR": N_("Report"),
    "US": N_("Ultrasound"),
    "XA": N_("Angiography"),
}

BODY_PARTS = {
    "abdomen": N_("Abdomen"),
    "ankle": N_("Ankle"),
    "bladder": N_("Bladder"),
    "brain": N_("Brain"),
    "breast": N_("Breast"),
    "cervical spine": N_("Cervical spine"),
    "chest": N_("Chest"),
    "colon": N_("Colon"),
    "elbow": N_("Elbow"),
    "eye": N_("Eye"),
    "face": N_("Face"),
    "femur": N_("Femur"),
    "foot": N_("Foot"),
    "forearm": N_("Forearm"),
    "hand": N_("Hand"),
    "head": N_("Head"),
    "heart": N_("Heart"),
    "hip": N_("Hip"),
    "kidney": N_("Kidney"),
    "knee": N_("Knee"),
    "leg": N_("Leg"),
    "liver": N_("Liver"),
    "lower leg": N_("Lower leg"),
    "lumbar spine": N_("Lumbar spine"),
    "lung": N_("Lung"),
    "lymph node": N_("Lymph node"),
    "neck": N_("Neck"),
    "pancreas": N_("Pancreas"),
    "pelvis": N_("Pelvis"),
    "phantom": N_("Phantom"),
    "prostate": N_("Prostate"),
    "shoulder": N_("Shoulder"),
    "skull": N_("Skull"),
    "spine": N_("Spine"),
    "spleen": N_("Spleen"),
    "stomach": N_("Stomach"),
    "thigh": N_("Thigh"),
    "thoracic spine": N_("Thoracic spine"),
    "thyroid": N_("Thyroid"),
    "tibia": N_("Tibia"),
    "upper arm": N_("Upper arm"),
    "uterus": N_("Uterus"),
    "vessel": N_("Vessels"),
    "whole body": N_("Whole body"),
    "wrist": N_("Wrist"),
}

LEVELS = {
    "primary": N_("Primary"),
    "intermediate": N_("Intermediate"),
    "advanced": N_("Advanced"),
}

LANGUAGE_NAMES = {"en": "English", "zh": "中文"}

STATES = {
    "waiting": N_("waiting"),
    "running": N_("running"),
    "storing": N_("storing results"),
    "done": N_("done"),
    "failed": N_("failed"),
    "cancelled": N_("cancelled"),
    "held": N_("waits for the release"),
}

ACTIONS = {
    "run": N_("Run a template"),
    "send": N_("Send to a node"),
    "case": N_("Draft a case"),
    "label": N_("Label"),
    "hold": N_("Hold for de-identification"),
}

FACT_MEANINGS = (
    N_("Number of instances that came"),
    N_("Number of frames of all instances"),
    N_("Name of the node that sent it"),
    N_("Who brought it: a node or a person"),
    N_("Template of which it is a result"),
    N_("Labels that routes put on it"),
    N_("Whether a run made it"),
    N_("Whether its images make up one volume"),
)
"""What ``rounds_hub.routing.names`` says of its facts, marked for translation."""

OUTCOMES = {
    "fires": N_("applies"),
    "no": N_("does not apply"),
    "unknown": N_("a tag is missing"),
    "loop": N_("made it itself"),
    "off": N_("would apply, but is off"),
    "unreadable": N_("cannot be read"),
}

STATUSES = {
    "draft": N_("Draft"),
    "published": N_("Published"),
    "deleted": N_("Deleted"),
}

ROLES = {
    "student": N_("Student"),
    "doctor": N_("Doctor"),
    "researcher": N_("Researcher"),
    "teacher": N_("Teacher"),
    "admin": N_("Administrator"),
}

CONFORMANCE = {
    "missing": N_("Missing attributes"),
    "empty": N_("Empty attributes"),
    "condition": N_("Attributes that may not be there"),
    "extended": N_("More than the standard knows"),
    "retired": N_("Retired attributes"),
    "encoding": N_("Ways of writing"),
    "term": N_("Unusual words"),
    "value": N_("Wrong values"),
    "other": N_("Other findings"),
}
"""Kinds of findings in instances."""

CONFORMANCE_MEANINGS = {
    "missing": N_(
        "Other systems may refuse these images, or sort and show them wrong."
    ),
    "empty": N_("A value is needed; who reads it has to guess."),
    "condition": N_(
        "Two attributes contradict each other; systems may believe either."
    ),
    "extended": N_("Allowed, and of no harm; other systems pass over it."),
    "retired": N_("An older edition of the standard had this; new systems may not."),
    "encoding": N_("Mostly private attributes; strict systems may refuse them."),
    "term": N_("Allowed, but other systems may not know the word."),
    "value": N_("The value is not one that the attribute can have; it may be misread."),
    "other": N_("See the text of each."),
}
"""What a kind of finding means for who uses the images."""

CONFORMANCE_LEVELS = {"error": N_("Error"), "warning": N_("Warning")}

TITLES = {
    400: N_("The request could not be understood"),
    401: N_("Not signed in"),
    403: N_("Not allowed"),
    404: N_("Not found"),
    405: N_("Not possible that way"),
    409: N_("Not possible now"),
    413: N_("Too large"),
    422: N_("Not valid"),
    500: N_("Something went wrong"),
    503: N_("Not available now"),
    507: N_("No space left"),
}

_TABLES = {
    "kind": KINDS,
    "modality": MODALITIES,
    "body_part": BODY_PARTS,
    "level": LEVELS,
    "language": LANGUAGE_NAMES,
    "state": STATES,
    "status": STATUSES,
    "role": ROLES,
    "action": ACTIONS,
    "conformance": CONFORMANCE,
    "conformance_meaning": CONFORMANCE_MEANINGS,
    "conformance_level": CONFORMANCE_LEVELS,
}


def label_of(table: str, value: str) -> str:
    """Return what *value* of *table* is called in English, or the value itself.

    Examples
    --------
    >>> label_of("body_part", "BRAIN"), label_of("modality", "ECG")
    ('Brain', 'ECG')
    """
    known = _TABLES[table]
    unknown = value[:1].upper() + value[1:]
    return known.get(value) or known.get(value.lower()) or unknown
