"""What the numbers in a training log show, without training anything.

Door: `examine.audit` (files -> findings) and `spec` (`Stated`, `Finding`, `Audit`).

reading     files -> logs and stated numbers
findings    logs and stated numbers -> findings

Imports base, stats and the parameter counts of model; never torch.
"""
