"""Benchmarks against named peers, one file per benchmark, each with `render` for its result.

step: training steps against transformers' GPT-2, of contestants and products; step_on_card is for a GPU.
replicas: runs in stacks against one process each. generate: cached decoding against full forward passes. plan:
predicted against measured cost. Workers run in separate processes (worker, replicas_worker). gpu_check runs the
benchmarks, tests and a study on a machine with a GPU.

Door: `run_bench` and `render` of each benchmark. May import: every floor but cli.
"""
