"""One of every kind of view, with a given text in every place that data can reach."""

from __future__ import annotations

from xrepo_nb.engines.explain import Explanation
from xrepo_nb.governance.audit import AuditEntry, AuditLog
from xrepo_nb.observe.stats import RepoStats
from xrepo_nb.repos.join import JoinReport, JoinStep
from xrepo_nb.schema.report import FieldReport, InferenceReport, Rejected
from xrepo_nb.schema.schema import Index, Schema
from xrepo_nb.schema.types import DataType, Field
from xrepo_nb.viewers import View, view
from xrepo_nb.viewers.explorer import ExplorerView, Question
from xrepo_nb.viewers.repo import RepoView
from xrepo_nb.viewers.table import TableView


def schema_with(text: str) -> Schema:
    inner = Field(text, DataType("object", (Field(text, DataType("string")),)))
    return Schema(
        (
            Field(
                text,
                DataType("string"),
                description=text,
                enum=(text,),
                source=text,
                lineage=(f"{text}.{text}",),
                extra=((text, text),),
            ),
            Field("n", DataType("float"), source=text, extra=((text, {text: text}),)),
            Field("nested", DataType("array", item=inner.type), description=text),
        ),
        name=text,
        primary_key=(text,),
        indexes=(Index(text, (text,), True),),
        source=text,
    )


def views_with(text: str) -> list[View]:
    schema = schema_with(text)
    rows = [{text: text, "n": 1.5, "nested": [{text: text}]}, {text: None}, {text: {text: [text]}}]
    table = TableView(schema, rows, name=text, kind=text, total=5, remark=text)
    stats = RepoStats(field_cardinalities={text: 3}, query_performance={text: 1.0}, total_count=4)
    entry = AuditEntry(
        user_id=text, operation=text, entity_id=text, changes={text: text}, metadata={text: text}
    )
    report = InferenceReport(
        2,
        {text: FieldReport(text, DataType("mixed"), {text: 1}, coerced={text: 1}, hint=text)},
        [Rejected(1, text, text)],
    )
    question = Question(typed={text: "x" + text}, sort=((text, -1),))
    return [
        table,
        view(schema),
        view(stats),
        view(AuditLog([entry], text)),
        view(entry),
        view(report),
        ExplorerView(table, text, question, question.typed, error=text),
        view(Explanation(text, text, text, True, text, 5, 2.5, (Explanation(text, text, text),))),
        view(JoinReport((JoinStep(text, text, ((text, "n"),), text, 5, 4, 3, 2, 1),), 5)),
        RepoView(text, text, schema, text, table, stats, (text,)),
        RepoView(text, text, schema, text),
    ]
