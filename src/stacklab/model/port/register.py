"""transformers is told of our own class, so that exported folders open without running the code they carry.

Called by `import stacklab` once transformers has loaded the tables concerned; more than once does no harm.
"""


def register() -> None:
    """Both now, for our own use."""
    register_config()
    register_model()


def register_config() -> None:
    from transformers.models.auto.configuration_auto import AutoConfig

    from stacklab.model.port.configuration_stacklab import StacklabConfig

    AutoConfig.register(StacklabConfig.model_type, StacklabConfig, exist_ok=True)


def register_model() -> None:
    from transformers.models.auto.modeling_auto import AutoModelForCausalLM

    from stacklab.model.port.configuration_stacklab import StacklabConfig
    from stacklab.model.port.modeling_stacklab import StacklabForCausalLM

    AutoModelForCausalLM.register(StacklabConfig, StacklabForCausalLM, exist_ok=True)
