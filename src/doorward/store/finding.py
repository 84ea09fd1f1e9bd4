"""Narrows a list down to the rows that contain a text, or whose metadata has a pair.

    few rows fit:   their ids, from the index, as a condition
    many rows fit:  alone, in the index's own order, which is that in which rows were made; so a page of them costs the
                    same wherever it begins. With other filters, row after row of what those leave, and at once where
                    many of the first and last rows fit

The index only leads to rows: the exact condition is in the query besides, and looks at what is written of the row in
`search_rows`, the same on both databases. Texts that are shorter than the index's runs are looked for row by row.
PostgreSQL has no order to go by where many rows fit, and looks at row after row.
"""

from collections.abc import Callable

from doorward.store.db import Reader, Where, like
from doorward.store.search import (
    BETWEEN,
    LONG,
    METADATA,
    SHORT,
    TABLES,
    cover,
    is_postgresql,
    numbers,
    pairs_asked,
    plain,
    scope,
    telling,
    word,
)

Column = Callable[[str], str]
FIRST = 64
"""Rows asked for at once."""
MANY = 2_500
"""Rows that are looked up one by one. More of them stand close together in any list."""
SAMPLE, CLOSE = 100, 40
"""Rows looked at, at either end, before many are looked up; where one of so many fits, a page is found soonest row by
row."""
BEGINNING = 4
"""Characters that an id is found by which is found by its beginning."""
LONGEST = 1_000
"""Characters of a text that is looked for. No value is longer, and databases take patterns of some length only."""


def _is(condition: str) -> str:
    """What PostgreSQL takes for true of every other row. By itself it takes a text for so rare that it would sort all
    rows that have it, where a walk in the list's order ends after a page."""
    return f"COALESCE({condition}, FALSE)"


class Finding:
    """What one list is searched for. Its `where` begins with one condition, which says whose rows they are."""

    def __init__(self, read: Reader, where: Where, table: str, workspace_id: str) -> None:
        self._read = read
        self._where = where
        self._table = table
        self._workspace_id = workspace_id
        self._about = TABLES[table]
        self._exact: list[Callable[[Column], None]] = []
        """What adds the exact conditions; it is given where a column of `search_rows` is."""
        self._texts: list[str] = []
        self._pairs: list[list[str]] = []

    def text(self, text: str) -> None:
        """Only rows that contain a text, in capitals or not."""
        text = plain(text)
        if len(text) > LONGEST:
            self._where.any_of(self._id, [])
            return
        if len(text.encode()) >= SHORT:
            self._texts.append(text)

        def exactly(column: Column) -> None:
            is_like = _is(f"{column('text')} LIKE {{}} ESCAPE '\\'")
            behind_id = "" if self._about.finds_id == "anywhere" else f"%{BETWEEN}"

            def anywhere(each: Where) -> None:
                each.add(is_like, behind_id + like(text))
                if self._about.finds_id == "by its beginning" and len(text) >= BEGINNING:
                    each.add(is_like, like(text)[1:])

            self._where.either(anywhere)

        self._exact.append(exactly)

    def pair(self, key: str, text: str) -> None:
        """Only rows whose metadata has a value for this key that reads so."""
        pairs = pairs_asked(key, text)
        self._pairs.append(pairs)

        def exactly(column: Column) -> None:
            condition = self._has_pair(column("pairs"))
            self._where.add(_is(condition) if is_postgresql(self._read) else condition, pairs)

        self._exact.append(exactly)

    def without(self, key: str) -> None:
        """Only rows whose metadata has no such key."""

        def exactly(_column: Column) -> None:
            value = self._read.dialect.json_text(f"{self._about.alias}{METADATA}", self._where.bind(key))
            self._where.add(f"{value} IS NULL")

        self._exact.append(exactly)

    @property
    def _id(self) -> str:
        return f"{self._about.alias}{self._about.id}"

    def _written(self, column: str) -> str:
        """What is written of a row. A query of its own for each row: the planner must not turn it around."""
        row = self._about.alias or f"{self._table}."
        return (
            f"(SELECT t.{column} FROM search_rows t WHERE t.workspace_id = {row}workspace_id "
            f"AND t.kind = '{self._table}' AND t.id = {row}{self._about.id})"
        )

    async def narrow(self, after: tuple[int, str] | None) -> bool:
        """Ask the index. `after` holds `created_at` and id of the row behind which the page begins.

        True: the list goes in the index's order, and begins there; False: it goes in its own.
        """
        is_led = await self._narrow(after)
        for exactly in self._exact:
            exactly("found_{}".format if is_led else self._written)
        return is_led

    async def _narrow(self, after: tuple[int, str] | None) -> bool:
        if not (self._texts or self._pairs):
            return False
        if is_postgresql(self._read):
            ids = None if await self._are_close() else await self._few_in_postgresql()
        else:
            part, whole = self._expression(telling), self._expression(str)
            is_alone = self._where.count == 1
            ids = None if is_alone and part == whole else await self._few(FIRST, part)
            if ids is None and is_alone:
                return await self._in_order(whole, after and after[1])
            if ids is None and not await self._are_close():
                ids = await self._few(MANY, whole)
        if ids is not None:
            self._where.any_of(self._id, ids)
        return False

    async def _are_close(self) -> bool:
        """Whether so many of the first rows fit, and of the last, that any list is walked soonest row by row."""
        own = Where()
        own.add("workspace_id = {} AND kind = {}", self._workspace_id, self._table)
        fits = Where()
        fits.args = own.args
        for text in self._texts:
            fits.add("text LIKE {} ESCAPE '\\'", like(text))
        for pairs in self._pairs:
            fits.add(self._has_pair("pairs"), pairs)
        rows = f"SELECT text, pairs FROM search_rows WHERE {own} ORDER BY"
        first, last = (
            f"(SELECT COUNT(*) FROM ({rows} {order} LIMIT {SAMPLE}) r WHERE {fits})" for order in ("id", "id DESC")
        )
        row = await self._read.one(f"SELECT {first}, {last}", *own.args)
        return row is not None and min(row) >= SAMPLE / CLOSE

    def _has_pair(self, column: str) -> str:
        if is_postgresql(self._read):
            return f"{column} && {{}}"
        return f"EXISTS (SELECT 1 FROM json_each({column}) WHERE value = ANY({{}}))"

    async def _few_in_postgresql(self) -> list[str] | None:
        """Ids of all rows that may fit; None: they are many.

        The planner does not see how rare a text is, as statements are planned once for all values. So it is told by the
        form of the query: the index is asked for nothing but the text.
        """
        own = Where()
        own.add("workspace_id = {} AND kind = {}", self._workspace_id, self._table)
        row = await self._read.one(
            "WITH found AS MATERIALIZED (SELECT workspace_id, kind, id FROM search_rows "
            f"WHERE {self._in_index(own)} LIMIT {4 * MANY}) "
            f"SELECT (SELECT COUNT(*) FROM found), ARRAY(SELECT id FROM found WHERE {own} LIMIT {MANY + 1})",
            *own.args,
        )
        assert row is not None
        return None if row[0] >= 4 * MANY or len(row[1]) > MANY else list(row[1])

    def _in_index(self, values: Where) -> Where:
        """What PostgreSQL's indexes are asked for: by a part of each text."""
        found, own = Where(), scope(self._workspace_id, self._table)
        found.args = values.args
        for text in map(telling, self._texts):
            if len(text.encode()) >= LONG:
                found.add("runs @> {}", numbers(own, cover(text)))
            else:
                found.add("text LIKE {}", like(text))
        for pairs in self._pairs:
            found.add("pairs && {}", pairs)
        return found

    def _expression(self, part: Callable[[str], str]) -> str:
        """What FTS5 looks for: by a part of each text."""
        own = scope(self._workspace_id, self._table)
        texts = [" AND ".join(own + run.hex() for run in cover(part(text))) for text in self._texts]
        return " AND ".join(texts + [f"({' OR '.join(word(own, one) for one in pairs)})" for pairs in self._pairs])

    async def _few(self, most: int, expression: str) -> list[str] | None:
        """Ids of all rows that may fit; None: they are more."""
        rows = await self._read.all(
            "SELECT rowid FROM search_index WHERE search_index MATCH $1 LIMIT $2", expression, most + 1
        )
        if len(rows) > most:
            return None
        if not rows:
            return []
        rows = await self._read.all(
            "SELECT id FROM search_rows WHERE text_id = ANY($1) AND workspace_id = $2 AND kind = $3",
            [row[0] for row in rows],
            self._workspace_id,
            self._table,
        )
        return [str(row[0]) for row in rows]

    async def _in_order(self, expression: str, after: str | None) -> bool:
        """Walk along the index, as far as the page goes. False: the row behind which it begins is not there."""
        where, own, begins_behind = self._where, (self._workspace_id, self._table), 0
        if after is not None:
            row = await self._read.one(
                "SELECT text_id FROM search_rows WHERE workspace_id = $1 AND kind = $2 AND id = $3", *own, after
            )
            if row is None:
                return False
            begins_behind = row[0]
        where.led_by(
            "(SELECT f.rowid AS found_at, r.id AS found_id, r.text AS found_text, r.pairs AS found_pairs "
            "FROM search_index f CROSS JOIN search_rows r ON r.text_id = f.rowid "
            "WHERE f.search_index MATCH {} AND f.rowid > {} AND r.workspace_id = {} AND r.kind = {})",
            expression,
            begins_behind,
            *own,
            order="found_at",
        )
        where.add(f"{self._id} = found_id")
        return True
