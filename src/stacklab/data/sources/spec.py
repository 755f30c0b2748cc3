"""Settings of sources of records: files, data sets of the hub, files of token ids."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stacklab.base.spec import Size, Spec, Text, added

PACKED = (".gz", ".zst")
"""Endings of packed files."""


class Columns(Spec):
    """Names of the columns that hold a record. None: recognised from the data (see docs/data.md).

    Where the columns of a form are named, reasoning and system are read only if they are named too.
    """

    messages: Text | None = None
    """A list of turns, {role, content} or {from, value}."""
    prompt: Text | None = None
    response: Text | None = None
    text: Text | None = None
    answer: Text | None = None
    """The exact answer to a problem, kept beside the record and never trained on."""
    input: Text | None = added(None)
    """Text that belongs below the prompt."""
    reasoning: Text | None = added(None)
    """What the assistant thinks before it writes the response."""
    system: Text | None = added(None)
    """The first turn of a conversation, or of prompt and response."""

    @property
    def named(self) -> str | None:
        """The column that names the form, if one does."""
        return self.messages or self.prompt or self.text

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.prompt is None) != (self.response is None):
            raise ValueError("prompt and response name two columns of one record: give both or neither")
        if sum(name is not None for name in (self.messages, self.prompt, self.text)) > 1:
            raise ValueError("a record is messages, prompt and response, or text: name the columns of one of them")
        if (self.input or self.reasoning) and (self.messages or self.text):
            raise ValueError("input and reasoning belong to prompt and response: name those columns")
        if self.system and self.text:
            raise ValueError("a record of text has no turns, and so no system column: remove system")
        return self


class _Rows(Spec):
    """How the rows of a file or of the hub are read."""

    columns: Columns = Columns()
    skip: Literal["broken"] | None = added(None)
    """broken: rows that cannot be read are left out and counted by reason. None: they are refused."""
    surrogates: Literal["refuse", "replace"] = added("refuse")
    """Halves of surrogate pairs, which UTF-8 cannot write: the row is broken, or U+FFFD stands in their place."""


class HubSpec(_Rows):
    """A data set of the Hugging Face hub, read through `datasets`."""

    kind: Literal["hub"] = "hub"
    id: Text
    config: Text | None = None
    """The hub's name for one of several configurations of the data set."""
    split: Text = "train"
    """A split of the data set; slices such as train[:1000] are understood."""


class FileSpec(_Rows):
    """A local file of records."""

    kind: Literal["file"] = "file"
    path: Text
    format: Literal["jsonl", "ndjson", "json", "csv", "tsv", "parquet", "txt"] | None = None
    """None: from the file's ending."""
    separator: Text | None = Field(default=None, min_length=1)
    """The text between two records of a txt file. None: blank lines."""
    delimiter: Text | None = added(None)
    """The character between two fields of a csv or tsv file. None: recognised from the header."""

    @property
    def ending(self) -> str:
        """`format`, else the file's ending in lower case, before that of a packed file; it may be no format at all."""
        name = self.path.rsplit("/", 1)[-1].lower()
        for ending in PACKED:
            name = name.removesuffix(ending)
        return self.format or (name.rpartition(".")[2] if "." in name else "")

    @model_validator(mode="after")
    def _fits_the_format(self) -> Self:
        for name, value, formats in (
            ("separator", self.separator, ("txt",)),
            ("delimiter", self.delimiter, ("csv", "tsv")),
        ):
            if value is not None and self.ending not in formats:
                raise ValueError(
                    f"source.{name} is for {' and '.join(formats)} files, found format {self.ending!r}; "
                    f"remove it or set format: {formats[0]}"
                )
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ValueError(f"source.delimiter is one character, neither quote nor line end; found {self.delimiter!r}")
        return self

    @property
    def is_running(self) -> bool:
        """Whether the file is one text, whose pieces are no records of their own."""
        return self.ending == "txt" and self.separator is None


class TokensSpec(Spec):
    """A file of token ids, as GPT-style training scripts write it: little-endian integers only."""

    kind: Literal["tokens"] = "tokens"
    path: Text
    width: Literal["uint16", "uint32"] = "uint16"
    vocab_size: Annotated[Size, Field(ge=2)] | None = None
    """None: the tokenizer's. A larger one is allowed (padded vocabularies)."""
    end_id: int | None = Field(default=None, ge=0)
    """The id that ends every record. None: the file is cut into pieces of equal length."""

    @property
    def is_running(self) -> bool:
        """Whether the file is one text, whose pieces are no records of their own."""
        return self.end_id is None
