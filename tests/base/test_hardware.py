"""Stated rates belong to whole names: a variant of a card has another rate."""

import pytest

from stacklab.base.hardware import peak_matrix_rate


@pytest.mark.parametrize(
    ("name", "tera"),
    [
        ("NVIDIA H100 80GB HBM3", 989),
        ("NVIDIA H100 PCIe", 756),
        ("NVIDIA H200", 989),
        ("NVIDIA A100-SXM4-80GB", 312),
        ("NVIDIA A100 80GB PCIe", 312),
        ("NVIDIA L4", 121),
        ("Tesla T4", 65),
        ("Tesla V100-SXM2-16GB", 125),
        ("NVIDIA GeForce RTX 4090", 165),
        ("NVIDIA GeForce RTX 3090", 71),
    ],
)
def test_the_rate_of_a_known_card(name: str, tera: float) -> None:
    assert peak_matrix_rate(name) == tera * 1e12


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA H100 80GB HBM3 MIG 1g.10gb",
        "NVIDIA H100 NVL",
        "NVIDIA GeForce RTX 4090 Laptop GPU",
        "NVIDIA GeForce RTX 4090 D",
        "NVIDIA L40S",
        "",
    ],
)
def test_a_variant_has_no_rate_rather_than_a_wrong_one(name: str) -> None:
    assert peak_matrix_rate(name) is None
