"""Models of other programs: their configs and tensors, read and written exactly or refused with a PortError.

registry   form_for, form_named, form_of and the conversions, the door; FORMS lists the forms that are written
form       Form: the format of a program
fields     reads a config key by key, so that no key is ignored
links      which of their tensors make up which of ours
windows    the windows of other programs
gpt2, gpt_neo, llama, own     forms that are read and written, a file for those that differ little
nanogpt, mingpt, llama2c      forms that are read
configuration_stacklab, modeling_stacklab   our own class; both files travel with exported models

Each form lists what it can express and refuses the rest. It imports base and the model floor, and transformers only in
own.register and in the files that travel.
"""
