"""Matches of queries as text, CSV and JSON."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass

DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Match:
    """An image of the gallery, and its cosine similarity to the query."""

    path: str
    score: float


@dataclass(frozen=True, slots=True)
class QueryMatches:
    """A query image and its matches, the best first."""

    query: str
    matches: list[Match]


def as_text(results: list[QueryMatches]) -> str:
    """Return one paragraph per query: its path, then rank, score and path of each match."""
    paragraphs = []
    for result in results:
        width = len(str(len(result.matches)))
        lines = [
            f"  {rank:{width}}  {match.score:.{DECIMALS}f}  {match.path}"
            for rank, match in enumerate(result.matches, 1)
        ]
        paragraphs.append("\n".join([result.query, *lines]) + "\n")
    return "\n".join(paragraphs)


def as_csv(results: list[QueryMatches]) -> str:
    """Return a table with one row per match."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("query", "rank", "path", "score"))
    for result in results:
        for rank, match in enumerate(result.matches, 1):
            writer.writerow((result.query, rank, match.path, f"{match.score:.{DECIMALS}f}"))
    return text.getvalue()


def as_json(results: list[QueryMatches]) -> str:
    """Return a list with one object per query, and in it one per match."""
    values = [
        {
            "query": result.query,
            "matches": [
                {"rank": rank, "path": match.path, "score": round(match.score, DECIMALS)}
                for rank, match in enumerate(result.matches, 1)
            ],
        }
        for result in results
    ]
    return json.dumps(values, indent=1) + "\n"


FORMATS = {"text": as_text, "csv": as_csv, "json": as_json}
