"""As in vLLM: what it raises for a prompt that it does not take."""


class VLLMClientError(Exception):
    """The request is at fault."""
