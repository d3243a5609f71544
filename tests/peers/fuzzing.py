"""What schemathesis has to be told of the schema: scalars of ours, and values with which it finds something.

Its hooks (SCHEMATHESIS_HOOKS). SYNCLINE_TEST_WORDS holds a JSON object of what there is: "ids".
"""

import json
import os

import graphql
import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

known = json.loads(os.environ["SYNCLINE_TEST_WORDS"])

# Ids that there are, ids of the right form that there are not, and what is no id.
ids = st.one_of(
    st.sampled_from(known["ids"]),
    st.sampled_from(["cli_00000000000000000000000000", "run_7zzzzzzzzzzzzzzzzzzzzzzzzz", "1", ""]),
    st.text(max_size=40),
)
schemathesis.graphql.scalar("ID", ids.map(nodes.String))

# Page sizes that are allowed, beside what an Int can be.
numbers = st.one_of(st.integers(1, 100), st.integers(-(2**31), 2**31 - 1))
schemathesis.graphql.scalar("Int", numbers.map(nodes.Int))

values = st.recursive(
    st.one_of(
        st.none().map(lambda _: nodes.Null),
        st.booleans().map(nodes.Boolean),
        st.integers(-(2**31), 2**31).map(nodes.Int),
        st.text(max_size=20).map(nodes.String),
    ),
    lambda inner: st.lists(inner, max_size=3).map(nodes.List),
    max_leaves=5,
)


def as_object(fields):
    return nodes.Object(
        [graphql.ObjectFieldNode(name=graphql.NameNode(value=name), value=value) for name, value in fields.items()]
    )


configs = st.dictionaries(st.sampled_from(["base_url", "path", "token", "a"]), values, max_size=3)
schemathesis.graphql.scalar("JSON", st.one_of(configs.map(as_object), values))
