"""Tables of codes in the forms in which schemes are given out."""

from __future__ import annotations

import contextlib
import gzip
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rounds_search.code_files import read_table, write_table
from rounds_search.codes import Code, Codes, CodeTable
from rounds_search.errors import TableError

if TYPE_CHECKING:
    from pathlib import Path

BIOPORTAL = """\
Class ID,Preferred Label,Synonyms,Definitions,Obsolete,CUI,Parents
http://radlex.org/RID/RID1301,lung,pulmo|lungs,"The organ, paired.",false,,http://radlex.org/RID/RID13437
http://radlex.org/RID/RID1302,right lung,,,false,,http://radlex.org/RID/RID1301
http://radlex.org/RID/RID9,gone,,,true,,http://radlex.org/RID/RID1301
"""
ORDER = (
    "05443 C34    0 Malignant neoplasm of bronchus and lung                      "
    "Malignant neoplasm of bronchus and lung\n"
    "05447 C3411  1 Malignant neoplasm of upper lobe, right bronchus or lung     "
    "Malignant neoplasm of upper lobe, right bronchus or lung\n"
)
LISTED = "C341   Malignant neoplasm of upper lobe\nC3411  The right one\n"
TABULATION = """\
Foundation URI\tLinearization URI\tCode\tBlockId\tTitle\tClassKind\tDepthInKind
http://x/1\thttp://y/1\t\t\tNeoplasms\tchapter\t1
http://x/2\thttp://y/2\t2C25\t\t- - Malignant neoplasms of bronchus or lung\tcategory\t1
http://x/3\thttp://y/3\t2C25.0\t\t- - - Adenocarcinoma of bronchus or lung\tcategory\t2
"""
CLAML = """<?xml version="1.0" encoding="UTF-8"?>
<ClaML version="2.0.0"><Title name="ICD-10"/>
<Class code="C30-C39" kind="block"><SubClass code="C34"/>
<Rubric kind="preferred"><Label>Respiratory organs</Label></Rubric></Class>
<Class code="C34" kind="category"><SuperClass code="C30-C39"/>
<Rubric kind="preferred"><Label>Malignant neoplasm of <Fragment>lung</Fragment></Label>
</Rubric><Rubric kind="inclusion"><Label>Lung cancer</Label></Rubric></Class></ClaML>
"""
OWL = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#"
 xmlns:owl="http://www.w3.org/2002/07/owl#" xmlns:RID="http://www.radlex.org/RID/">
<owl:Class rdf:about="http://www.radlex.org/RID/RID1302">
 <rdfs:subClassOf rdf:resource="http://www.radlex.org/RID/RID1301"/>
 <RID:Preferred_name>right lung</RID:Preferred_name>
 <RID:Synonym>pulmo dexter</RID:Synonym>
</owl:Class>
<owl:Class rdf:about="http://www.radlex.org/RID/RID9">
 <owl:deprecated>true</owl:deprecated><rdfs:label>gone</rdfs:label></owl:Class>
</rdf:RDF>
"""
BOMB = """<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;">]><rdf:RDF xmlns:rdf="x">&b;</rdf:RDF>
"""
ACR = "code;name\n6;Thorax\n64;Lung\n64.7;Atelectasis\n64.749;Lobar collapse\n"
CHINESE = "疾病编码\t疾病名称\nC34.1\t上叶恶性肿瘤\n"


def table(tmp_path: Path, text: str, scheme: str = "ICD10") -> CodeTable:
    path = tmp_path / "table"
    path.write_text(text, encoding="utf-8")
    return read_table(path, scheme)


@pytest.mark.parametrize(
    ("text", "scheme", "code"),
    [
        pytest.param(
            BIOPORTAL,
            "RADLEX",
            Code("RID1301", "lung", ("RID13437",), ("pulmo", "lungs")),
            id="RadLex from BioPortal",
        ),
        pytest.param(
            ORDER,
            "ICD10",
            Code(
                "C34.11",
                "Malignant neoplasm of upper lobe, right bronchus or lung",
                ("C34",),
            ),
            id="order file of ICD-10-CM",
        ),
        pytest.param(
            LISTED,
            "ICD10",
            Code("C34.11", "The right one", ("C34.1",)),
            id="list of ICD-10-CM",
        ),
        pytest.param(
            TABULATION,
            "ICD11",
            Code("2C25.0", "Adenocarcinoma of bronchus or lung", ("2C25",)),
            id="simple tabulation of ICD-11",
        ),
        pytest.param(
            CLAML,
            "ICD10",
            Code("C34", "Malignant neoplasm of lung", ("C30-C39",), ("Lung cancer",)),
            id="ClaML",
        ),
        pytest.param(
            OWL,
            "RADLEX",
            Code("RID1302", "right lung", ("RID1301",), ("pulmo dexter",)),
            id="RadLex in OWL",
        ),
        pytest.param(
            ACR, "ACR", Code("64.749", "Lobar collapse", ("64.7",)), id="ACR index"
        ),
        pytest.param(CHINESE, "ICD10", Code("C34.1", "上叶恶性肿瘤"), id="Chinese"),
    ],
)
def test_a_table_is_read(tmp_path: Path, text: str, scheme: str, code: Code) -> None:
    assert table(tmp_path, text, scheme).codes[code.value] == code


def test_what_is_obsolete_is_left_out(tmp_path: Path) -> None:
    assert set(table(tmp_path, BIOPORTAL, "RADLEX").codes) == {"RID1301", "RID1302"}
    assert set(table(tmp_path, OWL, "RADLEX").codes) == {"RID1302"}


def test_a_packed_table_is_read(tmp_path: Path) -> None:
    path = tmp_path / "radlex.csv.gz"
    path.write_bytes(gzip.compress(BIOPORTAL.encode()))
    assert len(read_table(path, "RADLEX").codes) == 2


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    before = table(tmp_path, BIOPORTAL, "RADLEX")
    file = io.StringIO()
    write_table(before, file)
    assert table(tmp_path, file.getvalue(), "RADLEX") == before


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "header", id="nothing"),
        pytest.param(b"a,b\n1,2\n", "header with the columns", id="other columns"),
        pytest.param(b"code,name\n", "no code", id="no code"),
        pytest.param(BOMB.encode(), "declares entities", id="a bomb"),
        pytest.param(CLAML.encode()[:-30], "well-formed", id="cut XML"),
        pytest.param(gzip.compress(b"code" * 99)[:-9], "unpacked", id="cut gzip"),
        pytest.param(b"\x00\xff" * 500, "header", id="no text"),
        pytest.param(b'code,name\n"' + b"x" * 2_000_000, "Line", id="a long line"),
    ],
)
def test_a_broken_table_is_refused(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "table"
    path.write_bytes(content)
    with pytest.raises(TableError, match=why):
        read_table(path, "ICD10")


@given(st.binary(max_size=400))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_file_is_another_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table"
    path.write_bytes(b"code,name\n" + content)
    with contextlib.suppress(TableError):
        assert read_table(path, "ICD10").codes


def test_a_code_below_itself_ends() -> None:
    round_about = CodeTable.of("X", [Code("a", "", ("b",)), Code("b", "", ("a",))])
    assert round_about.under("a") == ("b",)


def test_the_nearest_come_first_and_no_more_than_wanted() -> None:
    deep = [Code(str(at), "", (str(at - 1),)) for at in range(1, 30)]
    assert CodeTable.of("X", deep).under("0", 3) == ("1", "2", "3")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("C34", ["C34"], id="alone"),
        pytest.param("mass C34", [], id="might be anything"),
        pytest.param("mass ICD-10 C34", ["C34"], id="with its scheme"),
        pytest.param("mass ICD10:c34.1", ["C34.1"], id="as the catalogue writes"),
        pytest.param("mass c34.1", ["C34.1"], id="by its form"),
        pytest.param("T12 fracture", [], id="a vertebra"),
        pytest.param("ICD10 T12", ["T12"], id="no vertebra"),
    ],
)
def test_a_text_names_codes(text: str, named: list[str]) -> None:
    codes = [Code("C34", "lung"), Code("C34.1", "lobe"), Code("T12", "leg")]
    known = Codes({"ICD10": CodeTable.of("ICD10", codes)})
    assert [one.code.value for one in known.named(text)] == named
