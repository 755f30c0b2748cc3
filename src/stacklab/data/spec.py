"""Settings of data: a source of records, a tokenizer, how records become text, how they are split and packed."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from stacklab.base.spec import Spec, Text, added
from stacklab.data.procedural.spec import ProceduralSpec
from stacklab.data.sources.spec import FileSpec, HubSpec, TokensSpec
from stacklab.data.stories.spec import StoriesSpec


class Marker(StrEnum):
    """Special tokens between texts. Tokenizers made here use these strings."""

    END_OF_TEXT = "<|endoftext|>"
    TURN_START = "<|im_start|>"
    TURN_END = "<|im_end|>"


HeldOut = Literal["validation", "tuning"]
Packing = Literal["stream", "documents"]
LossOn = Literal["all", "answers"]

SMALLEST_BPE = 256 + len(Marker)


class HubTokenizer(Spec):
    """The tokenizer.json of a hub id."""

    kind: Literal["hub"] = "hub"
    id: Text


class FileTokenizer(Spec):
    """A local tokenizer.json."""

    kind: Literal["file"] = "file"
    path: Text
    """A tokenizer.json, or the folder that holds it."""


class BpeTokenizer(Spec):
    """Byte-level byte-pair encoding, trained on the training split alone."""

    kind: Literal["bpe"] = "bpe"
    vocab_size: int = Field(ge=SMALLEST_BPE)


class BytesTokenizer(Spec):
    """One id per byte, and the markers."""

    kind: Literal["bytes"] = "bytes"


class CharacterTokenizer(Spec):
    """One id per character of the training split, and one more for all others if held-out text has others. A running
    text is read as it stands, with its blank lines and without a marker at its end."""

    kind: Literal["characters"] = "characters"


class ByHash(Spec):
    """The records whose hash of content falls into the share; adding records moves no other."""

    kind: Literal["hash"] = "hash"


class Stretch(Spec):
    """One contiguous part of a running text, whose neighbours are not trained on. A tuning split lies beside it."""

    kind: Literal["stretch"] = "stretch"
    place: Literal["end", "start"] = "end"
    """The part of the text that is held out."""


Source = Annotated[ProceduralSpec | StoriesSpec | HubSpec | FileSpec | TokensSpec, Field(discriminator="kind")]
Tokenizer = Annotated[
    HubTokenizer | FileTokenizer | BpeTokenizer | BytesTokenizer | CharacterTokenizer, Field(discriminator="kind")
]

ValidationSource = HubSpec | FileSpec | TokensSpec
Validation = Annotated[ByHash | Stretch | ValidationSource, Field(discriminator="kind")]


class DataSpec(Spec):
    """The data of a run."""

    source: Source
    tokenizer: Tokenizer
    record_stride: PositiveInt = added(1)
    """One record in this many is read, from the first on."""
    template: Literal["chatml", "plain"] = "chatml"
    """How a conversation becomes text."""
    vocabulary: Literal["full", "compact"] = "full"
    """compact: only the ids that the training split uses, plus one unknown id. Losses are not comparable with full
    ones."""
    block_size: int = Field(ge=1)
    """Tokens that a training sequence predicts."""
    sequences: Literal["blocks", "windows"] = added("blocks")
    """How training draws sequences: every block once per epoch, or windows that start anywhere in the training text."""
    validation_fraction: float = Field(default=0.1, gt=0, lt=1)
    """Expected share of records in the validation split; of a running text, of its length."""
    validation: Validation | None = added(None)
    """How the validation split is held out, or a source of its own: fields that this leaves out are those of `source`
    where the kind is the same. None: as the source asks for (see `settled`); in a stored run, by hash."""
    packing: Packing = added("stream")
    """stream: a position sees all that comes before it in its block. documents: only what is of its own record, in
    which positions begin at 0; the first token of a record is then no target."""
    loss_on: LossOn = added("all")
    """Which tokens are targets. answers: what assistant turns say, and the marker that ends each."""
    tuning_fraction: float = Field(default=0.0, ge=0, lt=1)
    """Expected share of records in the tuning split, on which settings are chosen and which no claim ever sees."""
    split_seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _like_the_source(cls, tree: Any) -> Any:
        """Complete a source for validation by the fields of `source`. A token file may be called a file."""
        if not isinstance(tree, dict) or not isinstance(tree.get("validation"), dict):
            return tree
        source = tree.get("source")
        source, own = source.dump() if isinstance(source, Spec) else source, tree["validation"]
        if not isinstance(source, dict) or own.get("kind") not in (source.get("kind"), "file"):
            return tree
        if own["kind"] == source.get("kind") or source.get("kind") == "tokens":
            return tree | {"validation": source | own | {"kind": source["kind"]}}
        return tree

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.validation_fraction + self.tuning_fraction >= 1:
            raise ValueError(
                f"validation_fraction = {self.validation_fraction:g} and tuning_fraction = {self.tuning_fraction:g} "
                "leave no records to train on"
            )
        if isinstance(self.source, TokensSpec) and not isinstance(self.tokenizer, HubTokenizer | FileTokenizer):
            raise ValueError(
                f"a token file keeps the ids of the tokenizer that wrote it, found kind {self.tokenizer.kind!r}; "
                "give that tokenizer as kind file or hub"
            )
        return self

    @model_validator(mode="after")
    def _can_be_held_out(self) -> Self:
        own, source = self.validation, self.source
        if isinstance(own, Stretch) and not self.is_running:
            raise ValueError(
                f"validation.kind = stretch is for running text (txt without a separator, tokens without an end_id), "
                f"found records of kind {source.kind!r}; use hash, or name a file of its own"
            )
        if isinstance(own, ValidationSource) and isinstance(own, TokensSpec) != isinstance(source, TokensSpec):
            raise ValueError(
                f"validation.kind = {own.kind} beside source.kind = {source.kind}: both must be text, or both token ids"
            )
        return self

    @model_validator(mode="after")
    def _has_what_the_loss_covers(self) -> Self:
        own = self.validation
        if self.packing == "documents" and (self.is_running or (isinstance(own, TokensSpec) and own.is_running)):
            raise ValueError(
                "packing = documents keeps records apart, found a running text, which has none; use stream, or state "
                "where records end (separator of a txt file, end_id of a token file)"
            )
        if self.loss_on == "answers" and (self.is_running or isinstance(self.source, TokensSpec)):
            raise ValueError(
                f"loss_on = answers needs records with turns, found source.kind = {self.source.kind!r} without; use all"
            )
        return self

    @model_validator(mode="after")
    def _characters_fit(self) -> Self:
        if isinstance(self.tokenizer, CharacterTokenizer) and self.vocabulary == "compact":
            raise ValueError("vocabulary = compact: characters are those of the training split already; use full")
        own = self.settled.validation
        fits = isinstance(own, Stretch) or (isinstance(own, FileSpec) and own.is_running)
        if self.is_verbatim and not (fits and self.record_stride == 1):
            raise ValueError(
                "tokenizer.kind = characters reads a running text as one record: it has no record_stride, and "
                "validation is a stretch or another running txt file"
            )
        return self

    @property
    def is_verbatim(self) -> bool:
        """Whether the source is read as it stands, with no marker at its end."""
        return isinstance(self.tokenizer, CharacterTokenizer) and self.is_running

    @property
    def is_running(self) -> bool:
        """Whether the source is one running text rather than records."""
        return isinstance(self.source, FileSpec | TokensSpec) and self.source.is_running

    @property
    def has_own_validation(self) -> bool:
        """Whether a source of its own is the validation split."""
        return isinstance(self.validation, ValidationSource)

    @property
    def covers_all(self) -> bool:
        """Whether `packing` and `loss_on` are the usual ones: one stream, of which every token is a target."""
        return self.packing == "stream" and self.loss_on == "all"

    @property
    def settled(self) -> Self:
        """The spec with its `validation` stated where it is not by hash: a running text holds out its end."""
        if self.validation is None and self.is_running:
            return self.model_copy(update={"validation": Stretch()})
        return self
