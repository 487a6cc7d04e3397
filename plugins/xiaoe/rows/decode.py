"""Raw bytes of one row → typed tuple, hashes, TSV; the same for every resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cached_property, partial
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import astuple
from xxhash import xxh3_64_intdigest

from xiaoe.rows import values
from xiaoe.rows.codes import text_of, without_text
from xiaoe.rows.masking import PLAIN, Forms
from xiaoe.rows.problems import NOT_JSON, PartlyReadError, Problem, is_no_json, shape_of

Mapping = dict[str, tuple[str, Callable[[Any], Any]]]
"""Column of the warehouse → (field of the API, function that reads the value)."""

Row = tuple[Any, ...]
_UNREADABLE = (ValueError, RecursionError, ArithmeticError)
"""The last one: a number with an exponent beyond what a computer holds."""
_pack = msgspec.msgpack.Encoder().encode


PROBLEM_COLUMNS = "problem_columns"
"""The last column of every row: the columns that could not be read, with commas between them; None is the rule."""
_LONGEST_VALUE = 200
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_NULL = msgspec.Raw(b"null")


class RowError(ValueError):
    """What came is no row: no object, or one without a key. The message names the field, the value and why."""


class Typed(NamedTuple):
    """Rows, their values in the order of `RowReader.columns`, and for some their problems.

    Args:
        rows: One for each that came.
        problems: Place of the row → what could not be read of it.
    """

    rows: list[Row]
    problems: dict[int, list[Problem]]


class RowReader:
    """Reads the rows of one resource.

    Args:
        mapping: Columns in the order of the row, see `Mapping`; each field of the API at most once.
        code_texts: Columns whose code gets a Chinese text in `<column>_text`.
        key: The column that has to be there: without it there is no row.
        forms: Columns that are not stored as they come, and what becomes of them.
    """

    def __init__(
        self,
        mapping: Mapping,
        code_texts: dict[str, dict[int, str]],
        *,
        key: str,
        forms: Forms = PLAIN,
    ) -> None:
        self._mapping = mapping
        self._code_texts = code_texts
        self._key = self.key_column = key
        self._forms = forms
        self._hidden = {mapping[column][0]: column for column in forms.columns}
        self._reads = [
            forms.around(column, _with_words(read, code_texts[column]) if column in code_texts else read)
            for column, (_, read) in mapping.items()
        ]
        self._row_decoder = msgspec.json.Decoder(
            msgspec.defstruct("RawRow", [(field, Any, None) for field, _ in mapping.values()]), float_hook=Decimal
        )
        self._raw_decoder = msgspec.json.Decoder(
            msgspec.defstruct("RawFields", [(field, msgspec.Raw, _NULL) for field, _ in mapping.values()])
        )
        key_struct = msgspec.defstruct("RawKey", [(mapping[key][0], Any, None)])
        self._key_decoder = msgspec.json.Decoder(key_struct, float_hook=Decimal)
        self._keys_decoder = msgspec.json.Decoder(list[key_struct], float_hook=Decimal)  # type: ignore[valid-type]
        self.columns: tuple[str, ...] = (
            *(
                name
                for column in mapping
                for name in ([column, f"{column}_text"] if column in code_texts else [column])
            ),
            PROBLEM_COLUMNS,
        )
        self.fields = frozenset(field for field, _ in mapping.values())
        self._key_place = list(mapping).index(key)
        self._texts = [
            (place, partial(text_of, known=code_texts[name.removesuffix("_text")]))
            for place, name in enumerate(self.columns)
            if name not in mapping and name != PROBLEM_COLUMNS
        ]

    @property
    def mapping(self) -> Mapping:
        """Columns in the order of the row, each with its field of the API and how that is read."""
        return self._mapping

    def flat(self, row: dict[str, Any]) -> dict[str, Any]:
        """The fields of a decoded row as the mapping calls them, and those it does not know."""
        return row

    def key(self, raw: bytes | msgspec.Raw) -> str | None:
        """The row's key, or None where it has none, a blank one, or is not an object at all."""
        field, read = self._mapping[self._key]
        try:
            key = read(getattr(self._key_decoder.decode(raw), field))
        except ArithmeticError:  # a number beyond what a computer holds, perhaps of a key that comes twice
            return self._key_beside_such_a_number(raw)
        except _UNREADABLE:
            return None
        return key if key and key.strip() else None

    def _key_beside_such_a_number(self, raw: bytes | msgspec.Raw) -> str | None:
        try:
            key: str | None = self._mapping[self._key][1](self._fields(raw)[self._key_place])
        except (RowError, *_UNREADABLE):
            return None
        return key if key and key.strip() else None

    def keys(self, raws: Sequence[bytes | msgspec.Raw]) -> list[str | None]:
        """`key` of each row; several times faster in one go, as long as each has one that can be read."""
        field, read = self._mapping[self._key]
        try:
            rows = self._keys_decoder.decode(b"[%b]" % b",".join(raws))
            keys = values.each(read, list(map(attrgetter(field), rows)))
        except _UNREADABLE:
            return [self.key(raw) for raw in raws]
        if all(keys) and not any(map(str.isspace, keys)):
            return keys
        return [key if key and not key.isspace() else None for key in keys]

    def row(self, raw: bytes | msgspec.Raw) -> Row:
        """Type one row; values stand in the order of `columns`, and `problem_columns` names those that cannot be read.

        Raises:
            RowError: It is none.
        """
        return self.read([raw]).rows[0]

    def read(self, raws: Sequence[bytes | msgspec.Raw]) -> Typed:
        """Type many rows, column by column: several times faster than one by one.

        A value that cannot be read costs neither its row nor the others: it becomes None, or what can be read of it,
        and a problem.

        Raises:
            RowError: One of them is no row; nothing is returned then.
        """
        if not raws:
            return Typed([], {})
        rows = [self._fields(raw) for raw in raws]
        problems: dict[int, list[Problem]] = {}
        columns: list[Sequence[Any]] = []
        for column, read, came in zip(self._mapping, self._reads, zip(*rows, strict=True), strict=True):
            try:
                columns.append(values.each(read, came))
            except ValueError:
                columns.append(self._one_by_one(column, read, came, problems))
        if not all(key and key.strip() for key in columns[self._key_place]):
            raise RowError(self._no_key(problems))
        for place, text in self._texts:
            columns.insert(place, values.each(text, columns[place - 1]))
        marks: list[str | None] = [None] * len(rows)
        for at, found in problems.items():
            marks[at] = ",".join(one.column for one in found)
        return Typed(list(zip(*columns, marks, strict=True)), problems)

    def _no_key(self, problems: dict[int, list[Problem]]) -> str:
        field, hidden = self._mapping[self._key][0], self._key in self._forms.columns
        for one in (one for of_row in problems.values() for one in of_row if one.column == self._key):
            return f"{field}{'' if hidden else f'={(one.value or str())[:80]!r}'}: {one.reason}"
        return f"{field} is missing"

    def _fields(self, raw: bytes | msgspec.Raw) -> tuple[Any, ...]:
        """The values of a row's fields as JSON has them, floats as exact decimals.

        Bytes that are no UTF-8, as of a text that was cut in the middle of a character, become U+FFFD.
        """
        try:
            return self._decoded_fields(raw)
        except (ValueError, RecursionError) as error:
            sent = bytes(raw)
            whole = sent.decode("utf-8", "replace").encode()
            if whole == sent:
                raise RowError(f"not a JSON object: {error}") from None
            return self._fields(whole)

    def _decoded_fields(self, raw: bytes | msgspec.Raw) -> tuple[Any, ...]:
        """A number that no computer holds (`1e99999999999999999999`) is left as its text."""
        try:
            return astuple(self._row_decoder.decode(raw))
        except ArithmeticError:
            return tuple(map(decoded, astuple(self._raw_decoder.decode(raw))))

    def _one_by_one(
        self, column: str, read: Callable[[Any], Any], came: Sequence[Any], problems: dict[int, list[Problem]]
    ) -> list[Any]:
        """A column of which some value cannot be read."""
        found: list[Any] = []
        for place, value in enumerate(came):
            try:
                found.append(read(value))
            except ValueError as error:
                found.append(error.kept if isinstance(error, PartlyReadError) else None)
                kept = self._kept_value(column, value)
                problem = Problem(column, self._mapping[column][0], kept, shape_of(value), str(error))
                problems.setdefault(place, []).append(problem)
        return found

    def _kept_value(self, column: str, value: Any) -> str | None:
        if is_no_json(value):
            value = value[NOT_JSON]
        if column in self._forms.columns:
            return _hidden(self._forms.around(column, values.text), value)
        return (value if isinstance(value, str) else str(value))[:_LONGEST_VALUE]

    def raw_hash(self, raw: bytes | msgspec.Raw) -> int:
        """64 bits over the bytes as they came and over `rules`; equal means that nothing needs to be looked at."""
        return xxh3_64_intdigest(raw, self._seed)

    def rules(self) -> list[Any]:
        """What decides how a row is typed, as plain data; part of every raw hash: after a change rows are typed again.

        A reader is named by its module, without the package, and its qualified name. What a function closes over, a
        subclass adds; what a function does, `values.RULES` stands for.
        """
        columns = [(column, field, _name(read)) for column, (field, read) in self._mapping.items()]
        texts = [(column, sorted(self._code_texts[column].items())) for column in self._code_texts]
        return [values.RULES, type(self).__qualname__, self._key, columns, sorted(texts), self._forms.fingerprint()]

    @cached_property
    def _seed(self) -> int:
        return xxh3_64_intdigest(_pack(self.rules()))

    def kept(self, raw: bytes | msgspec.Raw) -> bytes:
        """A row that cannot be typed, as it may be kept: without what is not to be stored plain."""
        if not self._hidden:
            return bytes(raw)
        try:
            fields = msgspec.json.decode(raw, type=dict[str, Any])
        except (ValueError, RecursionError):
            return b'"cannot be read, and XIAOE_PERSONAL_DATA forbids to keep it as it came"'
        hidden = {
            field: _hidden(self._forms.around(self._hidden[field], values.text), fields[field])
            for field in self._hidden.keys() & fields.keys()
        }
        return msgspec.json.encode(fields | hidden)

    def unknown_codes(self, rows: Iterable[Row]) -> dict[str, int]:
        """Codes without a text → how many rows have them, e.g. `{"order_state=77": 3}`."""
        found: Counter[str] = Counter()
        columns = list(zip(*rows, strict=True))
        for name, known in self._code_texts.items() if columns else ():
            for code, number in Counter(columns[self.columns.index(name)]).items():
                found.update({f"{name}={one}": number for one in without_text(code, known)})
        return dict(found)


def _with_words(read: Callable[[Any], Any], texts: dict[int, str]) -> Callable[[Any], Any]:
    """The same function for codes, which also reads a code's own text, where only one code has that.

    Several codes may be words, too: in an array, or in a text with commas between them.
    """
    codes = {text: str(code) for code, text in texts.items() if list(texts.values()).count(text) == 1}

    def as_code(value: Any) -> Any:
        if isinstance(value, list):
            return [as_code(one) for one in value]
        if type(value) is not str:
            return value
        return ",".join(codes.get(one.strip(), one) for one in value.split(","))

    return lambda value: read(as_code(value))


def decoded(raw: msgspec.Raw) -> Any:
    """The value of one field, floats as exact decimals; a number that no computer holds is left as its text."""
    try:
        return _EXACT.decode(raw)
    except ArithmeticError:
        return bytes(raw).decode()


def row_hash(row: Row) -> int:
    """64 bits over the typed values; equal means that nothing needs to be written."""
    return xxh3_64_intdigest(_pack(row))


def _name(read: Callable[[Any], Any]) -> str:
    return f"{read.__module__.rpartition('.')[2]}.{read.__qualname__}"


def _hidden(read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError:
        return None
