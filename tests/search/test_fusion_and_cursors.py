from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rounds_search.backends.sqlite.vectors import Ranges, nearness
from rounds_search.cursors import Cursor, read_cursor, write_cursor
from rounds_search.errors import CursorError
from rounds_search.fusion import fuse
from rounds_search.highlights import highlight
from rounds_search.interaction import Slices
from rounds_search.suggestions import suggestions

BRAIN = frozenset({("brain",), ("brain", "abscess")})


def test_a_document_in_two_legs_comes_before_one_in_one() -> None:
    found, scores = fuse([np.array([1, 2]), np.array([3, 2])], [1.0, 1.0])
    assert found[np.argmax(scores)] == 2


def test_fusion_follows_the_formula() -> None:
    found, scores = fuse([np.array([5]), np.array([9, 5])], [2.0, 1.0])
    assert found.tolist() == [5, 9]
    assert scores == pytest.approx([2 / 61 + 1 / 62, 1 / 61])


def test_no_legs_find_nothing() -> None:
    assert len(fuse([], [])[0]) == 0


@given(st.floats(allow_nan=False), st.text(max_size=20))
def test_a_cursor_comes_back_exactly(key: float, name: str) -> None:
    cursor = Cursor("newest", key, name)
    assert read_cursor(write_cursor(cursor), "newest") == cursor


@given(st.text(max_size=60), st.sampled_from(["relevance", "title"]))
def test_any_text_is_a_cursor_or_a_refusal(text: str, sort: str) -> None:
    try:
        cursor = read_cursor(text, sort)
    except CursorError:
        return
    assert cursor.sort == sort


def test_the_longest_run_is_marked_as_one() -> None:
    assert highlight("A brain abscess.", BRAIN) == "A <mark>brain abscess</mark>."


def test_a_long_text_is_cut_around_the_words() -> None:
    text = "x " * 500 + "brain abscess " + "y " * 500
    shown = highlight(text, BRAIN)
    assert shown.startswith("…x")
    assert shown.endswith("y…")
    assert "<mark>brain abscess</mark>" in shown
    assert len(shown) < 260


@given(st.text(st.sampled_from("<>&\"'bs brain 脑\x00/"), max_size=60))
def test_a_highlight_is_safe_html(text: str) -> None:
    shown = highlight(f"{text} brain", BRAIN)
    bare = shown.replace("<mark>", "").replace("</mark>", "")
    assert "<" not in bare
    assert ">" not in bare


def test_what_does_not_match_is_not_shown() -> None:
    assert highlight("nothing here", BRAIN) == ""


def test_suggestions_keep_what_was_typed_before() -> None:
    assert suggestions("Left Hem", ["hemangioma", "Hemangioma"]) == ("Left hemangioma",)
    assert suggestions("...", ["hemangioma"]) == ()


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param(range(50), id="all: read straight through"),
        pytest.param(range(0, 50, 2), id="half: read through, then picked"),
        pytest.param([3, 49], id="few: picked first"),
        pytest.param([], id="none"),
    ],
)
@pytest.mark.parametrize("size", [1, 4])
def test_nearness_is_the_same_however_rows_are_read(
    wanted: range | list[int], size: int
) -> None:
    chance = np.random.default_rng(2)
    vectors = chance.normal(size=(200, 8)).astype(np.float32)
    query = chance.normal(size=(size, 8)).astype(np.float32)
    count = np.full(len(wanted), 4)
    ranges = Ranges(np.array(wanted, np.int64) * 4, count)
    plain = [(vectors[4 * at :][:4] @ query.T).max(axis=0).mean() for at in wanted]
    assert np.allclose(
        nearness(Slices(vectors), ranges, Slices(query)), plain, atol=1e-5
    )


def test_ranges_come_in_blocks_without_loss() -> None:
    ranges = Ranges(np.array([0, 3, 9, 20]), np.array([3, 2, 5, 1]))
    blocks = ranges.blocks(4)
    assert sum(map(len, blocks)) == 4
    assert np.concatenate([one.rows() for one in blocks]).tolist() == (
        ranges.rows().tolist()
    )
