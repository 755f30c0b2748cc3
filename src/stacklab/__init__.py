"""stacklab: controlled experiments on transformer stacks."""
