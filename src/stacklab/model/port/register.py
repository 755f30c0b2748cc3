"""Registers our own class with transformers, so that exported folders open without running the code in them."""


def register() -> None:
    """Register configuration and model with transformers' Auto classes; repeating it changes nothing.

    It imports transformers and torch. Raises ImportError where transformers is not installed.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    from stacklab.model.port.configuration_stacklab import StacklabConfig
    from stacklab.model.port.modeling_stacklab import StacklabForCausalLM

    AutoConfig.register(StacklabConfig.model_type, StacklabConfig, exist_ok=True)
    AutoModelForCausalLM.register(StacklabConfig, StacklabForCausalLM, exist_ok=True)
