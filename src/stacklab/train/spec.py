"""The settings of training, evaluation and samples. No torch here."""

from typing import Literal, Self

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from stacklab.base.errors import SpecError
from stacklab.base.spec import Items, Size, Spec, Text, added
from stacklab.data.spec import HeldOut
from stacklab.train.optimizer_spec import AdamWSpec, AnyOptimizer

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16", "fp16"]
Compile = Literal["auto", "blocks", "off"]
Residual = Literal["fp32", "products"]


class ScheduleSpec(Spec):
    """Linear warm-up from zero, then cosine to `final_ratio` of the peak, or constant.

    decay_steps: the step at which the cosine ends, as nanoGPT's `lr_decay_iters`; later steps keep its last rate. None:
    the last step of training.
    """

    kind: Literal["cosine", "constant"] = "cosine"
    warmup_steps: NonNegativeInt = 50
    final_ratio: float = Field(0.1, ge=0, le=1)
    decay_steps: PositiveInt | None = added(None)

    @model_validator(mode="after")
    def _decays_after_warmup(self) -> Self:
        if self.decay_steps is None:
            return self
        if self.kind == "constant":
            raise ValueError("decay_steps is for kind cosine; a constant rate does not decay")
        if self.decay_steps <= self.warmup_steps:
            raise ValueError(f"decay_steps = {self.decay_steps} must be above warmup_steps = {self.warmup_steps}")
        return self


class StopSpec(Spec):
    """Training ends when `metric` has been at least `at_least` in `evaluations` evaluations in a row."""

    metric: Text
    at_least: float
    evaluations: PositiveInt = 2


class TrainSpec(Spec):
    """The settings of training.

    micro_batch_size: sequences per forward pass; gradients are accumulated up to batch_size. None: no accumulation.
        Dropout masks are drawn by micro-batch, so other sizes have other masks.
    On several GPUs each takes an equal share of the batch, in such micro-batches.
    device: auto is a GPU where there is one, else the CPU.
    precision: number format of products. auto is fp32 on CPU, bf16 on GPUs that have it, fp16 with loss scaling on
    others. Weights and their gradients are fp32, as are sums and the loss.
    residual: format of the residual stream: fp32, or that of products.
    tf32: products in fp32 are computed in TF32 on GPUs.
    compile: whether blocks are compiled. auto compiles on GPUs from compute capability 8.0 on.
    deterministic: two runs on one machine are equal bit for bit, at the price of some speed on a GPU.
    loss_chunk_rows: rows of logits that are held at a time.
    diverged_above: a training loss above this multiple of the first one ends the run as diverged, as does one that is
    not finite.
    stop: None trains for all steps.
    keep_best: also keep the weights of the evaluation with the lowest loss on `evaluate.split`.
    """

    steps: PositiveInt = 500
    batch_size: Size = 16
    micro_batch_size: Size | None = None
    optimizer: AnyOptimizer = AdamWSpec()
    schedule: ScheduleSpec = ScheduleSpec()
    device: Device = added("auto")
    precision: Precision = "auto"
    residual: Residual = added("fp32")
    tf32: bool = added(False)
    compile: Compile = added("auto")
    deterministic: bool = added(True)
    loss_chunk_rows: PositiveInt = 512
    checkpoint_every: PositiveInt = 100
    diverged_above: float = Field(3.0, gt=1)
    stop: StopSpec | None = None
    keep_best: bool = added(False)

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.batch_size % self.micro_batch:
            raise ValueError(f"micro_batch_size = {self.micro_batch} does not divide batch_size = {self.batch_size}")
        return self

    @property
    def micro_batch(self) -> int:
        return self.micro_batch_size or self.batch_size

    def micro_batch_on(self, ranks: int) -> int:
        """Sequences per forward pass where `ranks` processes share a batch: micro_batch, but at most a rank's rows.

        Raises SpecError for a batch that they cannot share evenly.
        """
        rows, rest = divmod(self.batch_size, ranks)
        if rest:
            raise SpecError(f"gpus-per-run: {ranks} does not divide train.batch_size = {self.batch_size}")
        micro_batch = min(self.micro_batch, rows)
        if rows % micro_batch:
            raise SpecError(
                f"train.micro_batch_size = {micro_batch} does not divide {rows}, the share of each of {ranks} GPUs of "
                f"train.batch_size = {self.batch_size}"
            )
        return micro_batch


class EvaluateSpec(Spec):
    """The evaluations, without dropout: at step 0, every `every` steps, and at the end.

    split: the held-out sequences, always used whole. Runs of a tuning grid use the tuning split and never the
    validation split; all other runs never use the tuning split.
    train_probe_blocks: size of the fixed probe of training sequences.
    problems: held-out problems per number of hops, where the corpus has answers; they are solved greedily at the end
    with at most `answer_tokens` new tokens each.
    """

    split: HeldOut = "validation"
    every: PositiveInt = 25
    train_probe_blocks: PositiveInt = 32
    problems: NonNegativeInt = 32
    answer_tokens: PositiveInt = 128


class SampleSpec(Spec):
    """Prompts that are continued before and after training, as samples in the report."""

    prompts: Items[Text] = ()
    tokens: PositiveInt = 60
    temperature: float = Field(0.8, ge=0)
