"""Benchmarks against named peers, one file per benchmark, each with `render` for its result.

step: training steps against transformers' GPT-2 (contestants, products; step_on_card for a GPU). replicas: runs in
stacks against one process each. generate: cached decoding against full forward passes. plan: predicted against measured
cost. gpu_check: all that a GPU machine runs. Workers run in separate processes (worker, replicas_worker).

Door: `run_bench` and `render` of each benchmark. May import: every floor but cli.
"""
