"""Models with hand-written weights, one file per construction or family of constructions.

Door: `registry` (`CONSTRUCTIONS`, `blueprint`), `compile.compiled` (blueprint -> Transformer) and `verify.verify`
(against the oracle). blueprint: residual subspaces, heads, layers. patterns: templates as points. Only compile and
verify import torch."""
