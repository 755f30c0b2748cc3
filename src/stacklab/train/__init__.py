"""Training and evaluation of one stack, or of several equal ones at once.

| file | what it holds |
|---|---|
| `spec`, `optimizer_spec` | the settings of training, evaluation and samples, and the kinds of optimisers; no torch |
| `loop` | the training loop: `train`, and `training_loop` for those who train several runs in step |
| `step` | `Trainer`: a model with its optimiser, and one optimisation step |
| `optimizer`, `schedule`, `precision`, `stop` | what a step and the loop are made of |
| `replicas` | the step of several runs over stacked parameters |
| `evaluate`, `coordinates` | losses and accuracies; sizes of activations |
| `checkpoint`, `tensor_file` | weights and optimiser state on disk, whole or absent |

Door: `loop.train`, `step.Trainer` and `spec.TrainSpec`. This floor imports `model`, `data.spec` and `base`;
it knows neither run folders nor tasks.
"""
