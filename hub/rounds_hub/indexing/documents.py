"""What the index has of a case, of a run's results and of a series' images.

Nothing here is kept: each is made from the catalogue as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from rounds_hub.access import audience
from rounds_hub.archive.models import Series
from rounds_hub.cases.content import TEXTS, body_part
from rounds_hub.cases.models import Case, CaseSeries
from rounds_hub.cases.searching import result_document_id
from rounds_hub.cases.unknown import masked_id, masked_title, pictures_of
from rounds_hub.runs.models import Run
from rounds_search.documents import (
    MAX_ID,
    MAX_VALUES,
    Delete,
    Document,
    ImageDocument,
)
from rounds_search.encoders import ENCODER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.orm import Session

    from rounds_hub.indexing.looks import Looks

__all__ = [
    "case_entry",
    "cases_of",
    "image_entry",
    "image_id",
    "masked_entry",
    "run_entry",
]

_BETWEEN: Final = "\n\n"


def case_entry(session: Session, case_id: str, revision: int) -> Document | Delete:
    """Return the case with its texts in every language, or that it is gone."""
    case = session.get(Case, case_id)
    if case is None or case.status == "deleted":
        return Delete(case_id, revision)
    series = _series(session, [shown.series_uid for shown in case.series])
    pictures = pictures_of(series)
    told = {name: _in_all_languages(case, name) for name in TEXTS}
    return Document(
        id=case.id,
        kind="case",
        revision=revision,
        title=told.pop("title").replace(_BETWEEN, " · "),
        audience=audience.of_case_parts(case)[0],
        language=case.language,
        text=_filled(
            told
            | {
                "codes_text": _codes_text(case.codes),
                "study": _study_text(series, [shown.label for shown in case.series]),
            }
        ),
        facets=_filled_facets(
            modality=(one.modality for one in pictures),
            body_part=(case.body_part,),
            level=(case.level,),
            language=(case.language, *sorted(case.translations)),
        ),
        codes=_codes(case.codes),
        thumbnail=pictures[0].uid if pictures else "",
        case_id=case.id,
        date=(case.published_at or case.created_at).isoformat(),
    )


def masked_entry(session: Session, case_id: str, revision: int) -> Document | Delete:
    """Return what learners find of an unknown case, or that there is no such thing.

    It has the words of the question, none of the answer, and shares nobody with the
    whole case: see :mod:`rounds_hub.access.unknown`.
    """
    case = session.get(Case, case_id)
    if case is None or case.status == "deleted" or not case.unknown:
        return Delete(masked_id(case_id), revision)
    pictures = pictures_of(
        _series(session, [shown.series_uid for shown in case.series])
    )
    modalities = list(dict.fromkeys(one.modality for one in pictures))
    tags = (case.language, *sorted(case.translations))
    titles = [masked_title(modalities, case.body_part, tag) for tag in tags]
    history, words = _in_all_languages(case, "history"), "\n".join(modalities)
    return Document(
        id=masked_id(case.id),
        kind="case",
        revision=revision,
        title=" · ".join(dict.fromkeys(titles)),
        audience=audience.of_case_parts(case)[1],
        language=case.language,
        text=_filled({"history": history, "study": words}),
        facets=_filled_facets(
            modality=modalities,
            body_part=(case.body_part,),
            level=(case.level,),
            language=tags,
        ),
        thumbnail=pictures[0].uid if pictures else "",
        case_id=case.id,
        date=(case.published_at or case.created_at).isoformat(),
    )


def run_entry(session: Session, run_id: str, revision: int) -> Document | Delete:
    """Return the results of a finished run, or that there are none.

    It says nothing of the cases that the run was asked for on: who may see the inputs
    may see the results, but perhaps not every case with these inputs. Where one of
    them is shown in an unknown case, names of series are left out for everybody:
    whoever asked for the run sees this, too.
    """
    name = result_document_id(run_id)
    run = session.get(Run, run_id)
    if run is None or run.state != "done":
        return Delete(name, revision)
    inputs = _series(session, [given["series_uid"] for given in run.inputs])
    measured = list(run.results.get("measurements") or [])
    asks = any(audience.tells(session, one) for one in inputs)
    names = (one.modality if asks else _called(one) for one in inputs)
    of = ", ".join(dict.fromkeys(names))
    template = run.template.replace("_", " ").capitalize()
    return Document(
        id=name,
        kind="result",
        revision=revision,
        title=f"{template}: {of}" if of else template,
        audience=audience.of_run(session, run),
        text=_filled(
            {
                "findings": "\n".join(map(_measurement_text, measured)),
                "codes_text": _codes_text(
                    [one["code"] for one in measured if one.get("code")]
                ),
                "study": _study_text([] if asks else inputs, [run.template]),
            }
        ),
        facets=_filled_facets(
            modality=(one.modality for one in inputs),
            body_part=(body_part(one.body_part) for one in inputs),
        ),
        thumbnail=inputs[0].uid if inputs else "",
        date=(run.finished_at or run.created_at).isoformat(),
    )


def image_entry(
    session: Session,
    series: Series,
    looks: Looks,
    revision: int,
    encoder: str = ENCODER,
) -> ImageDocument:
    """Return the images of *series*, which lead to the cases that show it."""
    cases = cases_of(session, series.uid)
    asking = [masked_id(case.id) for case in cases if case.unknown]
    parts = [body_part(series.body_part), *(case.body_part for case in cases)]
    return ImageDocument(
        id=image_id(series.uid, encoder),
        case_ids=(*(case.id for case in cases), *asking)[:MAX_VALUES],
        revision=revision,
        encoder=encoder,
        vectors=looks.vectors,
        positions=looks.known_positions,
        audience=audience.of_series(session, series),
        where=_filled_facets(modality=(series.modality,), body_part=parts),
    )


def image_id(series_uid: str, encoder: str = ENCODER) -> str:
    """Return under which id the index has the images of a series."""
    return f"{series_uid}:{encoder}"


def cases_of(session: Session, series_uid: str) -> list[Case]:
    """Return the cases, drafts too, that show a series."""
    holds = select(CaseSeries.case_id).where(CaseSeries.series_uid == series_uid)
    alive = select(Case).where(Case.id.in_(holds), Case.status != "deleted")
    return list(session.scalars(alive.order_by(Case.id)))


def _series(session: Session, uids: Sequence[str]) -> list[Series]:
    """Return the series of *uids* that are there, in that order."""
    found = session.scalars(select(Series).where(Series.uid.in_(uids)))
    by_uid = {one.uid: one for one in found}
    return [by_uid[uid] for uid in uids if uid in by_uid]


def _in_all_languages(case: Case, name: str) -> str:
    """Return one text of *case* in its own language and all it is translated into."""
    told = [getattr(case, name)]
    told += [case.translations[tag].get(name, "") for tag in sorted(case.translations)]
    return _BETWEEN.join(dict.fromkeys(filter(None, told)))


def _called(series: Series) -> str:
    """Return what to call *series* in a title."""
    return series.description or series.modality


def _study_text(series: Iterable[Series], more: Iterable[str]) -> str:
    """Return the words by which people look for images."""
    words: list[str] = [*more]
    for one in series:
        words += [one.description, one.modality, one.study.description]
    return "\n".join(dict.fromkeys(filter(None, words)))


def _codes(codes: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    """Return codes as one filters by them: ``SCHEME:VALUE``."""
    made = (f"{code['scheme']}:{code['value']}"[:MAX_ID] for code in codes)
    return tuple(dict.fromkeys(made))


def _codes_text(codes: Iterable[dict[str, Any]]) -> str:
    """Return codes as one searches for them."""
    return "\n".join(f"{code['value']} {code['meaning']}" for code in codes)


def _measurement_text(measured: dict[str, Any]) -> str:
    """Return a measurement in words."""
    label = measured.get("label") or measured.get("name") or ""
    value = measured.get("value", "")
    number = f"{value:.5g}" if isinstance(value, float) else value
    return f"{label} {number} {measured.get('unit', '')}".strip()


def _filled(texts: dict[str, str]) -> dict[str, str]:
    """Return *texts* without the empty ones."""
    return {name: text for name, text in texts.items() if text}


def _filled_facets(**facets: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return facets without empty values, each value once."""
    made = {
        name: tuple(dict.fromkeys(value[:MAX_ID] for value in values if value))
        for name, values in facets.items()
    }
    return {name: values for name, values in made.items() if values}
