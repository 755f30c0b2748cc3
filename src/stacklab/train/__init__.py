"""Training and evaluation of one stack, or of several equal ones at once.

| file | what it holds |
|---|---|
| `spec`, `optimizer_spec` | the settings of training, evaluation and samples, and the kinds of optimisers; no torch |
| `loop` | the training loop: `train`, and `training_loop` for callers that train several runs at once |
| `step` | `Trainer`: a model with its optimiser, and one optimisation step |
| `device`, `optimizer`, `schedule` | parts of a step and of the loop |
| `card` | what a CUDA card can do, and which kernels are used on it |
| `distributed` | `World`: the processes that train one run on several cards |
| `replicas`, `stacked_adamw` | the step of several runs over stacked parameters |
| `evaluate` | losses and accuracies |
| `start` | weights from which training starts, kept by content |
| `checkpoint`, `checkpoint_metadata`, `tensor_file` | weights and optimiser state on disk, written atomically |

Door: `loop.train`, `step.Trainer` and `spec.TrainSpec`. This floor imports `model`, `data.spec` and `base`;
it does not depend on run folders or tasks.
"""
