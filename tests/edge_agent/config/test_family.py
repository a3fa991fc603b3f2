"""A model and its family made one table, and whose mistake is whose."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.family import is_of_family, merged

FAMILY = {"vendor": "V", "points": {"a": {"x": 1, "y": 2}, "b": {"x": 3}}, "gaps": ["one", "two"]}

tables = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from("abc"), tables, max_size=3)


def test_tables_are_merged_and_everything_else_is_replaced() -> None:
    model = {"model": "M", "points": {"a": {"y": 5}, "c": {"x": 7}}, "gaps": ["three"]}

    assert merged(model, FAMILY) == {
        "vendor": "V",
        "model": "M",
        "points": {"a": {"x": 1, "y": 5}, "b": {"x": 3}, "c": {"x": 7}},
        "gaps": ["three"],
    }


def test_what_is_removed_is_gone_and_may_be_written_anew() -> None:
    model = {"remove": ["points.a", "points.b.x"], "points": {"a": {"z": 9}}}

    assert merged(model, FAMILY)["points"] == {"a": {"z": 9}, "b": {}}


@given(model=documents, family=documents)
def test_every_value_of_the_model_stands(
    model: dict[str, object], family: dict[str, object]
) -> None:
    assert merged(model, {}) == model
    assert merged({}, family) == family
    assert merged(model, merged(model, family)) == merged(model, family)


def test_a_key_is_of_the_file_that_says_more_of_its_path() -> None:
    model = {"points": {"a": {"y": 5}}, "list": [{"x": 1}]}

    assert not is_of_family(("points", "a", "y"), model, FAMILY)
    assert is_of_family(("points", "a", "x"), model, FAMILY)
    assert is_of_family(("points", "b", "missing"), model, FAMILY)
    assert not is_of_family(("points", "missing"), model, FAMILY)
    assert not is_of_family(("list", 0, "x"), model, FAMILY)
